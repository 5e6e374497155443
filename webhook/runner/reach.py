"""Where a target from a list may not lead: to what only the machine or the cloud answers.

Nor may what is fetched. An application team's word must not become a way to a node's own services.
So all link-local addresses are closed, and those of other networks at which clouds hand out
credentials. Loopback is the pod's own, and open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from webhook.errors import NotReadyError
from webhook.runner.address import Address

if TYPE_CHECKING:
    import ipaddress

    from webhook.runner.names import Found

# Metadata services beyond 169.254.0.0/16, from the documentation of each cloud: Alibaba's, Azure's
# wire server, Oracle's older one; and over IPv6 AWS's and Google's.
_METADATA = ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
_NAT64 = "64:ff9b::/96"  # RFC 6052: an IPv4 address within an IPv6 one


def check_host(address: Address) -> None:
    """Raises UsageError where the host is an address that is closed."""
    try:
        shut = is_shut(address.host)
    except ValueError:  # a name; what it leads to is seen when it is looked up
        return
    if shut:
        address.refuse("is link-local or a cloud's own address, where --targets cannot lead")


def opened(found: Sequence[Found]) -> Sequence[Found]:
    """The addresses that are not closed, at least one; raises NotReadyError."""
    left = [(family, place) for family, place in found if not is_shut(place[0])]
    if not left:
        place = found[0][1][0]
        msg = f"the address {place} is link-local or a cloud's own, where --targets cannot lead"
        raise NotReadyError(msg)
    return left


def is_shut(host: str) -> bool:
    """Whether an address is closed; raises ValueError for what is none."""
    address = inner(host)
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or str(address).partition("%")[0] in _METADATA
    )


def inner(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address, or the IPv4 one for which an IPv6 one stands; raises ValueError for a name."""
    import ipaddress  # 8 ms, for lists and fetching alone

    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in ipaddress.ip_network(_NAT64):
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address
