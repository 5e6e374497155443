"""Files written below an open folder, to a bound, and links when all else is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from webhook.errors import FetchError, NotReadyError
from webhook.runner.deadline import Deadline
from webhook.runner.fetch import size
from webhook.runner.fetch.entry import Entry, Index, refuse

CHUNK = 64 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Source(Protocol):
    """What is read to its end."""

    def read(self, most: int, /) -> bytes:
        """At most so many bytes; none at the end."""
        ...


Read = Callable[[int], bytes]  # at most so many bytes of an entry; none at its end


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be, and the modes of what is written."""

    most: int  # bytes
    entries: int
    mode: int
    folder: int  # the mode of folders; their owner may do everything in them
    said: str = "unpacks to more than max-unpacked"  # when there is more than `most`


@dataclass(slots=True)
class Tree:
    """What is written below `root`, an open folder that nobody else writes to.

    Methods raise FetchError for an entry that is refused, OSError for a volume that is full, and
    NotReadyError when the deadline has passed.
    """

    root: int
    bounds: Bounds
    deadline: Deadline
    written: int = 0  # bytes
    files: int = 0
    _read: int = 0
    _index: Index = field(init=False)
    _links: list[Entry] = field(default_factory=list)
    _folders: set[tuple[str, ...]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._index = Index(self.bounds.entries)

    def add(self, entry: Entry, read: Read) -> None:
        """One entry; links are made by `end`."""
        self._index.count()
        if not entry.path:
            return
        self._index.take(entry)
        if entry.kind == "folder":
            self._folder(entry.path)
            return
        self._folder(entry.path[:-1])
        if entry.kind == "file":
            self._file(entry, read)
        else:
            self._links.append(entry)

    def count(self, data: bytes) -> bytes:
        """Counts what was read to be written or left out; raises FetchError when it is too much.

        Whoever reads calls it: what is left out costs time, too.
        """
        self._in_time()
        self._read += len(data)
        if self._read > self.bounds.most:
            msg = f"{self.bounds.said}, {size.written(self.bounds.most)}"
            raise FetchError(msg)
        return data

    def reading(self, source: Source) -> Read:
        """What reads an entry that is a stream of its own, and counts it."""
        return lambda most: self.count(source.read(most))

    def end(self) -> None:
        """Makes the links, and gives folders their mode."""
        for entry in self._links:
            if entry.kind == "same":
                self._same(entry)
        for entry in self._links:
            if entry.kind == "link":
                os.symlink(entry.target, entry.name, dir_fd=self.root)
        for path in self._folders:
            os.chmod("/".join(path), self.bounds.folder, dir_fd=self.root)
        os.fchmod(self.root, self.bounds.folder)

    def _in_time(self) -> None:
        if self.deadline.passed:
            msg = "is not unpacked in time"
            raise NotReadyError(msg)

    def _folder(self, path: tuple[str, ...]) -> None:
        for depth in range(1, len(path) + 1):
            part = path[:depth]
            if part in self._folders:
                continue
            try:
                os.mkdir("/".join(part), 0o700, dir_fd=self.root)
            except FileExistsError:  # on a volume for which A and a are one name
                refuse("/".join(part), "is there twice")
            self._folders.add(part)

    def _file(self, entry: Entry, read: Read) -> None:
        try:
            new = os.open(entry.name, _NEW, 0o600, dir_fd=self.root)
        except FileExistsError:
            refuse(entry.name, "is there twice")
        with os.fdopen(new, "wb") as file:
            while data := read(CHUNK):
                self._in_time()
                self.written += file.write(data)
            # What may be executed may be so by whoever may read it.
            more = (self.bounds.mode & 0o444) >> 2 if entry.executable else 0
            os.fchmod(file.fileno(), self.bounds.mode | more)
        self.files += 1

    def _same(self, entry: Entry) -> None:
        if self._index.known(tuple(entry.target.split("/"))) != "file":
            refuse(entry.name, "is a hard link to what is no file of the archive")
        os.link(entry.target, entry.name, src_dir_fd=self.root, dst_dir_fd=self.root)
        self.files += 1
