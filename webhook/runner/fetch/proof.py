"""What makes a file the one that was meant: a checksum, a signature, or nobody's word."""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from webhook.errors import FetchError
from webhook.runner.fetch import minisign


class Reading(Protocol):
    """A file that is being read."""

    def put(self, data: bytes) -> None:
        """The next bytes."""
        ...

    def end(self, file: BinaryIO) -> str:
        """After the last: what is proven, for the last line; raises FetchError if it is wrong."""
        ...


class Unverified:
    """It may be anything."""

    def put(self, data: bytes) -> None:
        """The next bytes."""

    def end(self, file: BinaryIO) -> str:
        """After the last."""
        return "unverified"


@dataclass(slots=True)
class Digest:
    """It must have the SHA-256 `wanted`, in lower case."""

    wanted: str
    _hash: Any = None

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()

    def put(self, data: bytes) -> None:
        """The next bytes."""
        self._hash.update(data)

    def end(self, file: BinaryIO) -> str:
        """After the last."""
        found = self._hash.hexdigest()
        if found != self.wanted:
            msg = f"the checksum is wrong: its sha256 is {found}, not {self.wanted}"
            raise FetchError(msg)
        return "sha256 verified"


@dataclass(slots=True)
class Signature:
    """It must be what `key` has signed."""

    key: minisign.Key
    signature: minisign.Signature
    _hash: Any = None

    def __post_init__(self) -> None:
        self._hash = hashlib.blake2b() if self.signature.hashed else None

    def put(self, data: bytes) -> None:
        """The next bytes."""
        if self._hash:
            self._hash.update(data)

    def end(self, file: BinaryIO) -> str:
        """After the last."""
        if self._hash:
            minisign.verify(self.key, self.signature, self._hash.digest())
        else:
            minisign.verify(self.key, self.signature, _whole(file))
        return "signature verified"


def _whole(file: BinaryIO) -> Any:
    """The file as memory that the system may take back: it can be larger than what a pod has."""
    file.flush()
    if not file.tell():
        return b""
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
