"""`mysql`: MySQL or MariaDB accepts connections, or lets a user in.

The handshake is gone through to its end, as a user without a password: a server counts those that
are broken off, and blocks the host after a hundred (`max_connect_errors`).
Protocol: MySQL Internals, "Connection Phase".
"""

from __future__ import annotations

from urllib.parse import unquote

from webhook.errors import NotReadyError
from webhook.runner import check, connection, login
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline
from webhook.runner.wire import mysql as wire

PORT = 3306
USER = b"initject"

# Errors that mean "not now" or "not from here": too many connections, shutting down, host blocked,
# host not allowed. Any other is about the user, whom nobody has created.
_REFUSALS = {1040, 1053, 1129, 1130, 1203}


def read(address: Address) -> check.Check:
    """Ready when the server asks for a password, lets in, or refuses only the user.

    With a login: when that user is let in and can query.
    """
    address.know(*login.OPTIONS, *check.MAYBE)
    who = login.read(address)
    database = _database(address, who)
    trusted = check.trust(address)

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline) as opened:
            number, greeting = _greeted(opened)
            if trusted:
                opened.sendall(wire.framed(number + 1, wire.login(wire.TLS)))
                opened.secure(trusted)
                number += 1
            if who:
                from webhook.runner.logins import mysql

                secure = trusted is not None
                mysql.enter(opened, greeting, who, database, number=number + 1, secure=secure)
                return
            answer = wire.login(wire.TLS if trusted else 0)
            answer += USER + b"\0\0" + greeting.plugin + b"\0"
            opened.sendall(wire.framed(number + 1, answer))
            _judge(opened)

    return look


def _database(address: Address, who: login.Login | None) -> bytes:
    if not who:
        address.bare()
        if address.every("user"):
            address.refuse("option 'user' is for a login; add login=NAME or password-file=FILE")
    if address.query or address.path.count("/") > 1:
        address.refuse("write the database as the path, and nothing behind it")
    database = unquote(address.path.strip("/"))
    if "\0" in database:
        address.refuse("no database has %00 in its name; leave it out")
    return database.encode()


def _greeted(opened: Connection) -> tuple[int, wire.Greeting]:
    number, body = wire.packet(opened)
    if body[0] == wire.ERROR:
        raise NotReadyError(_message(body)[1])
    return number, wire.greeting(body)


def _message(body: bytes) -> tuple[int, str]:
    code, text = wire.error(body)
    return code, check.sentence(text) or f"error {code}"


def _judge(opened: Connection) -> None:
    sequence, answer = wire.packet(opened)
    if answer[0] == wire.SWITCH:  # another plugin: again without a password
        opened.sendall(wire.framed(sequence + 1, b""))
        _, answer = wire.packet(opened)
    if answer[0] == wire.ERROR:
        code, text = _message(answer)
        if code in _REFUSALS:
            raise NotReadyError(text)
    elif answer[0] == wire.OK:  # let in: the server counts who leaves without a word, too
        opened.sendall(wire.framed(0, wire.QUIT))
    elif answer[0] not in (wire.MORE, wire.SWITCH):
        raise NotReadyError(wire.OTHER)
