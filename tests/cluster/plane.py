"""A control plane for one test or module alone: with flags of its own, and free to go away.

    with plane.running(folder, "--feature-gates=…") as own:
        own.api.space("shop")
        own.kill_api_server()

The tests of this folder share one (`cluster`, `api` in conftest.py); what changes its flags, kills
it or fills it takes another from here: three seconds, 300 MB.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import needs
from tests.cluster import control_plane, keys, machine
from tests.cluster.api import Api
from tests.cluster.network import Inside
from tests.cluster.parts import Parts
from tests.cluster.registration import until

BINARIES = needs.CACHE / "kubernetes-1.37.2"
PROGRAMS = {"etcd": "etcd-server", "ip": "iproute2", "sysctl": "procps"}


def needed() -> None:
    """Leave the test out where this machine cannot run a control plane."""
    needs.own_cluster()
    needs.root()
    for name, package in PROGRAMS.items():
        needs.program(name, how=f"apt-get install {package}")
    needs.file(BINARIES / "kube-apiserver", how="make cluster builds it")


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane: its folder, a thread in its network, its API server."""

    folder: Path
    inside: Inside
    api: Api
    flags: tuple[str, ...] = ()
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def signal_api_server(self, number: signal.Signals) -> None:
        """Send a signal to kube-apiserver: SIGSTOP and SIGCONT make it hang."""
        ours = os.readlink(f"/proc/{machine.first_process(self.folder)}/ns/pid")
        processes = Path("/proc").glob("[0-9]*")
        (process,) = (int(path.name) for path in processes if is_api_server(path, ours))
        os.kill(process, number)

    def kill_api_server(self) -> None:
        """Returns when nothing listens any more: until then another one could not start."""
        self.signal_api_server(signal.SIGKILL)
        until(lambda: self.inside(refused), "kube-apiserver is gone")

    def start_api_server(self) -> None:
        """Start it again as it was; returns when it is ready."""
        parts = Parts(BINARIES, self.folder)
        target = str(machine.first_process(self.folder))
        command = ["nsenter", "--net", "--pid", "--mount", "--target", target]
        flags = [*control_plane.api_server_flags(parts), *self.flags]
        with (self.folder / "logs" / "kube-apiserver.log").open("ab") as log:
            started = subprocess.Popen(
                [*command, str(BINARIES / "kube-apiserver"), *flags],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        self.started.append(started)
        until(lambda: self.inside(parts.api, "/readyz") == "ok", "kube-apiserver", seconds=60)


def is_api_server(process: Path, namespace: str) -> bool:
    """Whether a folder of /proc is kube-apiserver's in this namespace; it may go away meanwhile."""
    try:
        name = (process / "comm").read_text()
        return name == "kube-apiserver\n" and os.readlink(process / "ns" / "pid") == namespace
    except (FileNotFoundError, ProcessLookupError):
        return False


def refused() -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", keys.PORT)) != 0


@contextmanager
def running(folder: Path, *api_flags: str) -> Iterator[Plane]:
    """A control plane in `folder`, which must not exist yet, with further flags of kube-apiserver.

    It has the namespace `default` with its ServiceAccount, which no controller makes here.
    """
    needed()
    flags = [f"--api-flag={flag}" for flag in api_flags]
    process = machine.up(BINARIES, folder, "--control-plane-only", *flags)
    inside = Inside(machine.first_process(folder))
    api = Api(inside, folder / "pki" / "ca.crt")
    plane = Plane(folder, inside, api, api_flags)
    try:
        api.space("default")
        yield plane
    finally:
        api.close()
        inside.close()
        machine.down(folder)
        process.wait()
        for one in plane.started:
            one.kill()  # nsenter, which stops when what it runs is stopped
            one.wait()
