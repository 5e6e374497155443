"""What is said of steps that a mesh leaves no network."""

from __future__ import annotations

from typing import Any

import pytest

from webhook import testing
from webhook.inject.decision import Code, Decision

POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {{name: database}}
spec:
  placement: {{mesh: {mesh}}}
  steps:
    - {{name: prepare, container: {{image: "registry.example.com/tools:1"}}}}
    - name: wait
      waitFor: [{{dns: {{host: db}}}}]
      container: {{securityContext: {{runAsUser: {user}}}}}
"""


def admit(proxy: str, *inits: dict[str, Any], user: int = 7, mesh: str = "Auto") -> Decision:
    containers = [{"name": name, "image": "registry.example.com/a:1"} for name in ("app", proxy)]
    pod = testing.pod(containers=containers, initContainers=list(inits))
    return testing.admit(testing.policies(POLICY.format(mesh=mesh, user=user)), pod)


@pytest.mark.parametrize(("proxy", "user"), [("istio-proxy", 1337), ("linkerd-proxy", 2102)])
def test_where_no_place_has_a_network_a_warning_names_the_user_that_has_one(
    proxy: str, user: int
) -> None:
    """Once for each step that needs one; the step is in the pod all the same."""
    decision = admit(proxy)

    told = [reason.field for reason in decision.reasons if reason.code is Code.MESH]
    assert ["steps[1]"] == told
    assert [
        f"initject policy database: wait has no network before {proxy} runs, which redirects all "
        f"but user {user}; let the step run as that one"
    ] == list(decision.warnings)
    assert ("database",) == decision.applied
    assert () == admit(proxy, user=user).warnings


@pytest.mark.parametrize(
    ("proxy", "inits", "mesh"),
    [
        ("other", [], "Auto"),
        ("istio-proxy", [], "Ignore"),
        ("istio-proxy", [{"name": "istio-init", "image": "registry.example.com/a:1"}], "Auto"),
    ],
)
def test_nothing_is_said_where_a_place_is_right_or_nobody_asks(
    proxy: str, inits: list[dict[str, Any]], mesh: str
) -> None:
    """No mesh, one that is to be ignored, or one that redirects later."""
    assert () == admit(proxy, *inits, mesh=mesh).warnings
