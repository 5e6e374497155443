"""The chart, taken to a real API server."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests import helm, needs
from tests.cluster import machine, plane, registration, serving
from tests.cluster.api import Api, Json
from tests.cluster.plane import Plane
from tests.house.tree import BIN, CHECKOUT
from webhook import testing
from webhook.manifest import workload

DEFINITIONS = needs.CACHE / "tools" / "definitions"
DEFINED = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
INJECT, ENFORCE = "initject.dev/inject", "initject.dev/enforce"
MIRROR = "kubernetes.io/config.mirror"
POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: everybody}
spec:
  match: {}
  steps:
    - name: first
      container: {image: "registry.example.com/first:1.0"}
---
apiVersion: v1
kind: Namespace
metadata: {name: enforced, labels: {initject.dev/enforce: "true"}}
"""
BLOCKING = (  # what can refuse a pod
    *("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    *("validatingadmissionpolicies", "validatingadmissionpolicybindings"),
)
DELETIONS = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [delete]}
  - {level: None}
"""


@pytest.fixture(scope="module")
def definitions(api: Api) -> Iterator[None]:
    """The kinds of the Prometheus operator and of cert-manager; while this module runs, ours."""
    folder = needs.file(DEFINITIONS, how="make cluster fetches it")
    for path in sorted(folder.iterdir()):
        definition = next(yaml.safe_load_all(path.read_text()))
        api.ensure(definition)
        name = definition["metadata"]["name"]
        registration.until(lambda n=name: established(api, n), f"{name} is served")
    crds = list(yaml.safe_load_all((CHECKOUT / "deploy/crds/crds.yaml").read_text()))
    names = [one["metadata"]["name"] for one in crds]
    for one, name in zip(crds, names, strict=True):  # another module's may be on their way out
        registration.until(lambda o=one: api.create(o).code == 201, f"{name} is created")
        registration.until(lambda n=name: established(api, n), f"{name} is served")
    yield
    for name in names:
        api.ask("DELETE", f"{DEFINED}/{name}")
        registration.until(lambda n=name: missing(api, n), f"{name} is gone")


def missing(api: Api, name: str) -> bool:
    return api.ask("GET", f"{DEFINED}/{name}").code == 404


def established(api: Api, name: str) -> bool:
    conditions = api.ask("GET", f"{DEFINED}/{name}").body.get("status", {}).get("conditions") or []
    return any((c["type"], c["status"]) == ("Established", "True") for c in conditions)


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("choice", helm.CHOICES)
def test_the_api_server_takes_every_object(api: Api, choice: str) -> None:
    """With strict validation: no unknown field, no deprecated version, no warning."""
    api.space("chart")

    answers = {
        f"{value['kind']} {value['metadata']['name']}": api.create(value, dry_run=True)
        for value in helm.render(*helm.CHOICES[choice], namespace="chart")
    }

    there = {201, 409}  # other tests create the definitions, too
    faults = {name: (a.code, a.message) for name, a in answers.items() if a.code not in there}
    assert {} == faults
    assert [] == [warning for answer in answers.values() for warning in answer.warnings]


@pytest.mark.parametrize("choice", ["defaults", "files-secret", "set"])
def test_our_own_pods_are_accepted_where_pods_are_restricted(api: Api, choice: str) -> None:
    """They meet the Pod Security Standard `restricted`, and their priority class exists."""
    objects = helm.render(*helm.CHOICES[choice], namespace="restricted")
    api.space("restricted", {"pod-security.kubernetes.io/enforce": "restricted"})
    api.ensure(helm.only("ServiceAccount", objects))
    made = workload.pod_of(helm.only("Deployment", objects), namespace="restricted")
    assert isinstance(made, workload.Made)

    answer = api.create(made.pod, dry_run=True)

    assert (201, "", ()) == (answer.code, answer.message, answer.warnings)
    assert 2000000000 == answer.body["spec"]["priority"]


# ── Which pods are sent ──


@pytest.fixture(scope="module")
def webhooks(
    cluster: Path, api: Api, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The chart's webhooks for all namespaces, answered by a webhook that injects every pod."""
    folder = tmp_path_factory.mktemp("chart")
    (folder / "policies").mkdir()
    (folder / "policies" / "policy.yaml").write_text(POLICY)
    objects = helm.render("inject=all", namespace="chart-itself")
    with serving.serve(cluster, folder, ca, "--inject=all", "--excluded-namespaces=") as running:
        bundle = base64.b64encode(ca.cert_pem.bytes()).decode()
        hooks = [
            {**hook, "clientConfig": {"url": running.url, "caBundle": bundle}}
            for hook in helm.only("MutatingWebhookConfiguration", objects)["webhooks"]
        ]
        registration.register(api, "chart", *hooks)
        yield
        registration.unregister(api, "chart")


OUT = "disabled"
SENT: dict[str, tuple[str, Json, Json, bool]] = {
    # namespace, its labels, what the pod says, whether it is injected
    "plain": ("plain", {}, {}, True),
    "label-out": ("plain", {}, {"labels": {INJECT: OUT}}, False),
    "annotation-out": ("plain", {}, {"annotations": {INJECT: OUT}}, False),
    "annotation-false": ("plain", {}, {"annotations": {INJECT: "false"}}, False),
    "other-annotation": ("plain", {}, {"annotations": {INJECT: "enabled"}}, True),
    "mirror": ("plain", {}, {"annotations": {MIRROR: "x"}}, False),
    "critical": ("plain", {}, {"class": "system-node-critical"}, False),
    "less-critical": ("plain", {}, {"class": "system-cluster-critical"}, True),
    "by-name": ("cert-manager", {}, {}, False),
    "by-glob": ("my-csi-driver", {}, {}, False),
    "by-glob-with-label": ("calico-system", {INJECT: "enabled"}, {}, False),
    "no-glob": ("calicos", {}, {}, True),
    "namespace-out": ("left-out", {INJECT: OUT}, {}, False),
    "enforced": ("calico-enforced", {ENFORCE: "true"}, {}, True),
    "enforced-out": ("enforced", {ENFORCE: "true"}, {"class": "system-node-critical"}, True),
    "enforced-mirror": ("enforced", {ENFORCE: "true"}, {"annotations": {MIRROR: "x"}}, False),
    "system": ("kube-public", {}, {}, False),
    "own": ("chart-itself", {}, {}, False),
}


