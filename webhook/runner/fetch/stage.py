"""A folder of our own beside the target, in which everything is made before it is moved.

It has the same name in each run, so that the next one finds what a run left that was killed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from webhook.errors import FetchError
from webhook.runner.fetch import size
from webhook.runner.fetch.entry import RESERVED

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class Stage:
    """Open folders: our own, `name` in `parent`."""

    parent: int
    name: str
    folder: int

    def file(self, name: str) -> BinaryIO:
        """A new file in our folder."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(name, flags, 0o600, dir_fd=self.folder), "w+b")

    @contextmanager
    def new(self, name: str) -> Iterator[int]:
        """A new folder in our folder, open."""
        os.mkdir(name, 0o700, dir_fd=self.folder)
        with opened(name, self.folder) as folder:
            yield folder


@contextmanager
def opened(path: str, within: int | None = None) -> Iterator[int]:
    """A folder as a descriptor; below `within` it must be none that a link leads to."""
    flags = _OPEN if within is None else _OPEN | os.O_NOFOLLOW
    folder = os.open(path, flags, dir_fd=within)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def beside(folder: str, target: str) -> Iterator[Stage]:
    """Our folder in `folder`, for what is to become `target` in it; it is gone afterwards."""
    name = f"{RESERVED}-{hashlib.sha256(os.fsencode(target)).hexdigest()[:12]}"
    with opened(folder) as parent:
        _clear(name, parent)
        os.mkdir(name, 0o700, dir_fd=parent)
        try:
            with opened(name, parent) as own:
                _alone(own)
                yield Stage(parent, name, own)
        finally:
            shutil.rmtree(name, ignore_errors=True, dir_fd=parent)


@contextmanager
def told(target: str, counted: list[int]) -> Iterator[None]:
    """What a volume refuses becomes FetchError; `counted` is how much had come, when it is full."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            had = f", after {size.written(sum(counted))}" if counted else ""
            msg = f"the volume of {target} is full{had}"
            raise FetchError(msg) from None
        msg = f"{target} cannot be written: {error.strerror or error}"
        raise FetchError(msg) from None


def _clear(name: str, parent: int) -> None:
    """Removes what an earlier run has left, unless it still runs."""
    try:
        with opened(name, parent) as left:
            _alone(left)
        shutil.rmtree(name, dir_fd=parent)
    except FileNotFoundError:
        return
    except NotADirectoryError:  # or a link: nothing of ours
        os.unlink(name, dir_fd=parent)


def _alone(folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        msg = "another initject fetch is writing there"
        raise FetchError(msg) from None
    except OSError:  # a volume without locks
        pass
