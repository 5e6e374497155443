"""Names that are not there, and resolvers that do not answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests import needs

OWN = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
SILENT = "127.53.53.53"  # of this machine, where nobody answers


def test_a_resolver_that_never_answers_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    """The wait ends by its deadline, though the lookup itself cannot be interrupted."""
    needs.root()  # for a resolv.conf of its own
    unshare = needs.program("unshare", how="apt-get install util-linux")
    (tmp_path / "resolv.conf").write_text(f"nameserver {SILENT}\noptions timeout:30 attempts:5\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind((SILENT, 53))
        wait = [sys.executable, "-m", "webhook", "wait", "--timeout", "2s", "--attempt-timeout"]
        wait += ["500ms", "--termination-message", "", "tcp://database.example.com:5432"]
        began = time.monotonic()
        done = subprocess.run(
            [
                unshare,
                "--mount",
                "sh",
                "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"',
                str(tmp_path / "resolv.conf"),
                *wait,
            ],
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        asked = resolver.recv(512)

    assert (210, 2) == (done.returncode, done.stderr.count("\n")), done.stderr
    assert done.stderr.endswith(
        "tcp://database.example.com:5432: looking up the name takes too long\n"
    )
    assert time.monotonic() - began < 20
    assert b"\x08database\x07example" in asked
