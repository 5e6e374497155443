"""`tcp`: something accepts connections."""

from __future__ import annotations

from webhook.runner import connection
from webhook.runner.address import Address
from webhook.runner.check import Check
from webhook.runner.deadline import Deadline


def read(address: Address) -> Check:
    """Ready when a connection is accepted."""
    address.know()
    address.bare()
    port = address.port
    if port is None:
        address.refuse("has no port; write one")

    def check(deadline: Deadline) -> None:
        connection.to(address, port, deadline).close()

    return check
