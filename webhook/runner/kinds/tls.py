"""`tls`: something accepts connections and shows a certificate that is trusted."""

from __future__ import annotations

from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline

PORT = 443


def read(address: Address) -> check.Check:
    """Ready when the handshake is done, with a certificate that is trusted and has the name."""
    address.know(*check.TLS)
    address.bare()
    trusted = check.trust(address, always=True)

    def look(deadline: Deadline) -> None:
        connection.to(address, PORT, deadline, trusted).close()

    return look
