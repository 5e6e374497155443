"""`postgres`: the server accepts connections, as pg_isready means it, or lets a user in.

Protocol: PostgreSQL documentation, "Message Flow" and "Message Formats".
"""

from __future__ import annotations

import struct
from urllib.parse import unquote

from webhook.errors import NotReadyError
from webhook.runner import check, connection, login
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline
from webhook.runner.wire import postgres as wire

PORT = 5432

_VERSION, _SSL = 196608, 80877103  # protocol 3.0; SSLRequest
# SQLSTATE classes that mean "not now": insufficient resources (too many connections), operator
# intervention (starting up, recovering, shutting down). Any other error is about who asks.
_NOT_NOW = ("53", "57")


def read(address: Address) -> check.Check:
    """Ready when the server asks for a password, lets in, or refuses only who asks.

    With a login: when that user is let in and can query.
    """
    address.know(*login.OPTIONS, *check.MAYBE)
    if address.query or address.path.count("/") > 1:
        address.refuse("write the database as the path, and nothing behind it")
    database = unquote(address.path.strip("/"))
    if "\0" in database:
        address.refuse("no database has %00 in its name; leave it out")
    trusted = check.trust(address)
    who = login.read(address)
    startup = _startup(who.user if who else address.one("user", "postgres"), database)

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline) as opened:
            if trusted:
                opened.sendall(struct.pack("!II", 8, _SSL))
                if opened.exactly(1) != b"S":
                    msg = "the server speaks no TLS"
                    raise NotReadyError(msg)
                opened.secure(trusted)
            opened.sendall(startup)
            if who:
                from webhook.runner.logins import postgres

                postgres.enter(opened, who, secure=trusted is not None)
            else:
                _judge(opened)

    return look


def _startup(user: str, database: str) -> bytes:
    pairs = ["user", user, "database", database or user, "application_name", "initject"]
    text = b"".join(word.encode() + b"\0" for word in pairs) + b"\0"
    return struct.pack("!II", 8 + len(text), _VERSION) + text


def _judge(opened: Connection) -> None:
    kind, length = struct.unpack("!cI", opened.exactly(5))
    if kind not in (b"R", b"E", b"v") or not 8 <= length <= wire.MAX_MESSAGE:
        raise NotReadyError(wire.OTHER)
    if kind != b"E":
        return
    fields = wire.fields(opened.exactly(length - 4))
    state = check.sentence(fields.get(b"C", b""))
    if state.startswith(_NOT_NOW) or not state:
        raise NotReadyError(check.sentence(fields.get(b"M", b"")) or "refuses without a reason")
