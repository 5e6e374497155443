"""`initject serve` inside the cluster's network, as a process of its own."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.cluster import machine
from tests.cluster.registration import until

PORTS = itertools.count(9443)  # nobody else is in that network


@dataclass(frozen=True, slots=True)
class Served:
    """A running webhook: its address, and what it has printed."""

    url: str
    health: str
    process: subprocess.Popen[bytes]
    log: Path

    def printed(self) -> str:
        return self.log.read_text()


@contextmanager
def serve(cluster: Path, folder: Path, ca: trustme.CA, *flags: str) -> Iterator[Served]:
    """Serve with the policies in `folder`/policies and a certificate by `ca`, until the end."""
    keys = folder / "tls"
    keys.mkdir(exist_ok=True)
    pair = ca.issue_cert("127.0.0.1", "localhost")
    pair.private_key_pem.write_to_path(keys / "tls.key")
    pair.cert_chain_pems[0].write_to_path(keys / "tls.crt")
    port, health = next(PORTS), next(PORTS)
    command = [
        *(sys.executable, "-m", "webhook", "serve", f"--port={port}", f"--health-port={health}"),
        *(f"--policies={folder / 'policies'}", f"--cert-dir={keys}", "--log-level=debug"),
        *("--drain-seconds=0.1", *flags),
    ]
    log = folder / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(machine.inside(cluster, *command), stdout=out, stderr=out)
    url, health_url = f"https://127.0.0.1:{port}/mutate", f"http://127.0.0.1:{health}"
    served = Served(url, health_url, process, log)
    try:
        until(lambda: is_ready(served), "initject serve is ready")
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert process.returncode == 0, served.printed()


def is_ready(served: Served) -> bool:
    assert served.process.poll() is None, served.printed()
    return "initject: ready on " in served.printed()
