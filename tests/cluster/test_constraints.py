"""Where a namespace is strict, injected pods are admitted and run as they would without us."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.nodes import OPTED_IN
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.test_running import pod, policy, run, step

RESTRICTED = {
    **OPTED_IN,
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
# What `restricted` asks of a pod's author; the user is one that the image does not name.
POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
TIGHT = {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}}
HARD = {
    "pods": "1",
    "requests.cpu": "50m",
    "requests.memory": "32Mi",
    "limits.cpu": "100m",
    "limits.memory": "32Mi",
}
GREET = step("greet", "echo hello > /out/hello")


def resources(kind: str, space: str, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "strict", "namespace": space},
        "spec": spec,
    }


def app(space: str, **container: Any) -> Json:
    """A pod that reads what the step has written."""
    found = pod(space, "cat /out/hello")
    found["spec"]["containers"][0] |= container
    return found


def test_restricted_admits_and_runs_an_injected_pod(installed: Release) -> None:
    """Pod Security `restricted`, enforced: no field of ours offends it."""
    with installed.node.space(RESTRICTED) as space:
        wanted = app(space, securityContext=CONTAINER_SECURITY)
        wanted["spec"]["securityContext"] = POD_SECURITY

        node = run(installed, space, [policy(space, "greet", GREET)], wanted)
        node.reach(space, "web", nodes.succeeded)

        assert "hello\n" == node.log(space, "web", "app")


def counted(installed: Release, space: str) -> Json:
    """What the quota of a namespace counts as used."""
    path = f"/api/v1/namespaces/{space}/resourcequotas/strict"
    found: Json = installed.node.api.ask("GET", path).body.get("status", {}).get("used", {})
    return found


def test_a_quota_that_has_room_for_the_application_has_room_for_the_injected_one(
    installed: Release, space: str
) -> None:
    """It counts what it would count without us, and the pod runs."""
    node = installed.node
    node.api.ensure(resources("ResourceQuota", space, hard=HARD))
    until(lambda: counted(installed, space).get("pods") == "0", "the quota counts")

    wanted = pod(space, "cat /out/hello; sleep 3600")
    wanted["spec"]["containers"][0]["resources"] = TIGHT
    run(installed, space, [policy(space, "greet", GREET)], wanted)

    assert HARD == counted(installed, space)
    node.reach(space, "web", nodes.ready)
    assert "hello\n" == node.log(space, "web", "app")


def test_a_second_pod_is_refused_by_the_quota_and_not_by_us(installed: Release, space: str) -> None:
    """The sentence is that of the quota, which names what is exceeded."""
    node = installed.node
    node.api.ensure(resources("ResourceQuota", space, hard=HARD))
    until(lambda: counted(installed, space).get("pods") == "0", "the quota counts")
    wanted = app(space, resources=TIGHT)
    run(installed, space, [policy(space, "greet", GREET)], wanted)

    answer = node.api.create({**wanted, "metadata": {"name": "second", "namespace": space}})

    assert 403 == answer.code
    assert "exceeded quota: strict" in answer.message


LIMITS = {
    "type": "Container",
    "default": {"memory": "48Mi", "cpu": "200m"},
    "defaultRequest": {"memory": "24Mi", "cpu": "20m"},
    "min": {"memory": "16Mi", "cpu": "10m"},
    "max": {"memory": "64Mi", "cpu": "400m"},
    "maxLimitRequestRatio": {"memory": "2"},
}


@pytest.mark.parametrize("declared", [{}, TIGHT], ids=["nothing-declared", "all-declared"])
def test_a_limit_range_admits_and_runs_an_injected_pod(
    installed: Release, space: str, declared: Json
) -> None:
    """Its defaults are given to our step as to the application, and its bounds hold for both."""
    installed.node.api.ensure(resources("LimitRange", space, limits=[LIMITS]))

    node = run(installed, space, [policy(space, "greet", GREET)], app(space, resources=declared))
    done = node.reach(space, "web", nodes.succeeded)

    (ours,), (theirs,) = done["spec"]["initContainers"], done["spec"]["containers"]
    expected = declared or {"requests": LIMITS["defaultRequest"], "limits": LIMITS["default"]}
    assert (expected, expected) == (ours["resources"], theirs["resources"])


def test_all_three_together_admit_and_run_an_injected_pod(installed: Release) -> None:
    """`restricted`, a quota that has room for one pod exactly, and a LimitRange."""
    with installed.node.space(RESTRICTED) as space:
        node = installed.node
        hard = {"pods": "1", "limits.memory": "48Mi", "requests.cpu": "20m"}
        node.api.ensure(
            resources("ResourceQuota", space, hard=hard),
            resources("LimitRange", space, limits=[LIMITS]),
        )
        until(lambda: counted(installed, space).get("pods") == "0", "the quota counts")
        wanted = app(space, securityContext=CONTAINER_SECURITY)
        wanted["spec"]["securityContext"] = POD_SECURITY

        run(installed, space, [policy(space, "greet", GREET)], wanted)
        node.reach(space, "web", nodes.succeeded)

        assert "hello\n" == node.log(space, "web", "app")
