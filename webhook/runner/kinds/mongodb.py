"""`mongodb`: the server is a primary, a secondary, a standalone or a router, before any login.

Protocol: MongoDB specifications, "OP_MSG" and "Server Discovery and Monitoring" (hello); BSON 1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline

PORT = 27017
MAX_ANSWER = 64 * 1024  # a guess: hello of a large replica set has a few KiB

_MESSAGE = 2013  # OP_MSG
_UNKNOWN = 59  # error code CommandNotFound: servers before 4.4.2 have no `hello`
# How long a value of a BSON type is; None: an int32 says, and these are bytes beside it.
_FIXED = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
}
_COUNTED = {0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5, 0x0D: 4}
_SERVES = ("isWritablePrimary", "ismaster", "secondary")


def read(address: Address) -> check.Check:
    """Ready when the server can be read from: not while a replica starts up or recovers."""
    address.know(*check.MAYBE)
    address.bare()
    trusted = check.trust(address)

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline, trusted) as opened:
            answer = _ask(opened, b"hello")
            if answer.get("code") == _UNKNOWN:
                answer = _ask(opened, b"isMaster")
        if answer.get("ok") != 1:
            msg = f"refuses: error {answer.get('code', 0):g}"
            raise NotReadyError(msg)
        if not any(answer.get(name) for name in _SERVES):
            msg = "is neither primary nor secondary yet"
            raise NotReadyError(msg)

    return look


def _ask(opened: Connection, command: bytes) -> Mapping[str, float]:
    fields = b"\x10" + command + b"\0" + struct.pack("<i", 1)
    fields += b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"
    document = struct.pack("<i", len(fields) + 5) + fields + b"\0"
    body = struct.pack("<IB", 0, 0) + document
    opened.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, _MESSAGE) + body)
    length, _, _, operation = struct.unpack("<iiii", opened.exactly(16))
    if operation != _MESSAGE or not 26 <= length <= MAX_ANSWER:
        msg = "answers, and not as MongoDB does"
        raise NotReadyError(msg)
    try:
        return numbers(opened.exactly(length - 16)[5:])
    except (struct.error, ValueError, IndexError):
        msg = "answers, and not as MongoDB does"
        raise NotReadyError(msg) from None


def numbers(document: bytes) -> Mapping[str, float]:
    """The numbers and booleans at the top of a BSON document.

    Raises ValueError, IndexError or struct.error for what is none.
    """
    found: dict[str, float] = {}
    place = 4
    while document[place]:
        kind = document[place]
        end = document.index(0, place + 1)
        name = document[place + 1 : end].decode("utf-8", "replace")
        place = end + 1
        size = _size(kind, document, place)
        value = document[place : place + size]
        place += size
        if kind in _NUMBERS:
            (found[name],) = struct.unpack(_NUMBERS[kind], value)
    return found


_NUMBERS = {0x01: "<d", 0x08: "<?", 0x10: "<i", 0x12: "<q"}


def _size(kind: int, document: bytes, place: int) -> int:
    if kind in _FIXED:
        return _FIXED[kind]
    if kind not in _COUNTED:
        msg = f"no type {kind}"
        raise ValueError(msg)
    (counted,) = struct.unpack_from("<i", document, place)
    if counted < 0:
        msg = "a length below nothing"
        raise ValueError(msg)
    return int(counted) + _COUNTED[kind]
