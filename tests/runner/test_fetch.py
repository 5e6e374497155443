"""`initject fetch` as a process of its own: how it ends, what it says, what is then there."""

from __future__ import annotations

import hashlib
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import needs
from tests.runner import shop

BODY = b"colour: green\n"
SUM = hashlib.sha256(BODY).hexdigest()


def test_a_file_comes_as_it_was_meant(tmp_path: Path) -> None:
    """With its mode, in a folder made for it; the last line says from where and how much."""
    message, to = tmp_path / "message", tmp_path / "etc" / "app.yaml"
    with shop.open_shop({"/app.yaml": shop.fine(BODY)}) as server:
        url = server.url("/app.yaml?token=s3cret")
        words = ["http", f"url={url}", f"to={to}", f"sha256={SUM}", "mode=0640"]
        status, said = shop.fetched("--termination-message", str(message), *words)
    last = (
        f"initject fetch: fetched after …: {server.url('/app.yaml')}: 14 bytes, sha256 verified,"
        f" to {to}"
    )

    assert (0, [last]) == (status, said)
    assert last == shop.timeless(message.read_text())
    assert {"app.yaml": BODY.decode()} == shop.tree(tmp_path / "etc")
    assert ("640", "755") == (shop.mode(to), shop.mode(to.parent))
    assert ["/app.yaml?token=s3cret"] == server.paths


def test_a_second_run_recognises_the_file(tmp_path: Path) -> None:
    """By its checksum: nobody is asked. What was changed since is fetched again."""
    to = tmp_path / "app.yaml"
    with shop.open_shop(shop.fine(BODY)) as server:
        words = (server.url(), str(to), f"sha256={SUM}")
        first, again = shop.attempt(*words), shop.attempt(*words)
        to.write_text("colour: red\n")
        third = shop.attempt(*words)

    assert f"14 bytes, sha256 verified, to {to}" == first == third
    assert f"14 bytes, sha256 verified, was there before, at {to}" == again
    assert (2, BODY) == (len(server.asked), to.read_bytes())


def test_a_wrong_checksum_fails_at_once(tmp_path: Path) -> None:
    """With status 1 and both checksums; what was there stays, and nothing else is left."""
    to = tmp_path / "app.yaml"
    to.write_text("before")
    with shop.open_shop(shop.fine(BODY)) as server:
        status, said = shop.fetched(server.url(), str(to), f"sha256={'0' * 64}")

    assert 1 == status
    assert [
        f"initject fetch: failed after …: {server.url()}: the checksum is wrong: its sha256 is"
        f" {SUM}, not {'0' * 64}"
    ] == said
    assert {"app.yaml": "before"} == shop.tree(tmp_path)
    assert 1 == len(server.asked)


def test_what_may_heal_is_tried_again(tmp_path: Path) -> None:
    """A line for each new reason, and in the end the file."""
    cut = shop.fine(BODY)[:-4]
    reset = [shop.status(503), shop.status(503), shop.status(429), cut, shop.fine(BODY)]
    answers = iter(reset)

    def talk(client: socket.socket) -> None:
        client.sendall(next(answers))

    with shop.open_shop(talk) as server:
        status, said = shop.fetched(server.url(), str(tmp_path / "x"), f"sha256={SUM}")
    name = f"initject fetch: {server.url()}"

    assert (0, {"x": BODY.decode()}) == (status, shop.tree(tmp_path))
    assert [
        f"{name}: status 503; trying again",
        f"{name}: status 429; trying again",
        f"{name}: the answer ends at 10 bytes of 14 bytes; trying again",
    ] == said[:-1]


def test_it_gives_up_at_the_deadline(tmp_path: Path) -> None:
    """With a status of its own, and why."""
    with shop.open_shop(shop.status(503)) as server:
        arguments = ["--timeout", "700ms", server.url(), f"{tmp_path}/x", "unverified=true"]
        assert (210, f"initject fetch: gave up after …: {server.url()}: status 503") == (
            (result := shop.fetched(*arguments))[0],
            result[1][-1],
        )
        assert 7 == shop.fetched("--exit-code", "7", *arguments)[0]

    assert {} == shop.tree(tmp_path)


