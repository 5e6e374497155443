"""What deploy/ holds, taken to a real API server."""

from __future__ import annotations

import base64
import copy
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.cluster import registration, serving
from tests.cluster.api import Api, Json
from tests.house.tree import BIN, CHECKOUT
from webhook import testing
from webhook.manifest import workload

OVERLAYS = sorted((CHECKOUT / "deploy" / "kustomize" / "overlays").iterdir())
FILE_MODE = CHECKOUT / "deploy" / "kustomize" / "overlays" / "file-mode"
CLUSTER_MODE = FILE_MODE.with_name("cluster-mode")


def rendered(overlay: Path) -> list[Json]:
    """What `kubectl apply -k` would send."""
    command = [BIN / "kubectl", "kustomize", overlay]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


def only(kind: str, overlay: Path = FILE_MODE) -> Json:
    (found,) = (value for value in rendered(overlay) if value["kind"] == kind)
    return found


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_api_server_takes_every_manifest(api: Api, overlay: Path) -> None:
    """With strict validation: no unknown field, no deprecated version, no warning."""
    values = rendered(overlay)
    api.ensure(*(value for value in values if value["kind"] == "Namespace"))

    answers = {
        f"{value['kind']} {value['metadata']['name']}": api.create(value, dry_run=True)
        for value in values
        if value["kind"] != "Namespace"
    }

    there = {201, 409}  # another test has created our ServiceAccount
    faults = {name: (a.code, a.message) for name, a in answers.items() if a.code not in there}
    assert {} == faults
    assert [] == [warning for answer in answers.values() for warning in answer.warnings]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_our_own_pods_are_accepted_where_they_run(api: Api, overlay: Path) -> None:
    """Our namespace enforces the Pod Security Standard `restricted`, and our pods meet it."""
    values = rendered(overlay)
    api.ensure(*(v for v in values if v["kind"] in {"Namespace", "ServiceAccount"}))
    made = workload.pod_of(only("Deployment", overlay), namespace="initject")
    assert isinstance(made, workload.Made)

    answer = api.create(made.pod, dry_run=True)

    assert (201, "", ()) == (answer.code, answer.message, answer.warnings)
    tokens = [v for v in answer.body["spec"].get("volumes", []) if "projected" in v]
    assert (overlay == CLUSTER_MODE) == bool(tokens)


def test_file_mode_asks_for_no_rights() -> None:
    """No role, no binding, no CRD, no token."""
    kinds = {value["kind"] for value in rendered(FILE_MODE)}

    assert kinds == {
        "ConfigMap",
        "Deployment",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }
    assert only("ServiceAccount")["automountServiceAccountToken"] is False


