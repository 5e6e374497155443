"""Where a real server of a test runs, and how its program is started there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@dataclass(frozen=True)
class Place:
    """A short path that a server's own user can reach, a port, and a certificate for `host`.

    `spare` gives further ports of 127.0.0.1, for what the server has to say to itself.
    """

    folder: Path
    port: int
    host: str = "127.0.0.1"
    spare: Callable[[], int] = free_port
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def url(self, scheme: str, rest: str = "") -> str:
        return f"{scheme}://{self.host}:{self.port}{rest}"

    def give(self, user: str) -> str | None:
        """Give what is in it to a user, where we may: who the server is to run as."""
        if os.geteuid() != 0:
            return None  # the server will be ours; some refuse to run as root
        for path in (self.folder, *self.folder.iterdir()):
            shutil.chown(path, user)
        return user


@contextmanager
def place(
    host: str = "127.0.0.1", port: int = 0, spare: Callable[[], int] = free_port
) -> Iterator[Place]:
    """A place for one server, on a free port unless it is told which."""
    with tempfile.TemporaryDirectory() as folder:
        found = Place(Path(folder), port or spare(), host, spare)
        found.authority.cert_pem.write_to_path(found.ca)
        issued = found.authority.issue_cert(host)
        issued.private_key_pem.write_to_path(found.folder / "tls.key")
        (found.folder / "tls.key").chmod(0o600)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(found.folder / "tls.crt", append=number > 0)
        yield found


@dataclass(frozen=True)
class Program:
    """A server that can be started; `after` ends what it leaves behind."""

    place: Place
    command: Sequence[str]
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    after: Sequence[str] = ()

    @contextmanager
    def running(self) -> Iterator[None]:
        """From its start, not from its being ready, to its end."""
        variables = {**os.environ, **self.environment}
        process = subprocess.Popen(
            self.command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.place.folder,
            user=self.user,
            env=variables,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(60)
            if self.after:
                subprocess.run(self.after, env=variables, check=False, capture_output=True)
