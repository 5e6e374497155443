"""From our own folder to where it was asked for, by renames alone.

A folder that is not there yet, or empty, comes with one rename. Into one with something in it, and
into the root of a volume, entries are moved one by one, when all are there and none can clash; what
else is there stays. With `replace` the folder changes places with what was there.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress

from webhook.errors import FetchError
from webhook.runner.fetch.entry import RESERVED
from webhook.runner.fetch.exchange import exchange
from webhook.runner.fetch.stage import Stage, opened

_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_KEPT = ("lost+found",)  # a file system's own, in the root of a volume


def file(stage: Stage, name: str, target: str) -> None:
    """The file `name` becomes `target` beside our folder."""
    os.rename(name, target, src_dir_fd=stage.folder, dst_dir_fd=stage.parent)
    _kept(stage.parent)


def folder(stage: Stage, name: str, target: str, *, replace: bool) -> None:
    """The folder `name` becomes `target` beside our folder, or with no target goes around it."""
    if not target:
        _root(stage, name, replace=replace)
        return
    _own(target, stage.parent)
    try:
        os.rename(name, target, src_dir_fd=stage.folder, dst_dir_fd=stage.parent)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        if replace:
            _exchange(stage, name, target)
        else:
            with opened(name, stage.folder) as source, opened(target, stage.parent) as place:
                _merge(source, place)
    _kept(stage.parent)


def _root(stage: Stage, name: str, *, replace: bool) -> None:
    """What is in the folder `name` comes into the folder in which ours is."""
    with opened(name, stage.folder) as source:
        wanted = set(os.listdir(source))
        if replace:
            _replace(stage, source, wanted)
        else:
            _merge(source, stage.parent)
    _kept(stage.parent)


def _own(target: str, parent: int) -> None:
    """A link, or a file, in the target's place is somebody's who thought of something else."""
    if _is_folder(target, parent) is False:
        msg = f"{target} is there and is no folder"
        raise FetchError(msg)


def _exchange(stage: Stage, name: str, target: str) -> None:
    try:
        exchange(name, stage.folder, target, stage.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
            raise
        # A volume that cannot: for a moment there is neither.
        os.rename(target, "before", src_dir_fd=stage.parent, dst_dir_fd=stage.folder)
        os.rename(name, target, src_dir_fd=stage.folder, dst_dir_fd=stage.parent)


def _replace(stage: Stage, source: int, wanted: set[str]) -> None:
    """Entry by entry, and then without what is not wanted any more."""
    for name in sorted(wanted):
        try:
            exchange(name, source, name, stage.parent)
        except FileNotFoundError:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=stage.parent)
    for name in os.listdir(stage.parent):
        if name in wanted or name.startswith(RESERVED) or name in _KEPT:
            continue
        if _is_folder(name, stage.parent):
            shutil.rmtree(name, dir_fd=stage.parent)
        else:
            os.unlink(name, dir_fd=stage.parent)


def _merge(source: int, place: int) -> None:
    _fit(source, place, "")
    _move(source, place)


def _fit(source: int, place: int, where: str) -> None:
    """Raises FetchError where a folder would take the place of a file, or a file of a folder."""
    for entry in sorted(os.listdir(source)):
        there = _is_folder(entry, place)
        ours = _is_folder(entry, source)
        if there is None:
            continue
        if there is not ours:
            name = f"{where}{entry}"
            msg = f"{name} is there and is {'a' if there else 'no'} folder; write replace=true"
            raise FetchError(msg)
        if ours:
            with opened(entry, source) as one, opened(entry, place) as other:
                _fit(one, other, f"{where}{entry}/")


def _is_folder(name: str, within: int) -> bool | None:
    """None for what is not there; a link is none."""
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


def _move(source: int, place: int) -> None:
    for name in sorted(os.listdir(source)):
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=place)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            with opened(name, source) as one, opened(name, place) as other:
                _move(one, other)


def _kept(folder: int) -> None:
    """The new names outlive a crash of the node, where the volume does."""
    with suppress(OSError):  # not every volume can
        os.fsync(folder)
