"""`dns`: a name has an address, for the resolver that the application will ask."""

from __future__ import annotations

from webhook.runner import names
from webhook.runner.address import Address
from webhook.runner.check import Check
from webhook.runner.deadline import Deadline


def read(address: Address) -> Check:
    """Ready when the name has at least one address."""
    address.know()
    address.bare()
    if address.port is not None:
        address.refuse("a target of dns has no port; leave it out")

    def check(deadline: Deadline) -> None:
        names.look_up(address.host, 0, deadline)

    return check
