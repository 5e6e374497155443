"""TLS: from the first byte, or asked for in the protocol; and certificates that are wrong."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from tests.runner import stand, test_http, test_kinds

CA = trustme.CA()


def server(*names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(*names).configure_cert(context)
    return context


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    CA.cert_pem.write_to_path(tmp_path / "ca.crt")
    return tmp_path / "ca.crt"


@contextmanager
def postgres(answer: bytes, *names: str) -> Iterator[stand.Stand]:
    """A PostgreSQL that goes on under TLS when it is asked to, and says `answer` there."""

    def talk(client: socket.socket) -> None:
        assert b"\0\0\0\x08\x04\xd2\x16\x2f" == client.recv(8)
        client.sendall(b"S")
        with server(*names).wrap_socket(client, server_side=True) as secured:
            stand.saying(answer)(secured)

    with stand.standing(talk) as standing:
        yield standing


@pytest.mark.parametrize(
    ("scheme", "rest", "answer"),
    [
        ("tls", "#", b""),
        ("https", "/#", test_http.FINE),
        ("rediss", "#", b"+PONG\r\n"),
        ("redis", "#tls=true&", b"+PONG\r\n"),
        ("amqps", "#", test_kinds.START),
        ("kafka", "#tls=true&", test_kinds.kafka(0)),
        ("mongodb", "#tls=true&", test_kinds.mongodb(b"\x08ismaster\0\x01" + test_kinds.OK)),
    ],
)
def test_a_target_under_tls(ca: Path, scheme: str, rest: str, answer: bytes) -> None:
    """Ready with a certificate that `ca` has signed for the name; not with another."""
    with stand.standing(stand.saying(answer), server("db.internal")) as standing:
        url = standing.url(scheme, rest)

        assert "" == stand.look(f"{url}ca={ca}&name=db.internal")
        assert "" == stand.look(f"{url}verify=false")
        assert stand.look(f"{url}ca={ca}").startswith(
            "the certificate is not trusted: IP address mismatch"
        )
        assert stand.look(f"{url}name=db.internal").startswith(
            "the certificate is not trusted: unable to get local issuer certificate"
        )


def test_postgres_asks_for_tls_in_its_protocol(ca: Path) -> None:
    """The login goes on encrypted, with the certificate checked; without TLS it is not ready."""
    with postgres(b"R\0\0\0\x08\0\0\0\x0a", "db.internal") as standing:
        url = standing.url("postgres", "/orders#tls=true&")
        assert "" == stand.look(f"{url}ca={ca}&name=db.internal")
        assert stand.look(f"{url}ca={ca}").startswith("the certificate is not trusted: ")

    with stand.standing(stand.saying(b"N")) as standing:
        assert "the server speaks no TLS" == stand.look(standing.url("postgres", "#tls=true"))


def test_mysql_asks_for_tls_in_its_protocol(ca: Path) -> None:
    """After the greeting a short packet, then everything under TLS with its number going on."""
    numbers = []

    def talk(client: socket.socket) -> None:
        client.sendall(test_kinds.GREETING)
        request = client.recv(36)
        with server("db.internal").wrap_socket(client, server_side=True) as secured:
            numbers.extend([request[3], secured.recv(4096)[3]])
            secured.sendall(test_kinds.mysql_error(3, 1045, "#28000Access denied"))
            stand.silent(secured)

    with stand.standing(talk) as standing:
        url = standing.url("mysql", f"#tls=true&ca={ca}&name=db.internal")
        assert "" == stand.look(url)

    assert [1, 2] == numbers


def test_a_server_without_tls_is_told(ca: Path) -> None:
    """What is no TLS, and a handshake that never comes."""
    with stand.standing(stand.saying(b"HTTP/1.1 400 Bad\r\n\r\n")) as standing:
        assert stand.look(standing.url("tls")).startswith("no TLS: ")
    with stand.standing(stand.silent) as standing:
        assert "no answer in time" == stand.look(standing.url("tls"), 0.3)
