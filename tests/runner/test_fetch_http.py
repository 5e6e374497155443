"""Servers that mean harm, or only do not work, against `fetch http`."""

from __future__ import annotations

import socket
import ssl
import time
import tracemalloc
from pathlib import Path

import pytest
import trustme

from tests.runner import shop, stand
from webhook.errors import FetchError
from webhook.runner import address
from webhook.runner.fetch import redirect

CA = trustme.CA()
BODY = b"colour: green\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\n\r\n"

ANSWERS = [
    (shop.fine(BODY), "14 bytes, unverified, to …"),
    (CHUNKED + b"e\r\n" + BODY + b"\r\n0\r\n\r\n", "14 bytes, unverified, to …"),
    (shop.fine(b""), "0 bytes, unverified, to …"),
    (shop.fine(BODY)[:-4], "later: the answer ends at 10 bytes of 14 bytes"),
    (CHUNKED + b"e\r\ncolour", "later: the answer ends early, within a chunk"),
    (CHUNKED + b"zz\r\n", "later: the answer ends early, within a chunk"),
    (OPEN + BODY, "failed: does not say how long its answer is, so it may be cut short unseen;"
     " write sha256"),
    (shop.status(204), "failed: status 204"),
    (shop.status(206), "failed: status 206"),
    (shop.status(401), "failed: status 401"),
    (shop.status(404), "failed: status 404"),
    (shop.status(408), "later: status 408"),
    (shop.status(500), "later: status 500"),
    (shop.status(304), "failed: status 304"),
    (shop.status(302), "failed: status 302"),
    (b"SSH-2.0-OpenSSH\r\n", "later: answers with no HTTP: SSH-2.0-OpenSSH"),
    (shop.fine(b"x" * 101), "failed: is larger than max-size, 100 bytes"),
    (CHUNKED + b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n",
     "failed: is larger than max-size, 100 bytes"),
    (shop.moved("/file"), "failed: redirects more than 5 times"),
    (shop.moved("ftp://127.0.0.1/x"), "failed: redirects to ftp://127.0.0.1/x, which is not http or"
     " https"),
    (shop.moved("file:///etc/passwd"), "failed: redirects to what is no address"),
    (shop.moved("http://me:s3cret@[::1"), "failed: redirects to what is no address"),
    (shop.moved("http://a.example/?s3cret"), "failed: redirects to http://a.example/, which is not"
     " followed with redirects=same-host"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "said"), ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_is_a_file_or_says_why_not(answer: bytes, said: str, tmp_path: Path) -> None:
    """And a file that is not all there leaves nothing."""
    with shop.open_shop(answer) as server:
        words = (server.url(), f"{tmp_path}/x", "unverified=true", "max-size=100")
        got = shop.attempt(*words)

    assert said == got.replace(f"{tmp_path}/x", "…")
    assert got.endswith("to " + f"{tmp_path}/x") == ("x" in shop.tree(tmp_path))
    assert set(shop.tree(tmp_path)) <= {"x"}


def test_a_body_without_an_end_is_left_at_the_bound(tmp_path: Path) -> None:
    """In little memory, and with nothing left on the volume."""

    def endless(client: socket.socket) -> None:
        client.sendall(CHUNKED)
        while True:
            client.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with shop.open_shop(endless) as server:
        words = (server.url(), f"{tmp_path}/x", f"sha256={'0' * 64}", "max-size=8Mi")
        shop.attempt(*words)  # what is loaded once is not counted
        tracemalloc.start()
        said = shop.attempt(*words)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert "failed: is larger than max-size, 8 MiB" == said
    assert most < 2 * 1024 * 1024
    assert {} == shop.tree(tmp_path)


def test_a_chunk_without_a_size_is_not_read_for_ever(tmp_path: Path) -> None:
    """The standard library would read to the end of what has none."""

    def endless(client: socket.socket) -> None:
        client.sendall(CHUNKED + b"-1\r\n")
        while True:
            client.sendall(b"x" * 65536)

    with shop.open_shop(endless) as server:
        words = (server.url(), f"{tmp_path}/x", f"sha256={'0' * 64}", "max-size=1Mi")
        tracemalloc.start()
        said = shop.attempt(*words)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert said in (
        "failed: is larger than max-size, 1 MiB",
        "later: answers with no HTTP: a chunk has no size",
    )
    assert most < 4 * 1024 * 1024


def drip_of_a_body(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
    while True:
        client.sendall(b"x")
        time.sleep(0.02)


def drip_of_a_header(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        client.sendall(b"x")
        time.sleep(0.02)


def never_final(client: socket.socket) -> None:
    while True:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@pytest.mark.parametrize("talk", [drip_of_a_body, drip_of_a_header, never_final, stand.silent])
def test_a_server_that_drips_is_left(talk: stand.Talk, tmp_path: Path) -> None:
    """No pause is ever long, but what comes is too little."""
    began = time.monotonic()
    with shop.open_shop(talk) as server:
        words = (server.url(), f"{tmp_path}/x", "unverified=true")
        assert "later: no answer in time" == shop.attempt(*words, stall=0.5)

    assert time.monotonic() - began < 5


def test_a_slow_file_that_is_not_too_slow_comes(tmp_path: Path) -> None:
    """It may take longer than the time in which a server must have said something."""

    def slow(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5120\r\n\r\n")
        for _ in range(5):
            client.sendall(b"x" * 1024)
            time.sleep(0.2)

    with shop.open_shop(slow) as server:
        words = (server.url(), f"{tmp_path}/x", "unverified=true")
        assert "5 KiB, unverified, to " + f"{tmp_path}/x" == shop.attempt(*words, stall=0.6)


def test_a_header_goes_to_its_own_host_only(tmp_path: Path) -> None:
    """Not to another to which the first redirects; and no line shows it."""
    fields = ("unverified=true", "header-env=Authorization:TOKEN")
    with shop.open_shop(shop.fine(BODY)) as other:
        routes = {
            "/near": shop.moved("/file"),
            "/far": shop.moved(other.url("/there")),
            "/file": shop.fine(BODY),
        }
        with shop.open_shop(routes) as server:
            near = ("http", f"url={server.url('/near')}", f"to={tmp_path}/x", *fields)
            far = ("http", f"url={server.url('/far')}", f"to={tmp_path}/x", *fields)
            runs = [
                shop.fetched(*words, TOKEN="Bearer t0ken\n")
                for words in (near, (*near, "redirects=none"), far, (*far, "redirects=any"))
            ]

    assert [0, 1, 1, 0] == [status for status, _ in runs]
    assert ["/near", "/file", "/near", "/far", "/far"] == server.paths
    assert all("\r\nAuthorization: Bearer t0ken\r\n" in request for request in server.asked)
    assert ["/there"] == other.paths
    assert "t0ken" not in f"{other.asked} {runs}"


def test_a_header_does_not_come_back(tmp_path: Path) -> None:
    """Where another host sends the request back, it has chosen what is asked."""
    routes: dict[str, shop.Answer] = {"/back": shop.fine(BODY)}
    with (
        shop.open_shop(routes) as server,
        shop.open_shop(shop.moved(server.url("/back"))) as other,
    ):
        routes["/file"] = shop.moved(other.url("/there"))
        words = (server.url(), f"{tmp_path}/x", "unverified=true", "redirects=any")
        status, _ = shop.fetched(*words, "header-env=X-Key:KEY", KEY="k3y")

    assert 0 == status
    assert [True, False] == ["k3y" in request for request in server.asked]


PLACES = [
    ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
    ("http://[fe80::1]/", "fe80::1"),
    ("http://[fd00:ec2::254]/", "fd00:ec2::254"),
    ("http://[::ffff:169.254.169.254]/", "::ffff:169.254.169.254"),
    ("http://[64:ff9b::a9fe:a9fe]/", "64:ff9b::a9fe:a9fe"),
    ("http://100.100.100.200/", "100.100.100.200"),
    ("http://2852039166/", "169.254.169.254"),
]


@pytest.mark.parametrize(("location", "ip"), PLACES)
def test_the_metadata_service_is_never_asked(location: str, ip: str, tmp_path: Path) -> None:
    """Neither by a redirect nor at first, however its address is written."""
    host = address.parse(location).host
    why = f"failed: {host} is at {ip}, link-local or a cloud's own, which is never asked"
    words = (f"{tmp_path}/x", "unverified=true", "redirects=any")
    with shop.open_shop(shop.moved(location)) as server:
        assert why == shop.attempt(server.url(), *words, seconds=5)
    assert why == shop.attempt(location.rstrip("/") + "/x", *words, seconds=5)


def test_names_of_metadata_services_are_never_asked(tmp_path: Path) -> None:
    """Whatever their address is."""
    for host in ("metadata.google.internal", "METADATA.google.internal."):
        said = shop.attempt(f"http://{host}/x", f"{tmp_path}/x", "unverified=true")
        assert f"failed: {host.lower()} is a metadata service, which is never asked" == said


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_a_redirect_from_elsewhere_does_not_lead_into_the_pod(ip: str) -> None:
    """What listens there trusts who asks from the pod."""
    there = address.parse(f"http://{f'[{ip}]' if ':' in ip else ip}/")
    found = [(socket.AF_INET, (ip, 80))]

    with pytest.raises(FetchError, match="in this pod, which is not followed"):
        redirect.check(there, address.parse("http://files.example/"), found)


SAME = [
    ("http://host/x", "http://HOST/y", True),
    ("http://a/x", "http://a:80/y", True),
    ("http://a/x", "https://a/y", True),
    ("http://a/x", "http://a:8080/y", False),
    ("http://a:80/x", "https://a:8443/y", False),
    ("https://a/x", "https://a:443/y", True),
    ("http://a/x", "http://a.example/y", False),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_a_host_is_its_name_and_port(one: str, other: str, same: bool) -> None:
    """Or the usual ports of http and then https."""
    assert same == redirect.same(address.parse(one), address.parse(other))


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    CA.cert_pem.write_to_path(tmp_path / "ca.crt")
    return tmp_path / "ca.crt"


def tls(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CA.issue_cert(name).configure_cert(context)
    return context


def test_a_certificate_must_be_trusted_and_be_the_hosts(ca: Path, tmp_path: Path) -> None:
    """Otherwise nothing is asked: no header is sent to who is somebody else."""
    to = (f"{tmp_path}/x", "unverified=true")
    with shop.open_shop(shop.fine(BODY), tls("127.0.0.1")) as server:
        fine = shop.attempt(server.url(), *to, f"ca={ca}")
        unknown = shop.attempt(server.url(), *to)
        wrong = shop.attempt(server.url(host="localhost"), *to, f"ca={ca}")

    assert f"14 bytes, unverified, to {tmp_path}/x" == fine
    assert unknown.startswith("later: the certificate is not trusted: ")
    assert wrong.startswith("later: the certificate is not trusted: ")
    assert 1 == len(server.asked)


def test_encryption_is_never_given_up(ca: Path, tmp_path: Path) -> None:
    """A redirect from https to http is not followed, with redirects=any either."""
    with shop.open_shop(shop.fine(BODY)) as plain:
        location = plain.url("/x?s3cret")
        with shop.open_shop(shop.moved(location), tls("127.0.0.1")) as server:
            words = (server.url(), f"{tmp_path}/x", "unverified=true", f"ca={ca}", "redirects=any")
            said = shop.attempt(*words)

    assert (
        f"failed: redirects from https to {plain.url('/x')}, without encryption, which is never"
        " followed"
    ) == said
    assert [] == plain.asked


def test_a_redirect_to_https_elsewhere_is_trusted_by_its_own_name(ca: Path, tmp_path: Path) -> None:
    """The certificate must be of the host that is asked then."""
    with (
        shop.open_shop(shop.fine(BODY), tls("localhost")) as there,
        shop.open_shop(shop.moved(there.url("/x", host="localhost"))) as server,
    ):
        words = (server.url(), f"{tmp_path}/x", "unverified=true", f"ca={ca}", "redirects=any")
        assert f"14 bytes, unverified, to {tmp_path}/x" == shop.attempt(*words)


def test_a_place_may_be_said_in_parts(tmp_path: Path) -> None:
    """Each stays what it is, and the file has the name that a URL would give it."""
    with shop.open_shop(shop.fine(BODY)) as server:
        place = ("host=127.0.0.1", f"port={server.port}", "path=/a b?c", "query=d=#e")
        said = shop.attempt("http", *place, f"to={tmp_path}/", "unverified=true")

    assert said.startswith("14 bytes, unverified, to ")
    assert ["/a%20b%3Fc?d=%23e"] == server.paths
    assert {"a b?c": BODY.decode()} == shop.tree(tmp_path)
