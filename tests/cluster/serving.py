"""`initject serve` inside the cluster's network, as a process of its own."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.cluster import machine
from tests.cluster.registration import until

PORTS = itertools.count(9443)  # nobody else is in that network


@dataclass(frozen=True, slots=True)
class Served:
    """A running webhook: its addresses, its folder of `policies` and `tls`, what it has printed."""

    folder: Path
    url: str
    health: str
    process: subprocess.Popen[bytes]

    def printed(self) -> str:
        return (self.folder / "serve.log").read_text()


@contextmanager
def serve(
    cluster: Path, folder: Path, ca: trustme.CA, *flags: str, within: Sequence[str] = ()
) -> Iterator[Served]:
    """Serve as `start` does, from being ready until the end."""
    served = start(cluster, folder, ca, *flags, within=within)
    try:
        until(lambda: is_ready(served), "initject serve is ready", seconds=60)
        yield served
    finally:
        served.process.send_signal(signal.SIGTERM)
        served.process.wait(20)
    assert served.process.returncode == 0, served.printed()


def start(
    cluster: Path, folder: Path, ca: trustme.CA, *flags: str, within: Sequence[str] = ()
) -> Served:
    """A process that serves with a certificate by `ca` and the policies in `folder`/policies.

    Without such a folder `flags` say where policies come from. `within` runs our command.
    """
    (folder / "tls").mkdir()
    certify(folder / "tls", ca)
    port, health = next(PORTS), next(PORTS)
    policies = folder / "policies"
    command = [
        *(sys.executable, "-m", "webhook", "serve", f"--port={port}", f"--health-port={health}"),
        *([f"--policies={policies}"] if policies.exists() else []),
        f"--cert-dir={folder / 'tls'}",
        *("--reload-seconds=0.1", "--certificate-seconds=0.1", "--drain-seconds=0.1", *flags),
    ]
    with (folder / "serve.log").open("wb") as out:
        process = subprocess.Popen(
            machine.inside(cluster, *within, *command), stdout=out, stderr=out
        )
    url, health_url = f"https://127.0.0.1:{port}/mutate", f"http://127.0.0.1:{health}"
    return Served(folder, url, health_url, process)


def certify(folder: Path, ca: trustme.CA) -> None:
    """Write a pair by `ca` as cert-manager and the kubelet do: the folder changes as a whole."""
    pair = ca.issue_cert("127.0.0.1", "localhost")
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    pair.private_key_pem.write_to_path(fresh / "tls.key")
    pair.cert_chain_pems[0].write_to_path(fresh / "tls.crt")
    link = folder / "..data.new"
    link.symlink_to(fresh.name)
    link.replace(folder / "..data")
    for name in ("tls.key", "tls.crt"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


def is_ready(served: Served) -> bool:
    assert served.process.poll() is None, served.printed()
    return "initject: ready on " in served.printed()