def test_a_server_that_asks_for_rest_gets_it(tmp_path: Path) -> None:
    """It is asked again after that time; when that is beyond the deadline, not any more."""
    answers = iter([shop.status(429, "Retry-After: 2"), shop.fine(BODY)])

    def talk(client: socket.socket) -> None:
        client.sendall(next(answers))

    began = time.monotonic()
    with shop.open_shop(talk) as server:
        status, _ = shop.fetched(server.url(), f"{tmp_path}/x", f"sha256={SUM}")
    took = time.monotonic() - began
    with shop.open_shop(shop.status(503, "Retry-After: 3600")) as server:
        gave_up, said = shop.fetched(server.url(), f"{tmp_path}/y", f"sha256={SUM}")

    assert (0, 210) == (status, gave_up)
    assert took >= 2
    assert said[-1].endswith(": status 503, and asks for 1h of rest")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """In the middle of a body, and nothing is left behind."""
    begun: list[bool] = []

    def talk(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")
        begun.append(True)
        client.recv(1)

    with shop.open_shop(talk) as server:
        process = shop.start(server.url(), str(tmp_path / "x"), "unverified=true")
        wait_for(lambda: bool(begun) and any(tmp_path.rglob("body")))
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)

    assert time.monotonic() - began < 5
    assert 128 + number == process.returncode
    assert f"initject fetch: was stopped after …: {server.url()}: no attempt has ended yet\n" == (
        shop.timeless(said)
    )
    assert {} == shop.tree(tmp_path)


