"""`postgres`: the server accepts connections, as pg_isready means it.

Protocol: PostgreSQL documentation, "Message Flow" and "Message Formats".
"""

from __future__ import annotations

import struct
from urllib.parse import unquote

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline

PORT = 5432
MAX_MESSAGE = 30_000  # libpq's own limit for what comes before the login

_VERSION, _SSL = 196608, 80877103  # protocol 3.0; SSLRequest
# SQLSTATE classes that mean "not now": insufficient resources (too many connections), operator
# intervention (starting up, recovering, shutting down). Any other error is about who asks.
_NOT_NOW = ("53", "57")


def read(address: Address) -> check.Check:
    """Ready when the server asks for a password, lets in, or refuses only who asks."""
    address.know("user", *check.MAYBE)
    if address.query or address.path.count("/") > 1:
        address.refuse("write the database as the path, and nothing behind it")
    database = unquote(address.path.strip("/"))
    if "\0" in database:
        address.refuse("no database has %00 in its name; leave it out")
    trusted = check.trust(address)
    startup = _startup(address.one("user", "postgres"), database)

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline) as opened:
            if trusted:
                opened.sendall(struct.pack("!II", 8, _SSL))
                if opened.exactly(1) != b"S":
                    msg = "the server speaks no TLS"
                    raise NotReadyError(msg)
                opened.secure(trusted)
            opened.sendall(startup)
            _judge(opened)

    return look


def _startup(user: str, database: str) -> bytes:
    pairs = ["user", user, "database", database or user, "application_name", "initject"]
    text = b"".join(word.encode() + b"\0" for word in pairs) + b"\0"
    return struct.pack("!II", 8 + len(text), _VERSION) + text


def _judge(opened: Connection) -> None:
    kind, length = struct.unpack("!cI", opened.exactly(5))
    if kind not in (b"R", b"E", b"v") or not 8 <= length <= MAX_MESSAGE:
        msg = "answers, and not as PostgreSQL does"
        raise NotReadyError(msg)
    if kind != b"E":
        return
    fields = {field[:1]: field[1:] for field in opened.exactly(length - 4).split(b"\0")}
    state = check.sentence(fields.get(b"C", b""))
    if state.startswith(_NOT_NOW) or not state:
        raise NotReadyError(check.sentence(fields.get(b"M", b"")) or "refuses without a reason")
