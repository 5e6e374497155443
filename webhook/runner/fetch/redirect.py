"""Where a request may go: which redirects are followed, and which addresses nobody may reach.

A node's metadata service gives the node's own credentials to whoever asks from it. A server that
redirects, or a name that changes its address, must not be able to make a pod ask there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urljoin

from webhook.errors import FetchError, UsageError
from webhook.runner import address, reach
from webhook.runner.address import Address
from webhook.runner.names import Found

Redirects = Literal["same-host", "any", "none"]
_NAMES = ("metadata.google.internal", "metadata.goog")
_PORTS = {"http": 80, "https": 443}


def port(place: Address) -> int:
    """The port that is asked."""
    return place.port or _PORTS[place.scheme]


def same(one: Address, other: Address) -> bool:
    """Whether both are one host: its name and port, or the same name from http to https."""
    if one.host.lower() != other.host.lower():
        return False
    upgraded = (one.scheme, other.scheme) == ("http", "https")
    usual = not one.port and not other.port
    return (upgraded and usual) or (one.scheme, port(one)) == (other.scheme, port(other))


def following(place: Address, location: str, redirects: Redirects) -> Address:
    """Where a redirect leads; raises FetchError where it is not followed."""
    try:
        to = address.parse(urljoin(whole(place), location).partition("#")[0])
    except (UsageError, ValueError):
        msg = "redirects to what is no address"
        raise FetchError(msg) from None
    if to.scheme not in _PORTS:
        msg = f"redirects to {to}, which is not http or https"
        raise FetchError(msg)
    if (place.scheme, to.scheme) == ("https", "http"):
        msg = f"redirects from https to {to}, without encryption, which is never followed"
        raise FetchError(msg)
    if redirects == "none" or (redirects == "same-host" and not same(place, to)):
        msg = f"redirects to {to}, which is not followed with redirects={redirects}"
        raise FetchError(msg)
    return to


def whole(place: Address) -> str:
    """The URL with its query, to ask for; not to be shown."""
    return f"{place}?{place.query}" if place.query else str(place)


def check_name(place: Address) -> None:
    """Raises FetchError for a name that means a metadata service, whatever its address."""
    if place.host.lower().rstrip(".") in _NAMES:
        msg = f"{place.host} is a metadata service, which is never asked"
        raise FetchError(msg)


def check(place: Address, first: Address, found: Sequence[Found]) -> None:
    """Raises FetchError where an address of `place` must not be asked.

    Link-local and metadata addresses never are. Those of this pod are not by a redirect from
    elsewhere.
    """
    elsewhere = place.host.lower() != first.host.lower() and not _is_own(first.host)
    for _, (ip, *_) in found:
        if elsewhere and _is_own(ip):
            msg = f"redirects to {place.host} at {ip}, in this pod, which is not followed"
            raise FetchError(msg)
        if reach.is_shut(ip):
            msg = f"{place.host} is at {ip}, link-local or a cloud's own, which is never asked"
            raise FetchError(msg)


def _is_own(host: str) -> bool:
    try:
        ip = reach.inner(host)
    except ValueError:
        return host.lower() == "localhost"
    return ip.is_loopback or ip.is_unspecified
