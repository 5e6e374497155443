"""The handshakes against real servers, from before they start until they are there."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.runner import stand
from tests.runner.test_wait import waited


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture
def place() -> Iterator[Path]:
    """A short path that a server's own user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_redis_with_a_password(place: Path) -> None:
    """Asking for a password is ready."""
    program = needs.program("redis-server", how="apt-get install redis-server")
    port = free_port()
    assert "connection refused" == stand.look(f"redis://127.0.0.1:{port}")

    options = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", "x", "--save", ""]
    with running([program, *options], cwd=place):
        status, said = waited("--timeout", "30s", f"redis://127.0.0.1:{port}")

    assert 0 == status, said


def as_postgres() -> Mapping[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres"} if os.geteuid() == 0 else {}


def test_postgres_with_a_password(place: Path) -> None:
    """Asking for a password is ready, whoever asks; so is refusing a database that is not there."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    where = f"{':'.join(found)}:{os.environ['PATH']}"
    initdb = shutil.which("initdb", path=where)
    if not initdb:
        needs.leave_out("initdb", "apt-get install postgresql")
        return
    (place / "password").write_text("x\n")
    if os.geteuid() == 0:
        shutil.chown(place, "postgres")
        shutil.chown(place / "password", "postgres")
    data, port = place / "data", free_port()
    subprocess.run(
        [
            initdb,
            "-D",
            data,
            "--auth-host=scram-sha-256",
            "--auth-local=trust",
            "--no-sync",
            f"--pwfile={place / 'password'}",
            "--username=postgres",
        ],
        check=True,
        capture_output=True,
        cwd=place,
        **as_postgres(),
    )
    server = Path(initdb).with_name("postgres")
    options = ["-D", data, "-p", str(port), "-k", place, "-h", "127.0.0.1", "-F"]
    with running([str(server), *map(str, options)], cwd=place, **as_postgres()):
        url = f"postgres://127.0.0.1:{port}"
        status, said = waited("--timeout", "60s", url, f"{url}/nowhere#user=nobody")
        assert "the server speaks no TLS" == stand.look(f"{url}#tls=true")

    assert 0 == status, said
    assert "connection refused" == stand.look(url)
