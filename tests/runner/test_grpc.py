"""The health service of gRPC servers: one that is made for the test, and a real one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
import trustme

from tests.runner import places, real, stand
from tests.runner.test_wait import waited

HEAD = [(":status", "200"), ("content-type", "application/grpc")]
SERVING = b"\0\0\0\0\x02\x08\x01"
Headers = Sequence[tuple[str, str]]


def answering(
    body: bytes, trailers: Headers, head: Headers = HEAD, asked: list[object] | None = None
) -> stand.Talk:
    """A server that reads one call whole and answers it."""

    def talk(client: socket.socket) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        client.sendall(server.data_to_send())
        while data := client.recv(4096):
            for event in server.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and asked is not None:
                    asked.append(dict(event.headers or ())[b":path"])
                if isinstance(event, h2.events.DataReceived) and asked is not None:
                    asked.append(event.data)
                if isinstance(event, h2.events.StreamEnded):
                    server.send_headers(1, list(head), end_stream=not trailers)
                    if trailers:
                        server.send_data(1, body)
                        server.send_headers(1, list(trailers), end_stream=True)
            client.sendall(server.data_to_send())

    return talk


FINE = [("grpc-status", "0")]
ANSWERS = [
    (SERVING, FINE, HEAD, ""),
    (b"\0\0\0\0\x02\x08\x02", FINE, HEAD, "is NOT_SERVING"),
    (b"\0\0\0\0\0", FINE, HEAD, "is UNKNOWN"),
    (b"", FINE, HEAD, "answers, and not as gRPC does"),
    (b"\1\0\0\0\x02\x08\x01", FINE, HEAD, "answers, and not as gRPC does"),
    (b"x" * 5000, FINE, HEAD, "answers, and not as gRPC does"),
    (b"", [], [*HEAD, ("grpc-status", "12")], "the server has no health service"),
    (b"", [], [*HEAD, ("grpc-status", "5")], "the service is not known"),
    (b"", [], [*HEAD, ("grpc-status", "14"), ("grpc-message", "later")], "later"),
    (b"", [], [*HEAD, ("grpc-status", "7")], "gRPC status 7"),
    (b"", [], [(":status", "503")], "answers with status 503, and not as gRPC does"),
]


@pytest.mark.parametrize(("body", "trailers", "head", "reason"), ANSWERS)
def test_an_answer_is_ready_or_says_why_not(
    body: bytes, trailers: Headers, head: Headers, reason: str
) -> None:
    """Only SERVING is ready."""
    with stand.standing(answering(body, trailers, head)) as server:
        assert reason == stand.look(server.url("grpc"))


def test_the_path_is_the_service() -> None:
    """Without one, the server as a whole is asked about."""
    asked: list[object] = []
    with stand.standing(answering(SERVING, FINE, asked=asked)) as server:
        assert "" == stand.look(server.url("grpc", "/ledger.v1"))
        assert "" == stand.look(server.url("grpc"))

    method = b"/grpc.health.v1.Health/Check"
    assert [method, b"\0\0\0\0\x0b\x0a\x09ledger.v1", method, b"\0\0\0\0\0"] == asked


def test_it_speaks_tls(tmp_path: Path) -> None:
    """And names HTTP/2 in the handshake, without which servers of gRPC refuse."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    ca.issue_cert("ledger").configure_cert(context)
    chosen = []

    def talk(client: socket.socket) -> None:
        assert isinstance(client, ssl.SSLSocket)
        chosen.append(client.selected_alpn_protocol())
        answering(SERVING, FINE)(client)

    with stand.standing(talk, context) as server:
        assert "" == stand.look(server.url("grpcs", f"#ca={tmp_path / 'ca.crt'}&name=ledger"))

    assert ["h2"] == chosen


def pinging(client: socket.socket) -> None:
    """Frames without end, each of them allowed."""
    client.sendall(b"\0\0\0\x04\0\0\0\0\0")
    while True:
        client.sendall(b"\0\0\x08\x06\0\0\0\0\0" + b"initject")


def test_a_server_that_never_answers_is_left() -> None:
    """Whatever else it sends meanwhile."""
    with stand.standing(pinging) as server:
        assert "no answer in time" == stand.look(server.url("grpc"), 0.5)


def test_etcd_is_ready_when_it_serves() -> None:
    """A real server, from before it starts."""
    with places.place() as place, real.etcd(place).running():
        status, said = waited("--timeout", "60s", place.url("grpc"))

    assert 0 == status, said
