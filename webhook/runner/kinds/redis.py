"""`redis`: the server answers a PING, or asks for a password. Valkey and others do the same."""

from __future__ import annotations

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline

PORT = 6379
MAX_LINE = 1024  # a guess: an error of Redis is one sentence

_PING = b"*1\r\n$4\r\nPING\r\n"
# A loading server says -LOADING, one that lets nobody in from here -DENIED, a full one -ERR.
_READY = (b"+PONG", b"-NOAUTH", b"-NOPERM")


def read(address: Address) -> check.Check:
    """Ready on +PONG, and when only a password or a right is missing."""
    secure = address.scheme == "rediss"
    address.know(*(check.TLS if secure else check.MAYBE))
    address.bare()
    trusted = check.trust(address, always=secure)

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline, trusted) as opened:
            opened.sendall(_PING)
            line = opened.line(MAX_LINE)
        if line.startswith(_READY):
            return
        said = check.sentence(line[1:]) if line.startswith(b"-") else ""
        raise NotReadyError(said or "answers, and not as Redis does")

    return look
