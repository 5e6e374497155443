"""What an HTTP target asks, which answers are ready, and servers that mean harm."""

from __future__ import annotations

import socket
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.runner import stand

FINE = b"HTTP/1.1 200 OK\r\nX-Role: leader\r\nContent-Length: 15\r\n\r\n" + b'{"status":"UP"}'
MOVED = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"

ANSWERS = [
    (FINE, "", ""),
    (FINE, "/health?deep=1#status=200,404&expect=x-role: ^leader$&body=status.*UP", ""),
    (FINE, "#status=500-599", "status 200"),
    (FINE, "#body=DOWN", "the body does not match"),
    (FINE, "#expect=X-Role: follower", "the header X-Role does not match"),
    (MOVED, "", "status 302, a redirect, which is not followed"),
    (MOVED, "#status=200-399", ""),
    (b"HTTP/1.1 503 Busy\r\n\r\n", "", "status 503"),
    (b"HTTP/1.1 204 Empty\r\n\r\n", "", ""),
    (b"HTTP/1.1 200 OK\r\n\r\nUP", "#body=UP", ""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nUP", "#body=UP", ""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nUP\r\n0\r\n\r\n", "#body=UP", ""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "#body=UP",
     "the body does not match"),
    (b"SSH-2.0-OpenSSH\r\n", "", "answers with no HTTP: SSH-2.0-OpenSSH"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "",
     "answers with no HTTP: got more than 65536 bytes when reading header line"),
    (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101, "",
     "answers with no HTTP: got more than 100 headers"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "rest", "reason"), ANSWERS)
def test_an_answer_is_ready_or_says_why_not(answer: bytes, rest: str, reason: str) -> None:
    """By status, headers and body; a redirect is an answer."""
    with stand.standing(stand.saying(answer)) as server:
        assert reason == stand.look(server.url("http", rest))

    assert 1 == server.connections


def test_what_is_asked_is_what_was_written(tmp_path: Path) -> None:
    """Method, path, query and headers; a secret one comes from a file."""
    asked = []
    secret = tmp_path / "headers"
    secret.write_text("Authorization: Bearer t0ken\n")

    def talk(client: socket.socket) -> None:
        asked.append(client.recv(4096).decode())
        client.sendall(FINE)

    with stand.standing(talk) as server:
        options = f"#method=HEAD&header=Accept: text/plain&header-file={secret}"
        assert "" == stand.look(server.url("http", f"/a%20b?c=d{options}"))

    assert [
        "HEAD /a%20b?c=d HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept-Encoding: identity",
        "Connection: close",
        "Accept: text/plain",
        "Authorization: Bearer t0ken",
    ] == asked[0].strip().split("\r\n")


def drip(client: socket.socket) -> None:
    """One byte of a header now and then: no pause is ever long."""
    client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        client.sendall(b"x")
        time.sleep(0.02)


def endless(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        client.sendall(b"x" * 65536)


def never_final(client: socket.socket) -> None:
    while True:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.parametrize("talk", [drip, never_final], ids=["drip", "100-continue"])
def test_a_server_that_never_ends_its_header_is_left(talk: stand.Talk) -> None:
    """The whole look has an end, not only each pause."""
    began = time.monotonic()
    with stand.standing(talk) as server:
        assert "no answer in time" == stand.look(server.url("http"), 0.5)

    assert time.monotonic() - began < 5


def test_an_endless_body_is_read_to_a_bound() -> None:
    """No more than the beginning is looked at or kept."""
    with stand.standing(endless) as server:
        stand.look(server.url("http"))  # what is loaded once is not counted
        tracemalloc.start()
        reason = stand.look(server.url("http", "#body=UP"))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert "the body does not match" == reason
    assert most < 4 * 1024 * 1024


def test_a_connection_that_is_reset_is_told() -> None:
    """As what it is."""

    def talk(client: socket.socket) -> None:
        client.recv(10)  # the rest is unread, so closing resets

    with stand.standing(talk) as server:
        assert stand.look(server.url("http")) in (
            "connection reset",
            "answers with no HTTP: Remote end closed connection without response",
        )
