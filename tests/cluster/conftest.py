"""One control plane for all tests of this folder, and what registers a webhook with it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests import needs
from tests.cluster import machine
from tests.cluster.api import Api
from tests.cluster.network import Inside

BINARIES = needs.CACHE / "kubernetes-1.37.2"

# Of each pod that is created one line, with the annotations that webhooks gave it.
AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [create], resources: [{group: "", resources: [pods]}]}
  - {level: None}
"""


def api_flags(top: Path, folder: Path) -> list[str]:
    """An audit log, and a client certificate to show to webhooks that ask for one."""
    pki = folder / "pki"
    user = {"client-certificate": str(pki / "client.crt"), "client-key": str(pki / "client.key")}
    files = {
        "audit.yaml": AUDIT,
        "webhooks.json": json.dumps({"users": [{"name": "*", "user": user}]}),
        "admission.json": json.dumps(
            {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "AdmissionConfiguration",
                "plugins": [
                    {
                        "name": "MutatingAdmissionWebhook",
                        "configuration": {
                            "apiVersion": "apiserver.config.k8s.io/v1",
                            "kind": "WebhookAdmissionConfiguration",
                            "kubeConfigFile": str(top / "webhooks.json"),
                        },
                    }
                ],
            }
        ),
    }
    for name, text in files.items():
        (top / name).write_text(text)
    return [
        f"--audit-policy-file={top / 'audit.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        f"--admission-control-config-file={top / 'admission.json'}",
    ]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The folder of a running control plane (API server and etcd, no node)."""
    needs.root()
    for name, package in (("etcd", "etcd-server"), ("ip", "iproute2"), ("sysctl", "procps")):
        needs.program(name, how=f"apt-get install {package}")
    needs.file(BINARIES / "kube-apiserver", how="make cluster builds it")
    with tempfile.TemporaryDirectory(prefix="initject-") as top:
        folder = Path(top) / "cluster"
        flags = [f"--api-flag={flag}" for flag in api_flags(Path(top), folder)]
        process = machine.up(BINARIES, folder, "--control-plane-only", *flags)
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