def test_what_a_killed_run_leaves_is_tidied_up(tmp_path: Path) -> None:
    """It shows no half file under the name, and the next run removes what it left."""
    begun: list[bool] = []
    to = tmp_path / "app" / "x"

    def endless(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n" + b"x" * 70_000)
        begun.append(True)
        client.recv(1)

    with shop.open_shop(endless) as server:
        process = shop.start(server.url(), str(to), "unverified=true")
        wait_for(lambda: bool(begun) and any(tmp_path.rglob("body")))
        process.kill()
        process.communicate(timeout=60)
    left = sorted(path.name for path in to.parent.iterdir())
    with shop.open_shop(shop.fine(BODY)) as server:
        shop.attempt(server.url(), str(to), "unverified=true")

    assert 1 == len(left)
    assert left[0].startswith(".initject-fetch-")
    assert {"x": BODY.decode()} == shop.tree(to.parent)


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """The second does not touch what the first is writing, and says so."""
    begun: list[bool] = []

    def slow(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx")
        begun.append(True)
        wait_for(lambda: "second" in said)
        client.sendall(b"y")

    said: dict[str, str] = {}
    with shop.open_shop(slow) as server:
        process = shop.start(server.url(), str(tmp_path / "x"), "unverified=true")
        wait_for(lambda: bool(begun) and any(tmp_path.rglob("body")))
        said["second"] = shop.attempt(server.url(), str(tmp_path / "x"), "unverified=true")
        process.communicate(timeout=60)

    assert "failed: another initject fetch is writing there" == said["second"]
    assert (0, {"x": "xy"}) == (process.returncode, shop.tree(tmp_path))


WRONG = [
    (["ftp", "url=x"], "'ftp' is no source; write http, https, copy or a URL"),
    (["http", "to=/x", "unverified=true"], "http: field 'url' is missing; write one like"
     " url=https://config.internal/app.yaml"),
    (["http", "host=a", "path=x", "url=http://a/x", "to=/x", "unverified=true"], "http: url says it"
     " whole; leave out host, path"),
    (["https", "path=/x", "to=/x", "unverified=true"], "https: has no host; add host=NAME"),
    (["https", "host=a/b", "to=/x", "unverified=true"], "https: host 'a/b' is none; write a name or"
     " an address"),
    (["http", "host=a", "to=/x/", "unverified=true"], "http: the URL ends in no name; write"
     " to=FOLDER/NAME"),
    (["http", "url=http://a/x", "to=/x"], "http: write one of sha256=HEX, minisign-key=KEY and"
     " unverified=true"),
    (["http", "url=http://a/x", "to=/x", "sha256=" + SUM, "unverified=true"], "http: write one of"
     " sha256=HEX, minisign-key=KEY and unverified=true"),
    (["http", "url=http://a/x", "to=/x", "sha265=" + SUM], "http: unknown field 'sha265'; did you"
     " mean sha256?"),
    (["http", "url=http://a/x", "to=/x", "sha256=abc"], "http: field 'sha256' is no SHA-256; write"
     " its 64 hexadecimal digits"),
    (["http", "url=http://a/x", "to=/x", "minisign-key=abc"], "http: field 'minisign-key' is no"
     " public key of minisign; write the line that begins with RW"),
    (["http", "url=http://me:s3cret@a/x", "to=/x", "unverified=true"], "http: http://a/x: has a"
     " user; leave it out: nothing secret stands in a URL"),
    (["http", "url=file:///etc/passwd", "to=/x", "unverified=true"], "http: file:///etc/passwd:"
     " has no host that can be asked for; write a name or an address, IPv6 in brackets"),
    (["http://a/", "/tmp", "unverified=true"], "http: the URL ends in no name; write"
     " to=FOLDER/NAME"),
    (["http://a/x", "/data/../etc/x", "unverified=true"], "http: field 'to' has '..' in it; write"
     " where it is to go"),
    (["http://a/x", "/x", "unverified=true", "mode=4755"], "http: field 'mode' is '4755'; write one"
     " like 0644"),
    (["http://a/x", "/x", "unverified=true", "max-size=lots"], "http: field 'max-size': 'lots' is"
     " no size; write one like 100Mi"),
    (["http://a/x", "/x", "unverified=true", "strip=1"], "http: field 'strip' is for archives; add"
     " unpack=tar or unpack=zip"),
    (["http://a/x", "/x", "unverified=true", "header-env=Authorization:NOT_THERE"], "http: the"
     " variable NOT_THERE is not set, or holds what no header may have"),
    (["http://a/x", "/x", "unverified=true", "a\nb"], "http: word 5 is no field; write name=value"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said"), WRONG, ids=range(len(WRONG)))
def test_wrong_words_are_told_before_anything_is_done(words: list[str], said: str) -> None:
    """What is wrong and what to write, without what may be secret."""
    assert (2, [f"initject: {said}"]) == shop.fetched(*words)


def test_a_value_stays_in_its_field(tmp_path: Path) -> None:
    """Whatever somebody puts into it."""
    hostile = tmp_path / "a unverified=true&to=#x --timeout=1s"
    with shop.open_shop(shop.fine(BODY)) as server:
        said = shop.attempt("http", f"url={server.url()}", f"to={hostile}", "unverified=true")

    assert f"14 bytes, unverified, to {hostile}" == said
    assert BODY == hostile.read_bytes()


def modules(tmp_path: Path, *words: str) -> set[str]:
    code = (
        "import sys; from webhook.cli import main; main.run(['fetch', '--timeout', '1s', "
        "*sys.argv[1:]]); print(*sorted(sys.modules), file=sys.stdout)"
    )
    call = [sys.executable, "-c", code, *words]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"asyncio", "httpx", "re2", "yaml", "msgspec", "kubernetes", "tarfile", "zipfile"}
HEAVY |= {"webhook.policy", "webhook.settings", "cel_expr_python", "fastapi", "cryptography"}


def test_it_loads_nothing_that_is_heavy(tmp_path: Path) -> None:
    """Neither the webhook nor archives, signatures or HTTP for who does not need them."""
    (tmp_path / "from").mkdir()
    with shop.open_shop(shop.fine(BODY)) as server:
        loaded = modules(tmp_path, server.url(), f"{tmp_path}/x", "unverified=true")
    copied = modules(tmp_path, "copy", f"from={tmp_path}/from", f"to={tmp_path}/to")

    assert set() == HEAVY & loaded
    assert set() == (HEAVY | {"http.client", "ssl"}) & copied


def test_it_takes_little_memory_with_a_file_that_is_large(tmp_path: Path) -> None:
    """What a step needs fits beside the smallest application, whatever it fetches: 40 MB."""
    needs.file(Path("/proc/self/status"), how="run on Linux")
    body = bytes(64 * 1024 * 1024)
    code = (
        "import sys; from pathlib import Path; from webhook.cli import main; import ssl; "
        "ssl.create_default_context(); main.run(['fetch', *sys.argv[1:]]); "
        "print(Path('/proc/self/status').read_text())"
    )
    with shop.open_shop(shop.fine(body)) as server:
        call = [sys.executable, "-c", code, server.url(), f"{tmp_path}/x"]
        call.append(f"sha256={hashlib.sha256(body).hexdigest()}")
        done = subprocess.run(call, capture_output=True, text=True, check=True)
    most = re.search(r"^VmHWM:\s+(\d+) kB$", done.stdout, re.MULTILINE)

    assert len(body) == (tmp_path / "x").stat().st_size
    assert most, done.stderr
    assert int(most[1]) < 40 * 1024


def wait_for(done: object) -> None:
    assert callable(done)
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)
