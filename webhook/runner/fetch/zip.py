"""Archives of zip, with what they may not hold."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from webhook.errors import FetchError
from webhook.runner.fetch import entry
from webhook.runner.fetch.entry import Entry
from webhook.runner.fetch.tree import Tree

MAX_LINK = 4096  # bytes of a link's target, as Linux has it
# Bytes of an archive's table of contents for each entry that is allowed; a guess at a name.
_PER_ENTRY = 256
_LEAST = 128 * 1024  # more than what zipfile reads to find that table
_ENCRYPTED = 0x1
# Of the others, one lets the archive say how much memory it needs.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_KINDS = (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class _Bounded:
    """zipfile reads the table of contents as a whole, however long it is said to be."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:  # the rest, behind where it looks for the table
            here = self._file.tell()
            size = self._file.seek(0, os.SEEK_END) - here
            self._file.seek(here)
        if size > self._most:
            msg = "has a table of contents that is too large for max-entries"
            raise FetchError(msg)
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def unpack(file: BinaryIO, strip: int, tree: Tree) -> None:
    """Adds each entry to `tree`; raises what that raises, and FetchError for what is no zip."""
    most = max(_LEAST, tree.bounds.entries * _PER_ENTRY)
    bounded: Any = _Bounded(file, most)
    with _told(), zipfile.ZipFile(bounded) as archive:
        for member in archive.infolist():
            _look(member)
            with archive.open(member) as source:
                found = _entry(member, source, strip)
                tree.add(found, tree.reading(source))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        said = str(error).rstrip(".").lower() or type(error).__name__
        msg = f"is no zip that can be read: {said}"
        raise FetchError(msg) from None


def _look(member: zipfile.ZipInfo) -> None:
    name = member.orig_filename
    if member.flag_bits & _ENCRYPTED:
        entry.refuse(name, "is encrypted")
    if member.compress_type not in _METHODS:
        entry.refuse(name, "is compressed in a way that is not unpacked; use deflate")
    if "\\" in name or "\0" in name:
        entry.refuse(name, "has a character in its name that no name has")
    if stat.S_IFMT(_mode(member)) not in _KINDS:
        entry.refuse(name, "is a device, a pipe or of another kind that is not unpacked")


def _mode(member: zipfile.ZipInfo) -> int:
    return member.external_attr >> 16


def _entry(member: zipfile.ZipInfo, source: Any, strip: int) -> Entry:
    path = entry.inside(member.orig_filename, strip)
    mode = _mode(member)
    if member.is_dir() or stat.S_ISDIR(mode):
        return Entry(path, "folder")
    if stat.S_ISLNK(mode):
        target = source.read(MAX_LINK).decode("utf-8", "surrogateescape")
        return Entry(path, "link", entry.leading(path, target) if path else "")
    if mode & (stat.S_ISUID | stat.S_ISGID):
        entry.refuse(member.orig_filename, "has the setuid or setgid bit")
    return Entry(path, "file", executable=bool(mode & stat.S_IXUSR))
