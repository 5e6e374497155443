"""`kafka`: a broker says which versions it speaks, which it does before any login.

Protocol: Apache Kafka protocol guide, ApiVersions version 0.
"""

from __future__ import annotations

import struct

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline

PORT = 9092
MAX_ANSWER = 64 * 1024  # a guess: some 100 calls of 6 bytes each

_CALL, _CORRELATION, _CLIENT = 18, 0x696E6974, b"initject"
_FINE = (0, 35)  # no error; no such version, with the versions that there are


def read(address: Address) -> check.Check:
    """Ready when the broker answers ApiVersions."""
    address.know(*check.MAYBE)
    address.bare()
    trusted = check.trust(address)
    body = struct.pack("!hhih", _CALL, 0, _CORRELATION, len(_CLIENT)) + _CLIENT
    request = struct.pack("!i", len(body)) + body

    def look(deadline: Deadline) -> None:
        with connection.to(address, PORT, deadline, trusted) as opened:
            opened.sendall(request)
            size, correlation = struct.unpack("!ii", opened.exactly(8))
            if not 6 <= size <= MAX_ANSWER or correlation != _CORRELATION:
                msg = "answers, and not as Kafka does"
                raise NotReadyError(msg)
            error = int.from_bytes(opened.exactly(2), "big", signed=True)
            if error not in _FINE:
                msg = f"answers with error {error}"
                raise NotReadyError(msg)

    return look
