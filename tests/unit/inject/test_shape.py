"""Pods that no API server takes."""

from __future__ import annotations

from typing import Any

import pytest

from webhook import testing
from webhook.inject import shape
from webhook.inject.decide import decide
from webhook.inject.decision import Code, Options
from webhook.policy.index import PolicySet

APP = {"name": "app", "image": "i"}
TWICE = {"containers": [APP], "initContainers": [{"name": "one"}, {"name": "one"}]}
POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: prepare}
spec: {match: {}, steps: [{name: prepare, container: {image: "registry.example.com/prepare:1"}}]}
"""


@pytest.fixture
def policies() -> PolicySet:
    """One policy that is for every pod."""
    return testing.policies(POLICY)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"containers": "x"}, "spec.containers"),
        ({"containers": [None]}, "spec.containers"),
        ({"containers": [{}]}, "spec.containers[0].name"),
        ({"containers": [APP, APP]}, "spec.containers[1].name"),
        ({"containers": [APP], "initContainers": [APP]}, "spec.initContainers[0].name"),
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, "spec.volumes[1].name"),
        ({"containers": [{**APP, "env": {}}]}, ""),
        ({"containers": [{**APP, "env": {"a": 1}}]}, "spec.containers[0].env"),
        ({"containers": [{**APP, "env": [{"name": 1}]}]}, "spec.containers[0].env"),
        ({"containers": [{**APP, "resources": [1]}]}, "spec.containers[0].resources"),
        ({"containers": [{**APP, "resources": {"limits": {"cpu": []}}}]},
         "spec.containers[0].resources.limits"),
        ({"os": "linux"}, "spec.os"),
        ({"containers": [APP], "volumes": None, "initContainers": None}, ""),
    ],
)  # fmt: skip
def test_the_first_fault_is_named(spec: dict[str, Any], field: str) -> None:
    """Wrong types and names that come twice are told; what is null or empty counts as absent."""
    found = shape.fault({"spec": spec})

    assert field == (found[0] if found else "")


def test_a_pod_that_no_api_server_takes_is_denied(policies: PolicySet) -> None:
    """It could not be decided, and no API server would create it; the message names the field."""
    decision = decide(testing.question(testing.review({"spec": TWICE})), policies, None, Options())

    assert (False, "spec.initContainers[1].name is the name of another one too") == (
        decision.allowed,
        decision.message,
    )
    assert [Code.NO_POD] == [reason.code for reason in decision.reasons]


def test_nobody_asks_where_nothing_has_to_be_decided() -> None:
    """Without a policy such a pod is left to the API server."""
    nothing = testing.policies("")
    decision = decide(testing.question(testing.review({"spec": TWICE})), nothing, None, Options())

    assert (True, ()) == (decision.allowed, decision.patch)
