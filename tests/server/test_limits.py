"""What a connection may do, on raw sockets."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server import door
from webhook.inject.decision import Decision
from webhook.server.limits import Connection, Limits

SHORT = Limits(handshake=0.5, header=0.5, body=1.0, idle=1.5, linger=0.3, flush=0.5)
BOUND = 6.0  # seconds in which a short limit must have shown: its own, a tick, and a slow machine


@pytest.fixture(scope="module")
def short() -> Iterator[door.Door]:
    """A door with short times."""
    with door.opened(limits=SHORT) as it:
        yield it


@pytest.fixture(scope="module")
def usual() -> Iterator[door.Door]:
    """A door with the usual limits, but for how long it waits for who was refused."""
    with door.opened(limits=Limits(linger=0.3)) as it:
        yield it


def head(length: int | str, *lines: str, target: str = "/mutate") -> bytes:
    text = [f"POST {target} HTTP/1.1", "host: x", "content-type: application/json", *lines]
    if length != "":
        text.append(f"content-length: {length}")
    return "\r\n".join([*text, "", ""]).encode()


def request(*lines: str, target: str = "/mutate") -> bytes:
    body = door.review()
    return head(len(body), *lines, target=target) + body


def statuses(raw: bytes) -> list[int]:
    return [int(part[:3]) for part in raw.split(b"HTTP/1.1 ")[1:]]


def ask(opened: door.Door, data: bytes) -> list[int]:
    """The statuses that come back for some bytes until the connection ends or we have waited."""
    with opened.connect() as raw:
        raw.sendall(data)
        return statuses(door.answer(raw))


def close(*lines: str) -> bytes:
    return request("connection: close", *lines)


# sizes


def test_a_header_over_64_kib_is_431_and_closed(usual: door.Door) -> None:
    """One header over the limit: refused, and the connection ends."""
    assert [431] == ask(usual, request("x: " + "y" * 65 * 1024))


def test_many_headers_over_64_kib_are_431_and_closed(usual: door.Door) -> None:
    """The sum counts."""
    assert [431] == ask(usual, request(*("x: " + "y" * 1000 for _ in range(70))))


def test_a_target_over_64_kib_is_431_and_closed(usual: door.Door) -> None:
    """The target is a part of the header."""
    assert [431] == ask(usual, request(target="/" + "y" * 70_000))


def test_a_header_that_never_ends_is_431_without_waiting_for_its_end(usual: door.Door) -> None:
    """No more than the limit is kept of a header whose end does not come."""
    assert [431] == ask(usual, head("")[:-2] + b"x: " + b"y" * 300_000)


def test_trailers_count_as_header(usual: door.Door) -> None:
    """Trailers after a chunked body cannot grow without end."""
    chunked = head("", "transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n"

    assert ask(usual, chunked + b"x: " + b"y" * 70_000 + b"\r\n\r\n")[-1] in (400, 431)


def test_a_header_just_under_the_limit_is_served(usual: door.Door) -> None:
    """60 KiB of header are fine."""
    assert [200] == ask(usual, close("x: " + "y" * 60 * 1024))


def test_a_body_announced_as_too_large_is_413_before_it_comes(usual: door.Door) -> None:
    """Nobody needs to send 7 MiB to hear that they are too many."""
    with usual.connect() as raw:
        raw.sendall(head(8 * 2**20))
        assert raw.recv(12) == b"HTTP/1.1 413"


def test_expect_100_continue_is_answered_before_the_body(usual: door.Door) -> None:
    """The client is told to go on, or refused before it sends anything."""
    body = door.review()
    with usual.connect() as raw:
        raw.sendall(head(len(body), "expect: 100-continue", "connection: close"))
        assert raw.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(body)
        assert [200] == statuses(door.answer(raw))
    with usual.connect() as raw:
        raw.sendall(head(8 * 2**20, "expect: 100-continue"))
        assert raw.recv(12) == b"HTTP/1.1 413"


# times


def gone_within(raw: socket.socket, seconds: float) -> bool:
    began = time.monotonic()
    door.answer(raw, seconds)
    return time.monotonic() - began < seconds


def test_a_connection_without_a_handshake_is_closed(short: door.Door) -> None:
    """Who connects and says nothing holds a socket for a bounded time only."""
    with short.connect(secure=False) as raw:
        assert gone_within(raw, BOUND)


@pytest.mark.parametrize(
    "data",
    [b"", b"P", head(10)[:-5], head(10), head(10) + b"{", request()],
    ids=["nothing", "first-byte", "header", "no-body", "half-body", "idle-after-answer"],
)
def test_a_slow_client_is_closed(short: door.Door, data: bytes) -> None:
    """A header, a body or a next request that does not come ends the connection."""
    with short.connect() as raw:
        raw.sendall(data)
        assert gone_within(raw, BOUND)


def drip(raw: socket.socket, data: bytes) -> None:
    for byte in data:
        try:
            raw.sendall(bytes([byte]))
        except OSError:
            return
        time.sleep(0.05)


def test_a_client_that_sends_byte_by_byte_is_closed_all_the_same(short: door.Door) -> None:
    """The time counts from the first byte, not from the last."""
    with short.connect() as raw:
        sender = threading.Thread(target=drip, args=(raw, head(10, "x: " + "y" * 300)))
        sender.start()
        assert gone_within(raw, BOUND)
        sender.join()


def test_others_are_served_meanwhile(short: door.Door) -> None:
    """Two hundred slow connections of each kind do not keep a review waiting."""
    slow = [short.connect(secure=False) for _ in range(100)]
    half = [short.connect() for _ in range(100)]
    try:
        for raw in half:
            raw.sendall(head(10)[:-3])
        with httpx.Client(verify=door.client_context()) as client:
            began = time.monotonic()
            kind = {"content-type": "application/json"}
            got = client.post(short.url, content=door.review(), headers=kind)
        assert (200, True) == (got.status_code, time.monotonic() - began < 2)
    finally:
        for raw in slow + half:
            raw.close()


def test_a_client_that_reads_nothing_is_cut() -> None:
    """Answers that nobody reads do not wait without end."""
    large = Decision(patch=({**door.ADD, "value": "x" * 2**20},))
    with door.opened(lambda *_: large, limits=SHORT) as it, it.connect() as raw:
        raw.sendall(request() * 40)
        wait_until(lambda: bool(it.closed))
        assert ["slow_reader"] == it.closed
        wait_until(lambda: it.listener.connections == 0)


def test_a_client_that_sends_faster_than_it_reads_is_stopped(usual: door.Door) -> None:
    """Requests that wait behind others are few: whoever sends more is closed."""
    with usual.connect() as raw, contextlib.suppress(OSError):
        raw.settimeout(BOUND)
        for _ in range(1000):
            raw.sendall(request() * 50)
    assert "bad_request" in usual.closed


def wait_until(holds: Callable[[], bool], seconds: float = 3 * BOUND) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("last", [request(), request()[:-1], b""], ids=["answered", "cut", "idle"])
def test_a_connection_that_ends_is_freed_without_a_collection(last: bytes) -> None:
    """Else what TLS holds for hundreds of them, 70 KB each, waits for a full collection."""
    limits = Limits()

    def known() -> list[object]:
        alive = (one for one in gc.get_objects() if isinstance(one, Connection))
        return [one for one in alive if one.limits is limits]

    gc.disable()
    try:
        with door.opened(limits=limits) as it:
            for _ in range(5):
                with it.connect() as raw:
                    raw.sendall(request() + last)
                    raw.recv(65536)
            wait_until(lambda: it.listener.connections == 0)
            wait_until(lambda: not known(), BOUND)
    finally:
        gc.enable()


# HTTP's corners


def test_pipelined_requests_are_answered_in_order(usual: door.Door) -> None:
    """Several requests in one write get as many answers."""
    with usual.connect() as raw:
        raw.sendall(request() * 20 + head(2) + b"{}" + close())
        assert [200] * 20 + [400, 200] == statuses(door.answer(raw))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (request(target="https://other.example/mutate?timeout=1s"), [200]),
        (request(target="/%6dutate"), [200]),
        (request(target="*"), [404]),
        (request(target="/mutate#x"), [404]),
        (b"POST /mutate HTTP/1.0\r\ncontent-type: application/json\r\n\r\n", [400]),
        (head(5, "content-length: 6") + b"hello!", [400]),
        (head(5, "transfer-encoding: chunked") + b"0\r\n\r\n", [400]),
        (head("-1"), [400]),
        (head("9" * 40), [400]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        (b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n", [400]),
        (b"\x00\xff" * 500, [400]),
        (b"GET /\xff HTTP/1.1\r\n\r\n", [400]),
        (b"GET http://[ HTTP/1.1\r\n\r\n", [400]),
        (head("", "transfer-encoding: chunked") + b"zz\r\n", [400]),
        (request("connection: upgrade", "upgrade: h2c", "http2-settings: AAMA"), [400]),
        (b"GET /x HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", [404]),
        (request("connection: close") + request(), [200]),
        (request() + b"rubbish\r\n\r\n", [200]),
    ],
    ids=[
        *("absolute-target", "escaped-path", "star", "fragment", "http-1.0", "two-lengths"),
        *("length-and-chunked", "negative-length", "huge-length", "http-2-preface", "connect"),
        *("binary", "non-ascii-target", "broken-target", "broken-chunk", "h2c", "websocket"),
        *("after-close", "rubbish-after-request"),
    ],
)
def test_corners_of_http_are_answered_or_refused(
    short: door.Door, data: bytes, expected: list[int]
) -> None:
    """What HTTP allows is served, what it forbids is 400, and the connection ends."""
    assert expected == [status for status in ask(short, data) if status != 100]


def test_plain_http_on_the_tls_port_is_closed(usual: door.Door) -> None:
    """Whoever forgets TLS gets no answer, and nobody else notices."""
    with usual.connect(secure=False) as raw:
        raw.sendall(request())
        assert not door.answer(raw).startswith(b"HTTP")


def test_only_tls_1_2_and_newer_are_spoken(usual: door.Door) -> None:
    """TLS 1.1 is refused; 1.2 and 1.3 are served; ALPN chooses HTTP/1.1 over h2."""
    spoken = []
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = door.client_context()
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection((usual.host, usual.port))
        with context.wrap_socket(plain, server_hostname="localhost") as raw:
            spoken.append((raw.version(), raw.selected_alpn_protocol()))

    assert [("TLSv1.2", "http/1.1"), ("TLSv1.3", "http/1.1")] == spoken
    assert usual.context is not None
    assert usual.context.minimum_version == ssl.TLSVersion.TLSv1_2


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from([request(), head(10), head(""), b"\r\n", b"0\r\n\r\n", b"GET / "])
        | st.integers(0, 400).map(lambda cut: request()[:cut]),
        max_size=6,
    )
)
def test_any_bytes_end_in_bounded_time(short: door.Door, parts: list[bytes]) -> None:
    """Whatever comes, the next client is served at once."""
    with short.connect() as raw:
        raw.sendall(b"".join(parts))
    with short.connect() as raw:
        raw.sendall(close())
        assert [200] == statuses(door.answer(raw))
