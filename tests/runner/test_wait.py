"""`initject wait` as a process of its own: how it ends, and what it says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import needs
from tests.runner import stand
from webhook.runner import schemes
from webhook.runner.objects import account


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "webhook", "wait", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def waited(*arguments: str) -> tuple[int, list[str]]:
    """The exit status, and the lines without the times in them."""
    process = start(*arguments)
    _, said = process.communicate(timeout=60)
    return process.returncode, re.sub(r"after [0-9.]+s", "after …", said).splitlines()


@contextmanager
def reserved() -> Iterator[int]:
    """A port that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def test_it_ends_when_all_targets_are_ready() -> None:
    """A server that comes up late is found; each change is a line, and so is the end."""
    with stand.standing(stand.saying(b"+PONG\r\n")) as redis, reserved() as port:
        late = socket.socket()
        late.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        process = start(f"tcp://127.0.0.1:{port}", redis.url("redis"))
        assert process.stderr is not None
        first = {process.stderr.readline(), process.stderr.readline()}
    with late:
        late.bind(("127.0.0.1", port))
        late.listen()
        _, said = process.communicate(timeout=60)

    assert 0 == process.returncode
    assert f"initject wait: tcp://127.0.0.1:{port}: not ready: connection refused\n" in first
    assert [
        f"initject wait: tcp://127.0.0.1:{port}: ready after …",
        f"initject wait: ready after …: tcp://127.0.0.1:{port}, {redis.url('redis')}",
    ] == re.sub(r"after [0-9.]+s", "after …", said).splitlines()


def test_it_gives_up_at_the_deadline(tmp_path: Path) -> None:
    """With a status of its own, and a last line that says what, how long, and why."""
    message = tmp_path / "message"
    with reserved() as port:
        target = f"http://127.0.0.1:{port}/health?token=s3cret#header=Authorization: s3cret"
        status, said = waited("--timeout", "1s", "--termination-message", str(message), target)
    shown = f"http://127.0.0.1:{port}/health"

    assert 210 == status
    assert [
        f"initject wait: {shown}: not ready: connection refused",
        f"initject wait: gave up after …, not ready: {shown}: connection refused",
    ] == said
    assert [said[-1]] == [re.sub(r"after [0-9.]+s", "after …", message.read_text())]


def test_with_any_one_ready_target_is_enough() -> None:
    """The others may be anything."""
    with stand.standing(stand.silent) as server, reserved() as port:
        status, said = waited("--mode", "any", f"tcp://127.0.0.1:{port}", server.url("tcp"))

    assert (0, f"initject wait: ready after …: {server.url('tcp')}") == (status, said[-1])


def test_with_all_one_that_is_missing_is_named_alone() -> None:
    """The last line names what was not there, and the status is the one that was asked for."""
    with stand.standing(stand.silent) as server:
        arguments = ["--timeout", "700ms", "--attempt-timeout", "100ms", "--exit-code", "7"]
        status, said = waited(*arguments, server.url("tcp"), server.url("redis"))

    name = server.url("redis")
    assert (7, f"initject wait: gave up after …, not ready: {name}: no answer in time") == (
        status,
        said[-1],
    )
    assert server.connections > 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """With a line that says what was missing, and the status that a shell gives."""
    message = tmp_path / "message"
    with stand.standing(stand.silent) as server:
        process = start(
            *("--attempt-timeout", "100ms", "--termination-message", str(message)),
            server.url("redis"),
        )
        assert process.stderr is not None
        process.stderr.readline()
        began = time.monotonic()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)

    assert time.monotonic() - began < 5
    assert 128 + number == process.returncode
    assert said.startswith("initject wait: was stopped after ")
    assert message.read_text() == said.rstrip("\n")


def test_a_message_that_cannot_be_left_changes_nothing() -> None:
    """The wait has ended well; what failed is a line."""
    with stand.standing(stand.silent) as server:
        status, said = waited("--termination-message", "/nowhere/message", server.url("tcp"))

    assert 0 == status
    assert (
        "initject wait: /nowhere/message cannot be written: No such file or directory" == said[-1]
    )


def test_wrong_targets_are_named_together() -> None:
    """Before anything is looked at, and without the password."""
    status, said = waited("postgres://me:s3cret@db", "reddis://cache", "tcp://db")

    assert 2 == status
    assert [
        "initject: postgres://db: has a user; leave it out: nothing secret stands in a URL",
        "initject: reddis://cache: unknown scheme 'reddis'; did you mean redis?",
        "initject: tcp://db: has no port; write one",
    ] == said


@pytest.mark.parametrize("value", ["5", "0s", "25h", "soon"])
def test_every_wait_has_an_end(value: str) -> None:
    """A deadline that is none is wrong usage."""
    status, said = waited("--timeout", value, "tcp://db:5432")

    assert 2 == status
    assert said[0].startswith("initject wait: Invalid value for '--timeout': ")


def test_a_line_is_said_when_something_changes_only() -> None:
    """Many attempts that fail alike are one line; another reason is another."""
    answers = iter([b"-LOADING Redis is loading\r\n"] * 4 + [b"-BUSY\r\n"] + [b"+PONG\r\n"])
    lock = threading.Lock()

    def talk(client: socket.socket) -> None:
        with lock:
            answer = next(answers)
        stand.saying(answer)(client)

    with stand.standing(talk) as server:
        status, said = waited(server.url("redis"))
        name = server.url("redis")

    assert 0 == status
    assert [
        f"initject wait: {name}: not ready: LOADING Redis is loading",
        f"initject wait: {name}: not ready: BUSY",
        f"initject wait: {name}: ready after …",
        f"initject wait: ready after …: {name}",
    ] == said


def test_it_loads_nothing_that_is_heavy() -> None:
    """Neither the webhook, nor an HTTP client, nor TLS for a target without it."""
    code = (
        "import sys; from webhook.cli import main; main.run(['wait', '--timeout', '1ms', "
        "'redis://127.0.0.1:1']); print(*sorted(sys.modules), file=sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"ssl", "asyncio", "httpx", "http.client", "re2", "yaml", "msgspec", "kubernetes"}
    heavy |= {"webhook.policy", "webhook.settings", "cel_expr_python", "fastapi", "cryptography"}

    assert set() == heavy & set(done.stdout.split())


def test_it_takes_little_memory_with_every_kind_at_once() -> None:
    """What a step needs fits beside the smallest application: 40 MB."""
    needs.file(Path("/proc/self/status"), how="run on Linux")
    plain = [s for s, module in schemes.SCHEMES.items() if module not in ("dns", "object")]
    urls = [f"{scheme}://127.0.0.1:1" for scheme in plain] + ["job://load"]
    code = (
        "import sys; from pathlib import Path; from webhook.cli import main; "
        "main.run(['wait', '--timeout', '1ms', *sys.argv[1:]]); "
        "print(Path('/proc/self/status').read_text())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *urls, "https://127.0.0.1:1#body=UP"],
        env={**os.environ, account.HOST: "127.0.0.1"},
        capture_output=True,
        text=True,
        check=True,
    )
    most = re.search(r"^VmHWM:\s+(\d+) kB$", done.stdout, re.MULTILINE)

    assert most, done.stderr
    assert int(most[1]) < 40 * 1024
