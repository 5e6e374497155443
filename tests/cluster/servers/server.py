"""One server: a program in the network of a node that a test starts, ends and kills."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import needs
from tests.cluster import keys
from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.registration import until

HOST = keys.NODE_IP
# A PID namespace of its own: when its first process is killed, everything that it started is gone.
ALONE = ["unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount"]


@dataclass(slots=True)
class Server:
    """A program that listens on HOST and `port`; `folder` is its own, and stays between starts.

    `answers` says whether it does its work, where it is not enough that it listens; `user` is whom
    it runs as.
    """

    node: Node
    name: str
    port: int
    folder: Path
    command: Sequence[str]
    answers: Callable[[], bool] | None = None
    user: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    host: str = HOST

    @property
    def log(self) -> Path:
        """What it has printed since the test began."""
        return self.folder / "log"

    def launch(self) -> None:
        """Start it, and do not wait until it works."""
        assert self._process is None, f"{self.name} runs already"
        command = [*ALONE, *self._as_user(), *self.command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.node.command(*command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.environment},
            )

    def start(self, *, seconds: float = 60) -> None:
        """Start it; returns when it works."""
        self.launch()
        try:
            until(self._works, f"{self.name} answers", seconds=seconds)
        except AssertionError as error:
            message = f"{error}\n{self.log.read_text(errors='replace')[-2000:]}"
            raise AssertionError(message) from error

    def stop(self) -> None:
        """End it as an administrator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a machine ends that loses its power."""
        self._end(signal.SIGKILL)

    def named(self, space: str) -> str:
        """Give it a name in a namespace, by a Service that leads to it; that name."""
        return named(self.node, space, self.name, self.port)

    def ask(self, *command: str, variables: Mapping[str, str] | None = None) -> str:
        """What a client's command prints, in the node's network; it must not fail."""
        done = self.attempt(*command, variables=variables)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def attempt(
        self, *command: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What becomes of a client's command."""
        return subprocess.run(
            self.node.command(*command),
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _works(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} has ended"
        return self.answers() if self.answers else self._listens()

    def _listens(self) -> bool:
        connect = ["bash", "-c", f"exec 3<>/dev/tcp/{self.host}/{self.port}"]
        return self.attempt(*connect).returncode == 0

    def _as_user(self) -> list[str]:
        if self.user is None:
            return []
        ids = [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
        return ["setpriv", *ids, "--pdeathsig", "KILL"]

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        first = children.read_text().split()  # empty while unshare has not forked yet
        os.kill(int(first[0]) if first else process.pid, number)
        process.wait(60)


@contextmanager
def home(name: str, user: str | None = None) -> Iterator[Path]:
    """A folder for a server's data, with a short path that its user can reach."""
    with tempfile.TemporaryDirectory(prefix=f"initject-{name}-") as top:
        if user is not None:
            shutil.chown(top, user, user)
        yield Path(top)


@contextmanager
def ending(server: Server) -> Iterator[Server]:
    """A server that is not started yet; it is ended afterwards."""
    try:
        yield server
    finally:
        server.kill()


def named(node: Node, space: str, name: str, port: int) -> str:
    """Give what listens on HOST a name in a namespace, by a Service that leads to it; that name."""
    for value in service(name, space, port):
        answer = node.api.apply(value)
        assert answer.code in {200, 201}, answer.message
    return name


def service(name: str, space: str, port: int) -> tuple[Json, Json]:
    """A Service without a selector, so that its name is the address of HOST."""
    metadata = {"name": name, "namespace": space}
    ports = [{"name": "own", "port": port}]
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"clusterIP": "None", "ports": ports},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [HOST], "conditions": {"ready": True}}],
            "ports": ports,
        },
    )


def program(name: str, package: str, *folders: str) -> str:
    """The path of a server's program, which Debian may keep out of the path."""
    found = shutil.which(name, path=":".join([os.environ["PATH"], "/usr/sbin", *folders]))
    return found or needs.leave_out(name, f"apt-get install {package}")
