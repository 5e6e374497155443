"""One control plane for all tests of this folder, and what registers a webhook with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests import needs
from tests.cluster import machine
from tests.cluster.api import Api
from tests.cluster.network import Inside

CACHE = Path(os.environ.get("INITJECT_CACHE") or Path.home() / ".cache" / "initject")
BINARIES = CACHE / "kubernetes-1.37.2"

# Of each pod that is created one line, with the annotations that webhooks gave it.
AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [create], resources: [{group: "", resources: [pods]}]}
  - {level: None}
"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder of a running control plane (API server and etcd, no node)."""
    needs.root()
    for name, package in (("etcd", "etcd-server"), ("ip", "iproute2"), ("sysctl", "procps")):
        needs.program(name, how=f"apt-get install {package}")
    needs.file(BINARIES / "kube-apiserver", how="make cluster builds it")
    with tempfile.TemporaryDirectory(prefix="initject-") as top:
        folder = Path(top) / "cluster"
        audit = Path(top) / "audit.yaml"
        audit.write_text(AUDIT)
        flags = [f"--audit-policy-file={audit}", f"--audit-log-path={folder / 'audit.log'}"]
        api_flags = [f"--api-flag={flag}" for flag in flags]
        process = machine.up(BINARIES, folder, "--control-plane-only", *api_flags)
        try:
            yield folder
        finally:
            machine.down(folder)
            process.wait()


@pytest.fixture(scope="session")
def inside(cluster: Path) -> Iterator[Inside]:
    """A thread in the cluster's network."""
    thread = Inside(machine.first_process(cluster))
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def api(cluster: Path, inside: Inside) -> Iterator[Api]:
    """The API server, as its administrator."""
    client = Api(inside, cluster / "pki" / "ca.crt")
    client.space("default")
    yield client
    client.close()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The authority that signs the webhooks' certificates."""
    return trustme.CA()
