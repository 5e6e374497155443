"""A login to PostgreSQL, and one query: documentation, "Message Flow"."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct

from webhook.errors import NotReadyError
from webhook.runner.connection import Connection
from webhook.runner.login import Login
from webhook.runner.logins import scram
from webhook.runner.wire import postgres as wire

_FINE, _CLEAR, _MD5, _SASL, _GO_ON, _FINAL = 0, 3, 5, 10, 11, 12
_MECHANISM = b"SCRAM-SHA-256"


def enter(opened: Connection, login: Login, *, secure: bool) -> None:
    """Logs in after the startup message, and asks one thing; raises NotReadyError.

    The password itself is said under TLS alone.
    """
    session = _Session(opened, login)
    session.authenticate(secure=secure)
    session.until_ready()
    opened.sendall(wire.framed(b"Q", b"SELECT 1\0"))
    if not session.until_ready():
        msg = "the query gave no row"
        raise NotReadyError(msg)
    opened.sendall(wire.framed(b"X", b""))


class _Session:
    """The talk with one server."""

    def __init__(self, opened: Connection, login: Login) -> None:
        self._opened = opened
        self._login = login

    def authenticate(self, *, secure: bool) -> None:
        code, rest = self._asked()
        if code == _SASL and _MECHANISM in rest.split(b"\0"):
            self._scram()
        elif code == _MD5 and len(rest) == 4:
            self._answer(self._md5(rest) + b"\0")
        elif code == _CLEAR and secure:
            self._answer(self._login.password().encode() + b"\0")
        elif code == _CLEAR:
            msg = "the server asks for the password itself, which needs TLS; add tls=true"
            raise NotReadyError(msg)
        elif code != _FINE:
            msg = "the server asks for a login of a kind that is not known here"
            raise NotReadyError(msg)
        else:
            return
        self._expect(_FINE)

    def until_ready(self) -> bool:
        """Reads until the server waits for a query; returns whether a row came."""
        row = False
        while True:
            kind, _ = self._message()
            row = row or kind == b"D"
            if kind == b"Z":
                return row

    def _scram(self) -> None:
        nonce = secrets.token_urlsafe(18)
        first = scram.first(nonce)
        self._answer(_MECHANISM + b"\0" + struct.pack("!I", len(first)) + first)
        try:
            proof = scram.proof(self._login.password(), nonce, self._expect(_GO_ON))
        except ValueError:
            raise NotReadyError(wire.OTHER) from None
        self._answer(proof.message)
        if not hmac.compare_digest(proof.expected, self._expect(_FINAL)):
            msg = "the server does not know the password itself: it may be another than it says"
            raise NotReadyError(msg)

    def _md5(self, salt: bytes) -> bytes:
        inner = (self._login.password() + self._login.user).encode()
        hashed = hashlib.md5(inner, usedforsecurity=False).hexdigest().encode()
        return b"md5" + hashlib.md5(hashed + salt, usedforsecurity=False).hexdigest().encode()

    def _answer(self, body: bytes) -> None:
        self._opened.sendall(wire.framed(b"p", body))

    def _asked(self) -> tuple[int, bytes]:
        kind, body = self._message()
        while kind == b"v":  # an older server than asked for
            kind, body = self._message()
        if kind != b"R" or len(body) < 4:
            raise NotReadyError(wire.OTHER)
        return int.from_bytes(body[:4], "big"), body[4:]

    def _expect(self, wanted: int) -> bytes:
        code, rest = self._asked()
        if code != wanted:
            raise NotReadyError(wire.OTHER)
        return rest

    def _message(self) -> tuple[bytes, bytes]:
        kind, body = wire.message(self._opened)
        if kind == b"E":
            said = self._login.sentence(wire.fields(body).get(b"M", b""))
            raise NotReadyError(said or "refuses without a reason")
        return kind, body
