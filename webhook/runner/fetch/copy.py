"""`copy`: the files of a folder, such as a mounted Secret, with a mode, as the step's own user."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from webhook.errors import FetchError, NotReadyError
from webhook.runner.deadline import Deadline
from webhook.runner.fetch import entry, settle, size, stage, target
from webhook.runner.fetch.entry import Entry
from webhook.runner.fetch.order import Order
from webhook.runner.fetch.tree import Bounds, Tree
from webhook.runner.fetch.words import Fields

_FIELDS = (
    *("from", "path", "without", "some", "to", "replace"),
    *("max-size", "max-entries", "mode", "dir-mode"),
)
_NOW = "..data"  # the link that the kubelet moves to the newest content


def read(fields: Fields, _: float) -> Order:
    """From its fields; raises UsageError."""
    fields.know(*_FIELDS)
    source = fields.needed("from", "/mnt/secret")
    part = fields.one("path")
    without = frozenset(fields.every("without"))
    to = target.folder(fields)
    bounds = Bounds(
        # Kubernetes keeps a ConfigMap or Secret below 1 MiB (etcd below 1.5); a volume has some.
        fields.size("max-size", "64Mi"),
        fields.count("max-entries", 10_000, 1),
        fields.mode("mode", "0644", 0o400),
        fields.mode("dir-mode", "0755", 0o700),
        "comes to more than max-size",
    )
    replace, some = fields.switch("replace"), fields.switch("some")

    def attempt(deadline: Deadline) -> str:
        root = _root(source, part)
        with stage.told(to.path, []):
            to.prepare(bounds.folder)
            with stage.beside(to.folder, to.name) as beside:
                with beside.new("tree") as tree_root:
                    tree = Tree(tree_root, bounds, deadline)
                    for path in _paths(root, without):
                        _copy(root, path, tree)
                    if some and not tree.files:
                        msg = "has no file in it"
                        raise FetchError(msg)
                    tree.end()
                settle.folder(beside, "tree", to.name, replace=replace)
        return f"{tree.files} files with {size.written(tree.written)} to {to.path}"

    return Order(os.path.join(source, part) if part else source, attempt)


def _root(source: str, part: str) -> str:
    """The folder that is copied; raises FetchError where there is none below `source`."""
    now = os.path.join(source, _NOW)
    whole = os.path.realpath(now if os.path.isdir(now) else source)
    root = os.path.realpath(os.path.join(whole, part.lstrip("/")))
    if not _within(whole, root):
        msg = "leads outside of what is copied"
        raise FetchError(msg)
    if not os.path.isdir(root):
        msg = "is no folder that is there"
        raise FetchError(msg)
    return root


def _within(root: str, path: str) -> bool:
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def _paths(root: str, without: frozenset[str]) -> Iterator[str]:
    """Files and links. All but what begins with `..`, which is the kubelet's own, and `without`."""
    for folder, folders, names in os.walk(root):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = [name for name in sorted(folders) if not _skipped(name, without)]
        for name in sorted([*names, *links]):
            if not _skipped(name, without):
                yield os.path.join(folder, name)


def _skipped(name: str, without: frozenset[str]) -> bool:
    return name.startswith("..") or name in without


def _copy(root: str, path: str, tree: Tree) -> None:
    """A link to a file is copied as that file, for it may be the kubelet's; any other stays one."""
    name = os.path.relpath(path, root)
    parts = entry.inside(name)
    try:
        if os.path.islink(path) and not os.path.isfile(path):
            tree.add(Entry(parts, "link", entry.leading(parts, os.readlink(path))), _nothing)
            return
        with _opened(root, path, name) as file:
            executable = bool(os.fstat(file.fileno()).st_mode & 0o100)
            tree.add(Entry(parts, "file", executable=executable), tree.reading(file))
    except FileNotFoundError:
        msg = "changes while it is copied"
        raise NotReadyError(msg) from None


def _nothing(_: int) -> bytes:
    return b""


def _opened(root: str, path: str, name: str) -> BinaryIO:
    if not _within(root, os.path.realpath(path)):
        entry.refuse(name, "is a link that leads outside")
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        entry.refuse(name, "is no file")
    return file
