"""`mysql`: MySQL or MariaDB accepts connections.

The handshake is gone through to its end, as a user without a password: a server counts those that
are broken off, and blocks the host after a hundred (`max_connect_errors`).
Protocol: MySQL Internals, "Connection Phase".
"""

from __future__ import annotations

import struct

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline

PORT = 3306
MAX_PACKET = 16 * 1024  # a guess: none before the login has more than a few hundred bytes
USER = b"initject"

_TLS = 0x800
# long password, protocol 4.1, secure connection, authentication plugins
_CAPABILITIES = 0x1 | 0x200 | 0x8000 | 0x80000
_LARGEST, _CHARSET = 1 << 24, 45  # of packets; utf8mb4
_OK, _MORE, _OTHER, _ERROR = 0x00, 0x01, 0xFE, 0xFF  # first byte of an answer
_QUIT = b"\x01"
# Errors that mean "not now" or "not from here": too many connections, shutting down, host blocked,
# host not allowed. Any other is about the user, whom nobody has created.
_REFUSALS = {1040, 1053, 1129, 1130, 1203}


def read(address: Address) -> check.Check:
    """Ready when the server asks for a password, lets in, or refuses only the user."""
    address.know(*check.MAYBE)
    address.bare()
    trusted = check.trust(address)

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline) as opened:
            sequence, greeting = _packet(opened)
            plugin = _greeted(greeting)
            if trusted:
                opened.sendall(_framed(sequence + 1, _login(_TLS)))
                opened.secure(trusted)
                sequence += 1
            answer = _login(_TLS if trusted else 0) + USER + b"\0\0" + plugin + b"\0"
            opened.sendall(_framed(sequence + 1, answer))
            _judge(opened)

    return look


def _login(more: int) -> bytes:
    return struct.pack("<IIB23x", _CAPABILITIES | more, _LARGEST, _CHARSET)


def _framed(sequence: int, data: bytes) -> bytes:
    return len(data).to_bytes(3, "little") + bytes([sequence & 0xFF]) + data


def _packet(opened: Connection) -> tuple[int, bytes]:
    head = opened.exactly(4)
    length = int.from_bytes(head[:3], "little")
    if not 1 <= length <= MAX_PACKET:
        msg = "answers, and not as MySQL does"
        raise NotReadyError(msg)
    return head[3], opened.exactly(length)


def _greeted(packet: bytes) -> bytes:
    """The plugin by which the server would authenticate, from its greeting."""
    if packet[0] == _ERROR:
        raise NotReadyError(_message(packet)[1])
    version, _, rest = packet[1:].partition(b"\0")
    if packet[0] != 10 or not version or len(rest) < 13:
        msg = "answers, and not as MySQL does"
        raise NotReadyError(msg)
    # thread 4, salt 8, filler 1, capabilities 2, charset 1, status 2, capabilities 2, salt length
    # 1, reserved 10, salt at least 13: then the name.
    salt = max(13, rest[20] - 8) if len(rest) > 20 else 13
    return rest[31 + salt :].partition(b"\0")[0] or b"mysql_native_password"


def _message(packet: bytes) -> tuple[int, str]:
    code = int.from_bytes(packet[1:3], "little")
    text = packet[3:]
    return code, check.sentence(text[6:] if text[:1] == b"#" else text) or f"error {code}"


def _judge(opened: Connection) -> None:
    sequence, answer = _packet(opened)
    if answer[0] == _OTHER:  # another plugin: again without a password
        opened.sendall(_framed(sequence + 1, b""))
        _, answer = _packet(opened)
    if answer[0] == _ERROR:
        code, text = _message(answer)
        if code in _REFUSALS:
            raise NotReadyError(text)
    elif answer[0] == _OK:  # let in: the server counts who leaves without a word, too
        opened.sendall(_framed(0, _QUIT))
    elif answer[0] not in (_MORE, _OTHER):
        msg = "answers, and not as MySQL does"
        raise NotReadyError(msg)
