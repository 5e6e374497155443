"""`rabbitmq`, `amqp`: the broker begins the handshake of AMQP 0-9-1.

Protocol: AMQP 0-9-1, "General Protocol Specification" 2.3 (frames) and 4.2.2 (the header).
"""

from __future__ import annotations

import struct

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline

PORT, SECURE_PORT = 5672, 5671
MAX_FRAME = 128 * 1024  # RabbitMQ's own default for frames

_HEADER = b"AMQP\x00\x00\x09\x01"
_START = (10, 10)  # class connection, method start


def read(address: Address) -> check.Check:
    """Ready when the broker asks who is there (connection.start)."""
    secure = address.scheme == "amqps"
    address.know(*(check.TLS if secure else check.MAYBE))
    address.bare()
    trusted = check.trust(address, always=secure)
    port = address.port or (SECURE_PORT if trusted else PORT)

    def look(deadline: Deadline) -> None:
        with connection.to(address, port, deadline, trusted) as opened:
            opened.sendall(_HEADER)
            head = opened.exactly(7)
            if head.startswith(b"AMQP"):
                msg = "speaks another version of AMQP than 0-9-1"
                raise NotReadyError(msg)
            kind, channel, size = struct.unpack("!BHI", head)
            if (kind, channel) != (1, 0) or not 4 <= size <= MAX_FRAME:
                msg = "answers, and not as RabbitMQ does"
                raise NotReadyError(msg)
            if struct.unpack("!HH", opened.exactly(4)) != _START:
                msg = "answers, and not as RabbitMQ does"
                raise NotReadyError(msg)

    return look