@pytest.mark.usefixtures("webhooks")
@pytest.mark.parametrize("name", SENT)
def test_who_is_to_be_left_alone_is_not_even_sent(cluster: Path, api: Api, name: str) -> None:
    """The API server knows by itself, without a call, and so without a delay."""
    namespace, labels, says, expected = SENT[name]
    api.space(namespace, labels)
    pod = testing.pod(
        f"sent-{name}",
        namespace=namespace,
        labels=says.get("labels", {}),
        annotations=says.get("annotations", {}),
    )
    if "class" in says:
        pod["spec"]["priorityClassName"] = says["class"]
    if MIRROR in says.get("annotations", {}):
        pod["spec"]["nodeName"] = "node1"

    answer = api.create(pod)

    assert (201, "") == (answer.code, answer.message)
    assert expected == ("initContainers" in answer.body["spec"])
    notes = [e.get("annotations", {}) for e in registration.audit(cluster, f"sent-{name}")]
    called = [text for one in notes for text in one.values() if '"configuration":"chart"' in text]
    assert expected == bool(called)


# ── A release, from installation to the end ──


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with helm and kubectl on a control plane that has never seen us."""

    plane: Plane

    def __call__(self, *command: str) -> str:
        folder = self.plane.folder
        done = subprocess.run(
            machine.inside(folder, *command),
            env={**os.environ, **helm.BARE, "KUBECONFIG": str(folder / "kubeconfig")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def helm(self, verb: str, *arguments: str) -> str:
        return self(needs.tool("helm"), verb, "initject", *arguments, "--namespace=initject")

    def kubectl(self, *arguments: str) -> str:
        return self(str(BIN / "kubectl"), "--namespace=initject", *arguments)

    def get(self, *what: str) -> Any:
        return json.loads(self.kubectl("get", "-o=json", *what))

    def names(self, *kinds: str) -> set[str]:
        found = self.get(",".join(kinds), "--all-namespaces")["items"]
        return {f"{one['kind']}/{one['metadata']['name']}" for one in found}


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """On a control plane that writes down what is deleted."""
    top = tmp_path_factory.mktemp("release")
    folder = top / "cluster"
    (top / "audit.yaml").write_text(DELETIONS)
    log = f"--audit-log-path={folder / 'audit.log'}"
    with plane.running(folder, f"--audit-policy-file={top / 'audit.yaml'}", log) as own:
        yield User(own)


def test_a_release_from_installation_to_the_end(user: User) -> None:
    """What the webhook and an operator write survives upgrades; nothing that could block stays."""
    user.helm("install", str(helm.CHART), "--create-namespace")
    user.kubectl("wait", "--for=condition=Established", "crd/clusterinitpolicies.initject.dev")
    user.kubectl("apply", f"--filename={CHECKOUT}/examples/01-minimal/policy.yaml")
    webhook = "mutatingwebhookconfiguration/initject"
    secret = {"data": {"tls.key": "a2V5"}}
    user.kubectl("patch", "secret/initject-certificates", f"-p={json.dumps(secret)}")
    off = {"name": "emergency-off", "expression": "false"}
    written = [
        {"op": "add", "path": f"/webhooks/{n}/{path}", "value": value}
        for n in (0, 1)
        for path, value in (("clientConfig/caBundle", "Q0E="), ("matchConditions/-", off))
    ]
    user.kubectl("patch", webhook, "--type=json", f"-p={json.dumps(written)}")

    user.helm(
        "upgrade",
        str(helm.CHART),
        "--set=replicas=3,webhook.timeoutSeconds=4,answered.enabled=true",
    )

    assert 3 == user.get("deployment/initject")["spec"]["replicas"]
    assert secret["data"] == user.get("secret/initject-certificates")["data"]
    for hook in user.get(webhook)["webhooks"]:
        assert (4, "Q0E=") == (hook["timeoutSeconds"], hook["clientConfig"]["caBundle"])
        assert off in hook["matchConditions"]

    assert 4 == len(user.names(*BLOCKING))

    user.helm("uninstall")

    assert set() == user.names(*BLOCKING)
    kept = user.names("customresourcedefinitions", "clusterinitpolicies")
    assert {
        "CustomResourceDefinition/clusterinitpolicies.initject.dev",
        "CustomResourceDefinition/initpolicies.initject.dev",
        "ClusterInitPolicy/wait-for-database",
    } == kept
    assert ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] == deleted(user)[:2]

    user.helm("install", str(helm.CHART))

    assert webhook.split("/")[1] == user.get(webhook)["metadata"]["name"]


def deleted(user: User) -> list[str]:
    """Kinds of our objects in the order in which they were deleted."""
    lines = (user.plane.folder / "audit.log").read_text().splitlines()
    events = [json.loads(line)["objectRef"] for line in lines]
    kinds = {"mutatingwebhookconfigurations": "MutatingWebhookConfiguration"}
    kinds["validatingwebhookconfigurations"] = "ValidatingWebhookConfiguration"
    return [
        kinds.get(event["resource"], event["resource"])
        for event in events
        if event.get("name", "").startswith("initject")
    ]
