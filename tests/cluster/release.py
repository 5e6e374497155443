"""Initject installed on a node as deploy/README.md says for cluster mode, and taken away again."""

from __future__ import annotations

import base64
import itertools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml

from tests.cluster.api import Json, collection
from tests.cluster.nodes import Node
from tests.cluster.registration import until
from tests.house.tree import BIN, CHECKOUT
from webhook import testing

OVERLAY = CHECKOUT / "deploy" / "kustomize" / "overlays" / "cluster-mode"
NAMESPACE = "initject"
FIELDS = ("--server-side", "--force-conflicts")
PROBES = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Release:
    """Initject in its namespace, two replicas behind their Service."""

    node: Node
    namespace: str = NAMESPACE
    name: str = "initject"

    def settled(self) -> None:
        """Return when all replicas of the newest Deployment are Ready and the old ones gone."""
        self.node.run(
            f"kubectl -n {self.namespace} rollout status deployment/{self.name} --timeout=300s",
            seconds=320,
        )

    def pods(self) -> list[Json]:
        """Our own pods."""
        return self.node.pods(self.namespace)

    @contextmanager
    def policies(self, *texts: str) -> Iterator[None]:
        """Policies of these texts, applied and in force; deleted and forgotten afterwards."""
        values = [value for text in texts for value in yaml.safe_load_all(text) if value]
        self.apply(*values)
        self.caught_up()
        try:
            yield
        finally:
            self.delete(*values)
            self.caught_up()

    def apply(self, *values: Json) -> None:
        """As `kubectl apply` does. A refusal is a fault of the test."""
        for value in values:
            answer = self.node.api.apply(value)
            assert answer.code in {200, 201}, answer.message

    def delete(self, *values: Json) -> None:
        """Objects that were applied; those that are gone already are no fault."""
        for value in reversed(values):
            path = f"{collection(value)}/{value['metadata']['name']}"
            answer = self.node.api.ask("DELETE", path)
            assert answer.code in {200, 404}, answer.message

    def caught_up(self) -> None:
        """Return when every replica has what was applied or deleted before.

        Both kinds are watched apart, each in the order of its changes: so when a later policy of
        each kind is Ready, all that came before is seen.
        """
        name = f"probe-{next(PROBES)}"
        space = {"metadata": {"name": name, "namespace": self.namespace_of_probes()}}
        nothing = {"namespaces": ["nothing-is-called-so"]}
        probes = [
            policy(name, match=nothing),
            policy(name, kind="InitPolicy", match={"workloads": ["Nothing"]}) | space,
        ]
        self.apply(*probes)
        for probe in probes:
            until(lambda probe=probe: self.is_ready(probe), "policies are in force", seconds=180)
        self.delete(*probes)

    def is_ready(self, value: Json) -> bool:
        """Whether a policy is in force on every live replica."""
        path = f"{collection(value)}/{value['metadata']['name']}"
        found = self.node.api.ask("GET", path).body.get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in found)

    def namespace_of_probes(self) -> str:
        self.node.api.space("initject-probes", {"initject.dev/inject": "enabled"})
        return "initject-probes"

    def called(self) -> bool:
        """Whether the API server has a pod injected: whether it calls us."""
        name = "called"
        probe = policy(name, match={"namespaces": [self.namespace_of_probes()]})
        self.apply(probe)
        pod = testing.pod(name, namespace="initject-probes")
        spec = self.node.api.create(pod, dry_run=True).body.get("spec", {})
        found = any(one["name"] == name for one in spec.get("initContainers", []))
        if found:
            self.delete(probe)
        return found


def policy(name: str, *, kind: str = "ClusterInitPolicy", **spec: object) -> Json:
    """A policy with one step of its own name."""
    step = {"name": name, "container": {"image": "localhost/busybox:1", "command": ["true"]}}
    return {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"steps": [step], **spec},
    }


def rendered(overlay: Path = OVERLAY) -> list[Json]:
    """What `kubectl apply -k` would send."""
    command = [BIN / "kubectl", "kustomize", overlay]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


def rendered_with(component: str, overlay: Path = OVERLAY) -> list[Json]:
    """An overlay with this component as the way to a certificate, as deploy/README.md says.

    With `mounted-certificate`, `secret` and `trusting` are what else is needed.
    """
    with tempfile.TemporaryDirectory() as top:
        deploy = CHECKOUT / "deploy"
        shutil.copytree(deploy, Path(top) / "deploy")
        edited = Path(top) / "deploy" / overlay.relative_to(deploy)
        file = edited / "kustomization.yaml"
        ways = r"components/(own-certificates|mounted-certificate)"
        text, count = re.subn(ways, f"components/{component}", file.read_text())
        assert count == 1
        file.write_text(text)
        return rendered(edited)


def apply(node: Node, values: Iterable[Json]) -> None:
    """Apply objects server-side, in their order."""
    script = f"kubectl apply {' '.join(FIELDS)} --filename=-"
    done = subprocess.run(
        node.command(str(BIN / "kubectl"), *script.split()[1:]),
        input=yaml.safe_dump_all(values),
        env=node.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def secret(ca: trustme.CA, namespace: str, service: str = "initject") -> Json:
    """A certificate for the Service, in the Secret that the manifests name."""
    pair = ca.issue_cert(f"{service}.{namespace}.svc")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "initject-tls", "namespace": namespace},
        "stringData": {
            "tls.key": pair.private_key_pem.bytes().decode(),
            "tls.crt": pair.cert_chain_pems[0].bytes().decode(),
        },
    }


def trusting(values: Iterable[Json], ca: trustme.CA) -> list[Json]:
    """The manifests, whose webhooks trust `ca`."""
    bundle = base64.b64encode(ca.cert_pem.bytes()).decode()
    found = list(values)
    for value in found:
        for hook in value.get("webhooks", []):
            hook["clientConfig"]["caBundle"] = bundle
    return found


@contextmanager
def installed(node: Node) -> Iterator[Release]:
    """Initject on a node, called by the API server; nothing is left of it afterwards."""
    there = node.api.ask("GET", f"/api/v1/namespaces/{NAMESPACE}").code
    assert there == 404, f"the cluster has a namespace {NAMESPACE} already"
    values = rendered()
    release = Release(node)
    try:
        apply(node, values)
        release.settled()
        until(release.called, "the API server calls us", seconds=60)
        yield release
    finally:
        uninstall(node, values)


def uninstall(node: Node, values: Iterable[Json]) -> None:
    """Delete everything, the configurations first; returns when our namespace is gone."""
    node.run("kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration initject")
    kinds = ("Namespace", "ClusterRole", "CustomResourceDefinition")
    for value in values:
        if value["kind"].startswith(kinds):
            node.api.ask("DELETE", f"{collection(value)}/{value['metadata']['name']}")
    node.api.ask("DELETE", "/api/v1/namespaces/initject-probes")
    if node.cluster is None:  # our own machine ends as a whole
        path = f"/api/v1/namespaces/{NAMESPACE}"
        until(lambda: node.api.ask("GET", path).code == 404, "our namespace is gone", seconds=120)
