"""Packets of MySQL: MySQL Internals, "Client/Server Protocol"."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from webhook.errors import NotReadyError
from webhook.runner.connection import Connection

MAX_PACKET = 16 * 1024  # a guess: none before the login has more than a few hundred bytes
OTHER = "answers, and not as MySQL does"

OK, MORE, SWITCH, ERROR = 0x00, 0x01, 0xFE, 0xFF  # first byte of an answer
QUIT, QUERY = b"\x01", b"\x03"
TLS, DATABASE = 0x800, 0x8

# long password, protocol 4.1, secure connection, authentication plugins
_CAPABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000
_LARGEST, _CHARSET = 1 << 24, 45  # of packets; utf8mb4
_SALT = 20  # bytes of every plugin's challenge


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says first: the plugin by which it would authenticate, and its challenge."""

    plugin: bytes
    salt: bytes


def packet(opened: Connection) -> tuple[int, bytes]:
    """The number and the body, of at least one byte, of what comes next; raises NotReadyError."""
    head = opened.exactly(4)
    length = int.from_bytes(head[:3], "little")
    if not 1 <= length <= MAX_PACKET:
        raise NotReadyError(OTHER)
    return head[3], opened.exactly(length)


def framed(sequence: int, data: bytes) -> bytes:
    """A packet to send."""
    return len(data).to_bytes(3, "little") + bytes([sequence & 0xFF]) + data


def login(more: int) -> bytes:
    """How a login begins, and all of the request for TLS; `more` are further capabilities."""
    return struct.pack("<IIB23x", _CAPABILITIES | more, _LARGEST, _CHARSET)


def greeting(body: bytes) -> Greeting:
    """Of a greeting that is no error; raises NotReadyError."""
    version, _, rest = body[1:].partition(b"\0")
    if body[0] != 10 or not version or len(rest) < 13:
        raise NotReadyError(OTHER)
    # thread 4, salt 8, filler 1, capabilities 2, charset 1, status 2, capabilities 2, salt length
    # 1, reserved 10, salt at least 13: then the name.
    more = max(13, rest[20] - 8) if len(rest) > 20 else 13
    plugin = rest[31 + more :].partition(b"\0")[0] or b"mysql_native_password"
    return Greeting(plugin, (rest[4:12] + rest[31 : 31 + more])[:_SALT])


def error(body: bytes) -> tuple[int, bytes]:
    """The code and the text of an error."""
    code, text = int.from_bytes(body[1:3], "little"), body[3:]
    return code, text[6:] if text[:1] == b"#" else text
