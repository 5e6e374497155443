"""IP addresses and CIDRs: Go's net/netip as Kubernetes narrows it."""

from __future__ import annotations

import ipaddress
from typing import Any

from webhook.expression.library.row import Opaque, RefusedError, can, row


def _ip(text: str) -> Opaque:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or "%" in text or getattr(address, "ipv4_mapped", None) is not None:
        what = "a text is no IP address"
        raise RefusedError(what)
    return {"ip": str(address)}


def _cidr(text: str) -> Opaque:
    try:
        network = ipaddress.ip_interface(text)
    except ValueError:
        network = None
    address, slash, length = text.partition("/")
    plain = length.isdecimal() and length == str(int(length)) and "%" not in address
    if network is None or not slash or not plain:
        what = "a text is no CIDR"
        raise RefusedError(what)
    return {"cidr": str(network)}


def _address(ip: Opaque | str) -> Any:
    return ipaddress.ip_address((_ip(ip) if isinstance(ip, str) else ip)["ip"])


def _interface(cidr: Opaque | str) -> Any:
    return ipaddress.ip_interface((_cidr(cidr) if isinstance(cidr, str) else cidr)["cidr"])


def _contains_ip(cidr: Opaque, ip: Opaque | str) -> bool:
    return _address(ip) in _interface(cidr).network


def _contains_cidr(cidr: Opaque, other: Opaque | str) -> bool:
    outer, inner = _interface(cidr).network, _interface(other).network
    return outer.version == inner.version and bool(inner.subnet_of(outer))


def _global_unicast(ip: Opaque) -> bool:
    address = _address(ip)
    broadcast = address.version == 4 and int(address) == 2**32 - 1
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or broadcast
    )


def _link_local_multicast(ip: Opaque) -> bool:
    address = _address(ip)
    if address.version == 4:
        return int(address) >> 8 == 0xE00000  # 224.0.0.0/24
    return int(address) >> 112 & 0xFF0F == 0xFF02  # ff?2::/16


FUNCTIONS = (
    row("isIP", "(string) -> bool", can(_ip)),
    row("ip", "(string) -> ip", _ip),
    row("ip.isCanonical", "(string) -> bool", lambda a: _ip(a)["ip"] == a),
    row("string", "(ip) -> string", lambda a: a["ip"]),
    row("family", "ip.() -> int", lambda a: _address(a).version),
    row("isUnspecified", "ip.() -> bool", lambda a: _address(a).is_unspecified),
    row("isLoopback", "ip.() -> bool", lambda a: _address(a).is_loopback),
    row("isLinkLocalUnicast", "ip.() -> bool", lambda a: _address(a).is_link_local),
    row("isLinkLocalMulticast", "ip.() -> bool", _link_local_multicast),
    row("isGlobalUnicast", "ip.() -> bool", _global_unicast),
    row("isCIDR", "(string) -> bool", can(_cidr)),
    row("cidr", "(string) -> cidr", _cidr),
    row("string", "(cidr) -> string", lambda a: a["cidr"]),
    row("containsIP", "cidr.(string) -> bool", _contains_ip),
    row("containsIP", "cidr.(ip) -> bool", _contains_ip),
    row("containsCIDR", "cidr.(string) -> bool", _contains_cidr),
    row("containsCIDR", "cidr.(cidr) -> bool", _contains_cidr),
    row("ip", "cidr.() -> ip", lambda a: {"ip": str(_interface(a).ip)}),
    row("masked", "cidr.() -> cidr", lambda a: {"cidr": str(_interface(a).network)}),
    row("prefixLength", "cidr.() -> int", lambda a: _interface(a).network.prefixlen),
)
