"""SCRAM-SHA-256 of a client without channel binding: RFC 5802 and RFC 7677."""

from __future__ import annotations

import base64
import hashlib
import hmac
import stringprep
import unicodedata
from dataclasses import dataclass

MAX_ROUNDS = (
    1_000_000  # a guess: half a second's work; servers ask for 4,096, the careful for 600,000
)

_HEADER = "n,,"  # no channel binding, no other identity
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the client says last, and what the server must say then to be the one that knows."""

    message: bytes
    expected: bytes


def first(nonce: str, user: str = "") -> bytes:
    """The client's first message; PostgreSQL takes the user from elsewhere."""
    return f"{_HEADER}{_bare(nonce, user)}".encode()


def proof(password: str, nonce: str, said: bytes, user: str = "") -> Proof:
    """The answer to the server's first message; raises ValueError for one that is none."""
    server = said.decode()
    named = dict(part.split("=", 1) for part in server.split(","))
    salt, rounds = base64.b64decode(named.get("s", ""), validate=True), int(named.get("i", "0"))
    whole = named.get("r", "")
    if not (salt and 0 < rounds <= MAX_ROUNDS and whole.startswith(nonce) and whole != nonce):
        msg = "no answer of SCRAM"
        raise ValueError(msg)
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, rounds)
    last = f"c={base64.b64encode(_HEADER.encode()).decode()},r={whole}"
    signed = f"{_bare(nonce, user)},{server},{last}".encode()
    key = _hmac(salted, b"Client Key")
    shown = _xor(key, _hmac(hashlib.sha256(key).digest(), signed))
    expected = _hmac(_hmac(salted, b"Server Key"), signed)
    return Proof(
        f"{last},p={base64.b64encode(shown).decode()}".encode(), b"v=" + base64.b64encode(expected)
    )


def prepared(password: str) -> str:
    """A password as SASLprep (RFC 4013) has it; as it stands where that refuses it.

    PostgreSQL documentation, "SASL Authentication": a password that is no valid text is used raw.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter
        for letter in password
        if not stringprep.in_table_b1(letter)
    )
    text = unicodedata.normalize("NFKC", mapped)
    return text if text and _allowed(text) else password


def _allowed(text: str) -> bool:
    if any(table(letter) for letter in text for table in _PROHIBITED):
        return False
    if any(stringprep.in_table_a1(letter) for letter in text):
        return False
    if not any(stringprep.in_table_d1(letter) for letter in text):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(stringprep.in_table_d2(letter) for letter in text)


def _bare(nonce: str, user: str) -> str:
    return f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
