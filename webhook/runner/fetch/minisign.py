"""Signatures of minisign: Ed25519 over a file (`Ed`) or over its BLAKE2b-512 (`ED`).

The formats are those of minisign's own page, "Signature format". The trusted comment is signed
together with the signature and must be right too.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from webhook.errors import FetchError

MAX_SIGNATURE = 16 * 1024  # bytes of a signature's file; a guess, minisign's own are below 10 KiB

_KEY, _SIGNATURE, _GLOBAL = 42, 74, 64  # bytes: two of algorithm, eight of key id, and the rest


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and the number by which signatures name it."""

    number: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature; with `hashed` it is over the file's BLAKE2b-512."""

    hashed: bool
    number: bytes
    signature: bytes
    comment: bytes
    overall: bytes


def key(text: str) -> Key:
    """The key as minisign prints it; raises ValueError with what to write instead."""
    data = _decoded(text)
    if len(data) != _KEY or data[:2] != b"Ed":
        msg = "is no public key of minisign; write the line that begins with RW"
        raise ValueError(msg)
    return Key(data[2:10], data[10:])


def signature(text: bytes) -> Signature:
    """What a signature's file says; raises FetchError."""
    lines = text.splitlines()
    if len(lines) < 4 or not lines[2].startswith(b"trusted comment: "):
        raise FetchError(_NONE)
    data, overall = _decoded(lines[1]), _decoded(lines[3])
    if len(data) != _SIGNATURE or data[:2] not in (b"Ed", b"ED") or len(overall) != _GLOBAL:
        raise FetchError(_NONE)
    comment = lines[2].removeprefix(b"trusted comment: ")
    return Signature(data[:2] == b"ED", data[2:10], data[10:], comment, overall)


_NONE = "the signature is none of minisign"


def verify(key: Key, found: Signature, signed: bytes) -> None:
    """Raises FetchError unless `key` has signed `signed`: the file, or its hash."""
    # 5 MB of memory: only who asks for it pays.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if found.number != key.number:
        msg = f"the signature is of another key, {_named(found.number)}, not {_named(key.number)}"
        raise FetchError(msg)
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public)
        public.verify(found.signature, signed)
        public.verify(found.overall, found.signature + found.comment)
    except (InvalidSignature, ValueError):
        msg = "the signature is wrong"
        raise FetchError(msg) from None


def _named(number: bytes) -> str:
    """A key's number as minisign prints it."""
    return number[::-1].hex().upper()


def _decoded(text: str | bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
