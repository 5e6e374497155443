"""Streams that are compressed, read to a bound of memory, and what their damage is called."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from webhook.errors import FetchError

# What `xz -9` asks for is 65 MiB. One that asks for more is refused; a guess at what a step has.
MAX_MEMORY = 72 * 1024 * 1024
_CHUNK = 64 * 1024


class Stream(Protocol):
    """What can be read from the beginning to the end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


@contextmanager
def told() -> Iterator[None]:
    """What the decompressors raise becomes FetchError."""
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        msg = f"cannot be unpacked: {str(error).rstrip('.').lower() or type(error).__name__}"
        raise FetchError(msg) from None


class Counted:
    """A stream whose damage is told, and of which each piece is handed to `count` as well."""

    def __init__(self, inner: Stream, count: Callable[[bytes], object]) -> None:
        self._inner = inner
        self._count = count

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        with told():
            data = self._inner.read(size)
        self._count(data)
        return data


class _Xz:
    """The standard library's file of xz takes no bound for memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = lzma.LZMADecompressor(memlimit=MAX_MEMORY)

    def read(self, size: int, /) -> bytes:
        data = b""
        while not data:
            if self._stream.eof:
                rest = self._stream.unused_data or self._file.read(_CHUNK)
                if not rest.strip(b"\0"):
                    return b""
                self._stream = lzma.LZMADecompressor(memlimit=MAX_MEMORY)
            else:
                rest = self._file.read(_CHUNK) if self._stream.needs_input else b""
                if not rest and self._stream.needs_input:
                    msg = "compressed file ended before the end of the stream"
                    raise EOFError(msg)
            data = self._stream.decompress(rest, size)
        return data


def stream(file: BinaryIO) -> Stream:
    """The content of a file that is compressed or not; raises FetchError for an unknown way."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if start == b"\xfd7zXZ\0":
        return _Xz(file)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        msg = "is compressed with zstd, which is not unpacked; offer it with gzip, xz or bzip2"
        raise FetchError(msg)
    return file
