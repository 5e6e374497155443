"""What `make run` does: serve the examples, and show a pod before and after."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import BIN, CHECKOUT

EXAMPLES = CHECKOUT / "examples"
READY = re.compile(r"ready on (https://127\.0\.0\.1:\d+)")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `initject certs` makes."""
    folder = tmp_path_factory.mktemp("keys")
    subprocess.run([BIN / "initject", "certs", "--dir", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def address(keys: Path) -> Iterator[str]:
    """A server with all examples, as `make run` starts it, but on free ports."""
    policies = [f"--policies={path}" for path in sorted(EXAMPLES.glob("*/policy.yaml"))]
    spaces = [EXAMPLES / "namespaces.yaml", *sorted(EXAMPLES.glob("*/namespace.yaml"))]
    namespaces = [f"--namespaces={path}" for path in spaces]
    ports = ["--port=0", "--health-port=0", "--drain-seconds=0.1", "--log-level=warning"]
    command = [BIN / "initject", "serve", f"--cert-dir={keys}", *ports, *policies, *namespaces]
    log = keys / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 20
        while not (found := READY.search(log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield found.group(1)
    finally:
        process.terminate()
        process.wait(20)


def send(address: str, keys: Path, *more: str) -> subprocess.CompletedProcess[str]:
    flags = ["--url", f"{address}/mutate", "--ca", str(keys / "ca.crt")]
    command = [sys.executable, str(EXAMPLES / "send.py"), *flags, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_line_to_paste_shows_what_was_added(address: str, keys: Path) -> None:
    """The pod is printed whole; what the webhook added, and nothing else, is marked."""
    answer = send(address, keys)

    assert (0, "") == (answer.returncode, answer.stderr)
    assert "   name: shop\n" in answer.stdout
    assert "+  - name: wait-for-database\n" in answer.stdout
    assert [] == [line for line in answer.stdout.splitlines() if line[:1] not in {" ", "+"}]


def test_the_line_to_paste_works_for_every_lesson(address: str, keys: Path) -> None:
    """Each lesson's pod is answered while all policies are in force."""
    pods = sorted(EXAMPLES.glob("*/pod.yaml"))
    answers = [send(address, keys, str(pod)) for pod in pods if "kind: Pod" in pod.read_text()]

    assert answers
    assert [] == [answer.stderr for answer in answers if "does not answer" in answer.stderr]


def test_without_a_server_the_line_says_what_to_do(keys: Path) -> None:
    """Whoever pastes too early is told to look at the first terminal."""
    answer = send("https://127.0.0.1:1", keys)

    assert 1 == answer.returncode
    assert "Does `make run` say that it is ready?" in answer.stderr
