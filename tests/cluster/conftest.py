"""What the tests of this folder share: a control plane, two nodes, an installed release.

Fixtures only join what `plane`, `nodes`, `images` and `release` do; tests that need one of their
own take it from there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests import needs
from tests.cluster import enforcing, images, nodes, plane, release
from tests.cluster import load as loads
from tests.cluster.api import Api
from tests.cluster.network import Inside
from tests.podman import Podman

# Of each pod that is created one line, with the annotations that webhooks gave it.
AUDIT = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [create], resources: [{group: "", resources: [pods]}]}
  - {level: None}
"""


@pytest.fixture(scope="session", autouse=True)
def _kubectl_leaves_nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Else what it has heard of clusters that are gone stays in the home folder."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KUBECACHEDIR", str(tmp_path_factory.mktemp("kubectl")))
        yield


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
def shared_plane() -> Iterator[plane.Plane]:
    """One control plane (API server and etcd, no node) for all that do not need their own."""
    with tempfile.TemporaryDirectory(prefix="initject-") as top:
        folder = Path(top) / "cluster"
        with plane.running(folder, *api_flags(Path(top), folder)) as found:
            yield found


@pytest.fixture(scope="session")
def cluster(shared_plane: plane.Plane) -> Path:
    """The folder of the shared control plane."""
    return shared_plane.folder


@pytest.fixture(scope="session")
def inside(shared_plane: plane.Plane) -> Inside:
    """A thread in its network."""
    return shared_plane.inside


@pytest.fixture(scope="session")
def api(shared_plane: plane.Plane) -> Api:
    """Its API server, as the administrator."""
    return shared_plane.api


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The authority that signs the webhooks' certificates."""
    return trustme.CA()


@pytest.fixture(scope="session")
def archives(
    podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ...]:
    """Our image under the name that the manifests give it, and one of tools."""
    folder = tmp_path_factory.mktemp("images")
    return images.ours(podman, image, folder), images.tools(folder)


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    """A node for the whole run, or the cluster of INITJECT_CLUSTER. Tests have namespaces on it."""
    with tempfile.TemporaryDirectory(prefix="initject-") as top:
        if needs.CLUSTER:
            with nodes.existing(Path(top), Path(needs.CLUSTER)) as found:
                yield found
        else:
            nodes.needed()
            with nodes.running(Path(top), request.getfixturevalue("archives")) as found:
                yield found


@pytest.fixture
def space(node: nodes.Node) -> Iterator[str]:
    """A namespace for one test on the node, opted in."""
    with node.space() as name:
        yield name


@pytest.fixture(scope="session")
def installed(node: nodes.Node) -> Iterator[release.Release]:
    """Initject on the node, for the whole run: whoever changes it puts it back."""
    with release.installed(node) as found:
        yield found


@pytest.fixture(scope="module")
def load(installed: release.Release) -> Iterator[loads.Load]:
    """Two namespaces of the release for which pods can be created all the time."""
    with loads.of(installed) as found:
        yield found


@pytest.fixture(scope="module")
def bare_node(request: pytest.FixtureRequest) -> Iterator[nodes.Node]:
    """A node for one module that installs Initject itself, and need not take it away."""
    nodes.needed()
    with (
        tempfile.TemporaryDirectory(prefix="initject-") as top,
        nodes.running(Path(top), request.getfixturevalue("archives")) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def enforced(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[enforcing.Plane]:
    """A control plane for one module, with namespaces that enforce and what holds them to it."""
    with enforcing.running(ca, tmp_path_factory.mktemp("enforcing")) as found:
        yield found


@pytest.fixture
def dead(enforced: enforcing.Plane) -> enforcing.Plane:
    """Webhooks that nobody answers."""
    enforced.install(enforcing.DEAD)
    return enforced


@pytest.fixture
def alive(enforced: enforcing.Plane) -> enforcing.Plane:
    """Webhooks that are answered; a pod without an answer is refused."""
    enforced.install(enforced.url)
    return enforced
