"""A login to MySQL or MariaDB, and one query: MySQL Internals, "Authentication Method"."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from webhook.errors import NotReadyError
from webhook.runner.connection import Connection
from webhook.runner.login import Login
from webhook.runner.wire import mysql as wire

_NATIVE, _CACHING, _CLEAR = (
    b"mysql_native_password",
    b"caching_sha2_password",
    b"mysql_clear_password",
)
_KNOWN, _WHOLE, _KEY = b"\x01\x03", b"\x01\x04", b"\x02"


def native(password: bytes, salt: bytes) -> bytes:
    """The answer of mysql_native_password to a challenge."""
    once = hashlib.sha1(password, usedforsecurity=False).digest()
    twice = hashlib.sha1(once, usedforsecurity=False).digest()
    return _xor(once, hashlib.sha1(salt + twice, usedforsecurity=False).digest())


def caching(password: bytes, salt: bytes) -> bytes:
    """The first answer of caching_sha2_password to a challenge."""
    once = hashlib.sha256(password).digest()
    twice = hashlib.sha256(once).digest()
    return _xor(once, hashlib.sha256(twice + salt).digest())


_ANSWERS: Mapping[bytes, Callable[[bytes, bytes], bytes]] = {_NATIVE: native, _CACHING: caching}


def enter(
    opened: Connection,
    greeting: wire.Greeting,
    login: Login,
    database: bytes,
    *,
    number: int,
    secure: bool,
) -> None:
    """Logs in after the greeting, and asks one thing; raises NotReadyError.

    `number` is that of the next packet; `secure` is whether it goes under TLS.
    """
    session = _Session(opened, login, secure=secure)
    session.authenticate(greeting, database, number)
    session.ask()


class _Session:
    """The talk with one server."""

    def __init__(self, opened: Connection, login: Login, *, secure: bool) -> None:
        self._opened = opened
        self._login = login
        self._secure = secure

    def authenticate(self, greeting: wire.Greeting, database: bytes, number: int) -> None:
        plugin = greeting.plugin if greeting.plugin in _ANSWERS else _NATIVE
        answer = self._answer(plugin, greeting.salt)
        more = (wire.TLS if self._secure else 0) | (wire.DATABASE if database else 0)
        body = wire.login(more) + self._login.user.encode() + b"\0" + bytes([len(answer)]) + answer
        body += (database + b"\0" if database else b"") + plugin + b"\0"
        self._opened.sendall(wire.framed(number, body))
        number, said = self._packet()
        salt = greeting.salt
        if said[0] == wire.SWITCH:
            plugin, _, rest = said[1:].partition(b"\0")
            salt = rest.removesuffix(b"\0")
            self._opened.sendall(wire.framed(number + 1, self._answer(plugin, salt)))
            number, said = self._packet()
        if said == _WHOLE:
            self._whole(number + 1, salt)
            number, said = self._packet()
        elif said == _KNOWN:
            number, said = self._packet()
        if said[0] != wire.OK:
            raise NotReadyError(wire.OTHER)

    def ask(self) -> None:
        self._opened.sendall(wire.framed(0, wire.QUERY + b"SELECT 1"))
        # One column: the count, its definition, an end, the row.
        bodies = [self._packet()[1] for _ in range(4)]
        if bodies[0] != b"\x01" or bodies[3] != b"\x011":
            raise NotReadyError(wire.OTHER)
        self._packet()
        self._opened.sendall(wire.framed(0, wire.QUIT))

    def _answer(self, plugin: bytes, salt: bytes) -> bytes:
        password = self._login.password().encode()
        if plugin in _ANSWERS:
            return _ANSWERS[plugin](password, salt) if password else b""
        if plugin == _CLEAR and self._secure:
            return password + b"\0"
        name = self._login.sentence(plugin) or "one without a name"
        tls = "; add tls=true" if plugin == _CLEAR else ""
        msg = f"the server asks for the login {name}, which is not possible here{tls}"
        raise NotReadyError(msg)

    def _whole(self, number: int, salt: bytes) -> None:
        """The password itself, under TLS or encrypted for the server's key."""
        password = self._login.password().encode() + b"\0"
        if not self._secure:
            self._opened.sendall(wire.framed(number, _KEY))
            number, said = self._packet()
            number += 1
            password = encrypted(password, salt, said[1:])
        self._opened.sendall(wire.framed(number, password))

    def _packet(self) -> tuple[int, bytes]:
        number, body = wire.packet(self._opened)
        if body[0] == wire.ERROR:
            code, text = wire.error(body)
            raise NotReadyError(self._login.sentence(text) or f"error {code}")
        return number, body


def encrypted(password: bytes, salt: bytes, key: bytes) -> bytes:
    """A password for the owner of an RSA key in PEM; raises NotReadyError for what is none."""
    # 10 MB of memory, for servers without TLS that have not seen the user since they started.
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    times = len(password) // len(salt) + 1 if salt else 0
    try:
        public = serialization.load_pem_public_key(key)
    except ValueError:
        raise NotReadyError(wire.OTHER) from None
    if not isinstance(public, rsa.RSAPublicKey) or not times:
        raise NotReadyError(wire.OTHER)
    sha1 = hashes.SHA1()  # noqa: S303 the protocol's
    masked = _xor(password, (salt * times)[: len(password)])
    return public.encrypt(masked, padding.OAEP(padding.MGF1(sha1), sha1, None))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