def test_cluster_mode_asks_for_few_rights() -> None:
    """To read policies and namespaces, to write what became of them, to keep what is its own."""
    values = [v for v in rendered(CLUSTER_MODE) if v["kind"] in {"ClusterRole", "Role"}]
    rules = {
        (group, resource, *rule.get("resourceNames", ())): tuple(rule["verbs"])
        for value in values
        for rule in value["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }

    registration = "admissionregistration.k8s.io"
    reading = ("get", "list", "watch")
    keeping = (*reading, "patch")
    assert rules == {
        ("initject.dev", "clusterinitpolicies"): reading,
        ("initject.dev", "initpolicies"): reading,
        ("", "namespaces"): reading,
        ("initject.dev", "clusterinitpolicies/status"): ("patch",),
        ("initject.dev", "initpolicies/status"): ("patch",),
        ("events.k8s.io", "events"): ("create", "patch"),
        ("coordination.k8s.io", "leases"): (*reading, "create", "update", "patch", "delete"),
        ("", "secrets", "initject-certificates"): keeping,
        (registration, "mutatingwebhookconfigurations", "initject"): keeping,
        (registration, "validatingwebhookconfigurations", "initject"): keeping,
    }
    spaces = {
        rule["resources"][0]: value["metadata"].get("namespace")
        for value in values
        for rule in value["rules"]
    }
    assert {"leases": "initject", "secrets": "initject"} == {
        key: space for key, space in spaces.items() if space
    }


@pytest.fixture(scope="module")
def webhooks(
    cluster: Path, api: Api, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The overlay in force: its own policies and arguments, its own selectors."""
    folder = tmp_path_factory.mktemp("file-mode")
    (folder / "policies").mkdir()
    for name, text in only("ConfigMap")["data"].items():
        (folder / "policies" / name).write_text(text)
    (container,) = only("Deployment")["spec"]["template"]["spec"]["containers"]
    assert "serve" == container["args"][0]
    own = [a for a in container["args"][1:] if not a.startswith(("--policies", "--cert-dir"))]
    with serving.serve(cluster, folder, ca, *own) as running:
        hooks = []
        for hook in copy.deepcopy(only("MutatingWebhookConfiguration")["webhooks"]):
            bundle = base64.b64encode(ca.cert_pem.bytes()).decode()
            hooks.append({**hook, "clientConfig": {"url": running.url, "caBundle": bundle}})
        registration.register(api, "file-mode", *hooks)
        yield
        registration.unregister(api, "file-mode")


INJECT, ENFORCE = "inject.initject.dev", "enforce.initject.dev"
NAMESPACES: dict[str, tuple[dict[str, str], set[str]]] = {
    "plain": ({}, set()),
    "opted-out": ({"initject.dev/inject": "disabled"}, set()),
    "opted-in": ({"initject.dev/inject": "enabled"}, {INJECT}),
    "opted-in-by-true": ({"initject.dev/inject": "true"}, {INJECT}),
    "enforcing": ({"initject.dev/enforce": "true"}, {ENFORCE}),
    "not-enforcing": (
        {"initject.dev/enforce": "false", "initject.dev/inject": "enabled"},
        {INJECT},
    ),
    "enforcing-and-opted-in": (
        {"initject.dev/enforce": "true", "initject.dev/inject": "enabled"},
        {ENFORCE},
    ),
    "enforcing-and-opted-out": (
        {"initject.dev/enforce": "true", "initject.dev/inject": "disabled"},
        {ENFORCE},
    ),
}


@pytest.mark.usefixtures("webhooks")
@pytest.mark.parametrize("name", NAMESPACES)
def test_a_namespace_is_served_by_one_webhook_at_most(cluster: Path, api: Api, name: str) -> None:
    """Which one follows from its labels; a pod that both selected would cost twice."""
    labels, expected = NAMESPACES[name]
    api.space(name, labels)

    answer = api.create(testing.pod(name, namespace=name, labels={"app": "shop"}))

    steps = [container["name"] for container in answer.body["spec"].get("initContainers", [])]
    assert (201, "") == (answer.code, answer.message)
    assert (["wait-for-database"] if expected else []) == steps
    assert expected == called(cluster, name)


def called(cluster: Path, pod: str) -> set[str]:
    """Names of our webhooks that the API server says it called for the creation of a pod."""
    notes: dict[str, Any] = {}
    for event in registration.audit(cluster, pod):
        notes |= event.get("annotations", {})
    return {h for h in (INJECT, ENFORCE) for n in notes.values() if f'"webhook":"{h}"' in n}


@pytest.mark.usefixtures("webhooks")
def test_a_pod_that_leaves_itself_out_is_not_even_sent(cluster: Path, api: Api) -> None:
    """Where nothing enforces, the API server knows by the pod's label that it need not ask."""
    api.space("leaves", {"initject.dev/inject": "enabled"})
    own = {"app": "shop", "initject.dev/inject": "disabled"}

    answer = api.create(testing.pod("leaves-itself-out", namespace="leaves", labels=own))

    assert 201 == answer.code
    assert "initContainers" not in answer.body["spec"]
    assert set() == called(cluster, "leaves-itself-out")
