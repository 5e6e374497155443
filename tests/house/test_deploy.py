"""What deploy/ holds fits what the program does."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.tree import BIN, CHECKOUT, text
from webhook.settings import TABLE

OVERLAYS = sorted((CHECKOUT / "deploy" / "kustomize" / "overlays").iterdir())
DEFAULTS = {setting.name: setting.default for setting in TABLE}
FLAGS = {setting.flag for setting in TABLE}
VARIABLES = {setting.env for setting in TABLE}


@pytest.fixture(params=OVERLAYS, ids=lambda path: path.name)
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """What `kubectl apply -k` would send, for each overlay."""
    command = [str(BIN / "kubectl"), "kustomize", str(request.param)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture
def pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    """The spec of our own pods."""
    (deployment,) = (m for m in manifests if m["kind"] == "Deployment")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def test_a_stopping_pod_has_time_for_all_that_it_does(pod: dict[str, Any]) -> None:
    """preStop, draining and the last requests fit into the grace period."""
    (container,) = pod["containers"]
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    least = sleep + DEFAULTS["drain_seconds"] + DEFAULTS["grace_seconds"]
    assert pod["terminationGracePeriodSeconds"] >= least


def test_ports_are_those_that_are_served(pod: dict[str, Any]) -> None:
    """Manifests, image and settings agree on both ports."""
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert {"webhook": DEFAULTS["port"], "health": DEFAULTS["health_port"]} == ports
    assert f"EXPOSE {DEFAULTS['port']} {DEFAULTS['health_port']}" in text("Dockerfile")


def test_arguments_and_variables_are_settings(pod: dict[str, Any]) -> None:
    """Nothing is passed that `serve` does not know, in the manifests and in the image."""
    (container,) = pod["containers"]
    verb, *arguments = container["args"]
    variables = {entry["name"] for entry in container["env"]}
    variables |= set(re.findall(r"INITJECT_\w+(?==)", text("Dockerfile")))

    assert "serve" == verb
    assert set() == {argument.partition("=")[0] for argument in arguments} - FLAGS
    assert set() == variables - VARIABLES


def test_every_path_that_is_read_is_mounted(pod: dict[str, Any]) -> None:
    """Folders named in arguments and variables are mounts, and each mount is one of them."""
    (container,) = pod["containers"]
    named = {a.partition("=")[2] for a in container["args"] if "=/" in a}
    named |= {e["value"] for e in container["env"] if e.get("value", "").startswith("/")}

    assert named == {mount["mountPath"] for mount in container.get("volumeMounts", [])}


def test_the_two_webhooks_differ_in_when_they_are_asked_and_in_what_failing_means(
    manifests: list[dict[str, Any]],
) -> None:
    """All else is the same: the address, the rules, the deadline."""
    (configuration,) = (m for m in manifests if m["kind"] == "MutatingWebhookConfiguration")
    asked = {"namespaceSelector", "objectSelector", "matchConditions"}
    differing = {"name", "failurePolicy", *asked}
    one, other = (
        {key: value for key, value in hook.items() if key not in differing}
        for hook in configuration["webhooks"]
    )

    assert one == other
    assert ("None", "IfNeeded") == (one["sideEffects"], one["reinvocationPolicy"])


def test_the_policy_holds_the_namespaces_whose_pods_the_api_server_must_send(
    manifests: list[dict[str, Any]],
) -> None:
    """Component `answered`: where the webhook is not called, no pod would be accepted."""
    file = CHECKOUT / "deploy" / "kustomize" / "components" / "answered" / "policy.yaml"
    policy, binding = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    (configuration,) = (m for m in manifests if m["kind"] == "MutatingWebhookConfiguration")
    (enforcing,) = (h for h in configuration["webhooks"] if h["failurePolicy"] == "Fail")

    names = {one["metadata"]["name"] for one in (configuration, policy, binding)}
    selector = binding["spec"]["matchResources"]["namespaceSelector"]
    assert {"initject"} == names | {binding["spec"]["policyName"]}
    assert enforcing["namespaceSelector"] == selector


@pytest.mark.parametrize(
    "folder",
    [p / "policies" for p in OVERLAYS if (p / "policies").exists()],
    ids=lambda path: path.parent.name,
)
def test_the_policies_to_begin_with_have_no_fault(folder: Path) -> None:
    """`initject check --strict` has nothing to say about what an overlay starts with."""
    command = [BIN / "initject", "check", "--strict", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
