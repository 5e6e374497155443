"""A whole node: deploy/README.md is followed to the letter, and injected pods run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests import needs
from tests.cluster import image as small_image
from tests.cluster import machine
from tests.cluster.conftest import BINARIES
from tests.house.tree import BIN, CHECKOUT
from tests.podman import Podman

PROGRAMS = {
    "etcd": "etcd-server",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "runc": "runc",
}
BLOCK = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: hello}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps:
    - name: say-hello
      container:
        image: localhost/busybox:1
        imagePullPolicy: Never
        command: [sh, -c, 'echo "hello from $(id -u)" > /out/hello']
        volumeMounts: [{name: hello, mountPath: /out}]
  volumes:
    - name: hello
      emptyDir: {sizeLimit: 1Mi}
      mountInto: [{containers: ["*"], mountPath: /hello, readOnly: true}]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: localhost/busybox:1
          imagePullPolicy: Never
          command: [sh, -c, "cat /hello/hello; sleep 3600"]
"""


@dataclass(frozen=True, slots=True)
class Node:
    """A running node, and a folder in which its user stands."""

    cluster: Path
    home: Path

    def run(self, script: str) -> str:
        """What a script of the user prints; it must not fail."""
        environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "KUBECONFIG": str(self.cluster / "kubeconfig"),
        }
        done = subprocess.run(
            machine.inside(self.cluster, "bash", "-euo", "pipefail", "-c", script),
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout


def steps() -> list[str]:
    """The commands of deploy/README.md for file mode and for leaving, a block each."""
    text = (CHECKOUT / "deploy" / "README.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")}
    return BLOCK.findall(sections["File mode"] + sections["Leaving"])


@pytest.fixture(scope="module")
def archives(podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Our image under the name that the manifests give it, and a busybox."""
    folder = tmp_path_factory.mktemp("images")
    ours, busybox = folder / "initject.tar", folder / "busybox.tar"
    name = "registry.example.com/initject/initject:0.1.0"
    podman.must("tag", image, name)
    podman.must("save", "--quiet", "--format=docker-archive", f"--output={ours}", name)
    podman.must("untag", image, name)
    links = {f"bin/{name}": "@busybox" for name in ("sh", "cat", "id", "sleep")}
    small_image.write(
        "localhost/busybox:1", busybox, {"bin/busybox": "/bin/busybox", **links}, ["sh"]
    )
    return [ours, busybox]


@pytest.fixture(scope="module")
def node(archives: list[Path]) -> Iterator[Node]:
    """A node with both images."""
    for name, package in PROGRAMS.items():
        needs.program(name, how=f"apt-get install {package}")
    plugins = "apt-get install containernetworking-plugins"
    needs.file(Path("/usr/lib/cni/bridge"), how=plugins)
    needs.file(BINARIES / "coredns", how="make cluster builds it")
    with tempfile.TemporaryDirectory(prefix="initject-") as top:
        folder = Path(top) / "cluster"
        flags = [f"--image={archive}" for archive in archives]
        process = machine.up(BINARIES, folder, *flags)
        try:
            yield Node(folder, Path(top))
        finally:
            machine.down(folder)
            process.wait()


@pytest.fixture(scope="module")
def deployed(node: Node) -> Iterator[Node]:
    """The webhook, deployed by the steps of the README, with a policy of our own."""
    shutil.copytree(CHECKOUT / "deploy", node.home / "deploy")
    overlay = node.home / "deploy" / "kustomize" / "overlays" / "file-mode"
    (overlay / "policies" / "wait-for-database.yaml").write_text(POLICY)
    (node.home / "shop.yaml").write_text(DEPLOYMENT)
    certificate, everything, trust, opt_in, leave = steps()
    for script in (certificate, everything, trust, "kubectl create namespace shop", opt_in):
        node.run(script)
    yield node
    node.run(leave.replace("delete -k", "delete --wait=false -k"))  # a minute for the namespace


def test_the_readme_leads_to_two_pods_that_are_ready(deployed: Node) -> None:
    """Nothing but what deploy/README.md says was done."""
    shown = yaml.safe_load(deployed.run("kubectl -n initject get deployment initject -o yaml"))

    assert 2 == shown["status"]["readyReplicas"]


def test_an_injected_step_runs_before_the_application(deployed: Node) -> None:
    """The application reads what the step, as user 65532, has written into the shared volume."""
    deployed.run("kubectl apply -f shop.yaml; kubectl -n shop rollout status deployment/shop")

    said = deployed.run("kubectl -n shop logs deployment/shop --container app")

    assert "hello from 65532\n" == said


def test_while_all_our_pods_are_replaced_each_pod_is_injected(deployed: Node) -> None:
    """A rolling restart: the API server, which goes on without an answer, always gets one."""
    deployed.run("kubectl -n initject rollout restart deployment/initject")
    create = "kubectl create --dry-run=server -o yaml -f pod.yaml | grep -c 'name: say-hello'"
    pod = yaml.safe_load(DEPLOYMENT)["spec"]["template"]
    metadata = {**pod["metadata"], "generateName": "shop-", "namespace": "shop"}
    whole = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": metadata}
    (deployed.home / "pod.yaml").write_text(yaml.safe_dump(whole))

    counts = deployed.run(
        f"kubectl -n initject rollout status deployment/initject >rollout & "
        f"while kill -0 $! 2>/dev/null; do {create}; done; wait"
    )

    assert {"1"} == set(counts.split())
