"""The standard library's HTTP over a connection of ours, which has a deadline."""

from __future__ import annotations

import http.client
import io
from typing import Any

from webhook.runner.address import Address
from webhook.runner.connection import Connection


def over(opened: Connection, address: Address) -> http.client.HTTPConnection:
    """What asks `address` over a connection that is open.

    Raises what http.client raises, and ValueError for an answer that would be read without bound.
    """
    asking = http.client.HTTPConnection(address.place)
    asking.sock = _Socket(opened)
    return asking


class _Socket:
    """What http.client needs of a socket. It closes one from which it still reads; this stays."""

    def __init__(self, opened: Connection) -> None:
        self._opened = opened

    def sendall(self, data: bytes) -> None:
        self._opened.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return _File(_Reader(self._opened))

    def close(self) -> None:
        pass


class _File(io.BufferedReader):
    """A chunk of -1 bytes would have http.client read to the end of an endless body."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            msg = "a chunk has no size"
            raise ValueError(msg)
        return super().read(size)


class _Reader(io.RawIOBase):
    """The receiving half as a file."""

    def __init__(self, opened: Connection) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._opened.some(len(buffer))
        buffer[: len(data)] = data
        return len(data)
