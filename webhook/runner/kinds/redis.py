"""`redis`: the server answers a PING, or asks for a password. Valkey and others do the same."""

from __future__ import annotations

from typing import NoReturn

from webhook.errors import NotReadyError
from webhook.runner import check, connection, login
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline

PORT = 6379
MAX_LINE = 1024  # a guess: an error of Redis is one sentence

# A loading server says -LOADING, one that lets nobody in from here -DENIED, a full one -ERR.
_READY = (b"+PONG", b"-NOAUTH", b"-NOPERM")
_ENTERED = (b"+PONG", b"-NOPERM")  # a user that may do other things than PING


def read(address: Address) -> check.Check:
    """Ready on +PONG, and when only a password or a right is missing.

    With a login: on +PONG after it. The password goes as it stands, as every client sends it.
    """
    secure = address.scheme == "rediss"
    address.know(*login.OPTIONS, *(check.TLS if secure else check.MAYBE))
    address.bare()
    trusted = check.trust(address, always=secure)
    who = login.read(address, anonymous=True)
    if not who and address.every("user"):
        address.refuse("option 'user' is for a login; add login=NAME or password-file=FILE")

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline, trusted) as opened:
            if who:
                _enter(opened, who)
            opened.sendall(_call(b"PING"))
            line = opened.line(MAX_LINE)
        if not line.startswith(_ENTERED if who else _READY):
            _refused(line, who)

    return look


def _enter(opened: Connection, who: login.Login) -> None:
    user = [who.user.encode()] if who.user else []
    opened.sendall(_call(b"AUTH", *user, who.password().encode()))
    line = opened.line(MAX_LINE)
    if line != b"+OK":
        _refused(line, who)


def _call(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def _refused(line: bytes, who: login.Login | None) -> NoReturn:
    said = (who.sentence if who else check.sentence)(line[1:]) if line.startswith(b"-") else ""
    raise NotReadyError(said or "answers, and not as Redis does")
