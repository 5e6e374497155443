"""Binding a port."""

from __future__ import annotations

import socket

import pytest

from webhook.errors import UsageError
from webhook.server import drain


def test_port_0_takes_a_free_one() -> None:
    """The real number is known at once."""
    with drain.bind("127.0.0.1", 0, "--port") as sock:
        assert sock.getsockname()[1] > 0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_all_of_ipv6_serves_ipv4_too() -> None:
    """`::` takes connections of both families."""
    with drain.bind("::", 0, "--port") as sock:
        sock.listen()
        with socket.create_connection(("127.0.0.1", sock.getsockname()[1]), timeout=5) as client:
            assert client.getpeername()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "port", "advice"),
    [
        ("192.0.2.1", 0, "choose another --port"),  # an address of nobody: RFC 5737
        ("no such host", 0, "choose another --host"),
    ],
)
def test_what_cannot_be_bound_is_told_with_advice(host: str, port: int, advice: str) -> None:
    """The option to change is named."""
    with pytest.raises(UsageError, match=advice):
        drain.bind(host, port, "--port")
