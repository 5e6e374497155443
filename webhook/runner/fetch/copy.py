"""`copy`: the files of a mounted ConfigMap or Secret, with a mode and as the step's own user."""

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

_FIELDS = ("from", "to", "mode", "dir-mode", "replace")
_NOW = "..data"  # the link that the kubelet moves to the newest content
# Kubernetes keeps a ConfigMap or Secret below 1 MiB (etcd below 1.5); a projected volume has some.
_MOST, _ENTRIES = 64 * 1024 * 1024, 10_000


def read(fields: Fields, _: float) -> Order:
    """From its fields; raises UsageError."""
    fields.know(*_FIELDS)
    source = fields.needed("from", "/mnt/secret")
    to = target.folder(fields)
    bounds = Bounds(
        _MOST, _ENTRIES, fields.mode("mode", "0644", 0o400), fields.mode("dir-mode", "0755", 0o700)
    )
    replace = fields.switch("replace")

    def attempt(deadline: Deadline) -> str:
        if not os.path.isdir(source):
            msg = "is no folder that is there"
            raise FetchError(msg)
        with stage.told(to.path, []):
            to.prepare(bounds.folder)
            with stage.beside(to.folder, to.name) as beside:
                with beside.new("tree") as root:
                    tree = Tree(root, bounds, deadline)
                    _copy(source, tree)
                    tree.end()
                settle.folder(beside, "tree", to.name, replace=replace)
        return f"{tree.files} files with {size.written(tree.written)} to {to.path}"

    return Order(source, attempt)


def _copy(source: str, tree: Tree) -> None:
    now = os.path.join(source, _NOW)
    root = os.path.realpath(now if os.path.isdir(now) else source)
    for path in _files(root):
        name = os.path.relpath(path, root)
        try:
            with _opened(root, path, name) as file:
                tree.add(Entry(entry.inside(name), "file"), tree.reading(file))
        except FileNotFoundError:
            msg = "changes while it is copied"
            raise NotReadyError(msg) from None


def _files(root: str) -> Iterator[str]:
    """All but what begins with `..`, which is the kubelet's own."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith(".."))
        for name in sorted(names):
            if not name.startswith(".."):
                yield os.path.join(folder, name)


def _opened(root: str, path: str, name: str) -> BinaryIO:
    if not os.path.realpath(path).startswith(f"{root.rstrip('/')}/"):
        entry.refuse(name, "is a link that leads outside")
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        entry.refuse(name, "is no file")
    return file
