"""Messages of PostgreSQL: documentation, "Message Formats"."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from webhook.errors import NotReadyError
from webhook.runner.connection import Connection

MAX_MESSAGE = 30_000  # libpq's own limit for what comes before the login
OTHER = "answers, and not as PostgreSQL does"


def message(opened: Connection) -> tuple[bytes, bytes]:
    """The type and the body of what comes next; raises NotReadyError."""
    kind, length = struct.unpack("!cI", opened.exactly(5))
    if not 4 <= length <= MAX_MESSAGE:
        raise NotReadyError(OTHER)
    return kind, opened.exactly(length - 4)


def framed(kind: bytes, body: bytes) -> bytes:
    """A message to send."""
    return kind + struct.pack("!I", 4 + len(body)) + body


def fields(body: bytes) -> Mapping[bytes, bytes]:
    """What an error says: `C` is its SQLSTATE, `M` its text."""
    return {field[:1]: field[1:] for field in body.split(b"\0")}
