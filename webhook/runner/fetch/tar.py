"""Archives of tar, with what they may not hold."""

from __future__ import annotations

import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

from webhook.errors import FetchError
from webhook.runner.fetch import entry, packed
from webhook.runner.fetch.entry import Entry
from webhook.runner.fetch.tree import CHUNK, Tree

# A header behind another holds a long name, and tarfile reads it as a whole; a guess at the rest.
MAX_HEADER = 64 * 1024
_LONG = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


class _Header(tarfile.TarInfo):
    """Each header is looked at before tarfile acts on it."""

    ended = False  # whether the last block was the empty one that ends an archive

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        cls._met(buf)
        return cls._judged(super().frombuf(buf, encoding, errors))

    @classmethod
    def _frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str, **more: Any) -> _Header:
        """What newer versions call instead, and older ones to which a distribution gave their fix.

        Neither is for us to choose: without it no header would be looked at.
        """
        cls._met(buf)
        newer: Any = super()
        return cls._judged(newer._frombuf(buf, encoding, errors, **more))

    @classmethod
    def _met(cls, buf: bytes | bytearray) -> None:
        cls.ended = bool(buf) and not any(buf)

    @staticmethod
    def _judged(found: _Header) -> _Header:
        if found.type in _LONG and not 0 <= found.size <= MAX_HEADER:
            entry.refuse(found.name, f"has a header of more than {MAX_HEADER} bytes")
        if found.type == tarfile.GNUTYPE_SPARSE:
            _sparse(found.name)
        return found

    def _proc_gnusparse_10(self, found: tarfile.TarInfo, *_: Any) -> NoReturn:
        _sparse(found.name)  # its map would be read to any length


def _sparse(name: str) -> NoReturn:
    entry.refuse(name, "is a sparse file; pack it without --sparse")


def unpack(file: BinaryIO, strip: int, tree: Tree) -> None:
    """Adds each entry to `tree`; raises what that raises, and FetchError for what is no tar."""

    class Header(_Header):  # `ended` is of this archive
        pass

    stream = packed.Counted(packed.stream(file), tree.count)
    read: Any = stream  # tarfile needs no more of a stream
    with _told(), tarfile.open(fileobj=read, mode="r|", tarinfo=Header) as opened:
        archive: Any = opened
        while member := archive.next():
            archive.members.clear()  # it would remember all of them
            found = _entry(member, strip)
            source = archive.extractfile(member) if found.kind == "file" else None
            tree.add(found, source.read if source else _nothing)
        if not Header.ended:
            msg = "ends before the end of the archive"
            raise FetchError(msg)
        while stream.read(CHUNK):  # a checksum stands at the end of what is compressed
            pass


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, RecursionError, ValueError) as error:
        msg = f"is no tar that can be read: {str(error).lower() or type(error).__name__}"
        raise FetchError(msg) from None


def _nothing(_: int) -> bytes:
    return b""


def _entry(member: tarfile.TarInfo, strip: int) -> Entry:
    path = entry.inside(member.name, strip)
    if member.size < 0:
        entry.refuse(member.name, "has no size")
    if member.issparse():
        _sparse(member.name)
    if member.isdir():
        return Entry(path, "folder")
    if member.issym():
        return Entry(path, "link", entry.leading(path, member.linkname) if path else "")
    if member.islnk():
        return _same(member, path, strip)
    if member.type not in _FILES:
        entry.refuse(member.name, "is a device, a pipe or of another kind that is not unpacked")
    if member.mode & (stat.S_ISUID | stat.S_ISGID):
        entry.refuse(member.name, "has the setuid or setgid bit")
    return Entry(path, "file", executable=bool(member.mode & stat.S_IXUSR))


def _same(member: tarfile.TarInfo, path: tuple[str, ...], strip: int) -> Entry:
    target = entry.inside(member.linkname, strip)
    if path and not target:
        entry.refuse(member.name, "is a hard link to what is left out")
    return Entry(path, "same", "/".join(target))
