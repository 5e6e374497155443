"""The policy beside the chart: what a pod may say in `initject.dev/wait-for`."""

from __future__ import annotations

import pytest

from tests import helm
from webhook import testing
from webhook.inject.decision import Code, Decision

POLICIES = testing.policies(
    (helm.CHECKOUT / "deploy/policies/wait-for-annotation.yaml").read_text()
)


def admit(text: str, timeout: str | None = None) -> Decision:
    said = {"initject.dev/wait-for": text}
    if timeout is not None:
        said["initject.dev/wait-for-timeout"] = timeout
    return testing.admit(POLICIES, testing.pod(annotations=said))


@pytest.mark.parametrize(
    "text",
    [
        "tcp://db:5432, http://auth/healthz",
        "postgres://db.shop.svc",
        "https://auth:8443/healthz?full=1,dns://kafka",
    ],
)
def test_targets_are_one_argument_whatever_they_say(text: str) -> None:
    """The runner takes them apart, and no shell does."""
    decision = admit(text, timeout="90s")

    assert decision.pod is not None
    (step,) = decision.pod["spec"]["initContainers"]
    assert ["initject", "wait"] == step["command"]
    assert ["--timeout=90s", f"--targets={text}"] == [step["args"][0], step["args"][-1]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "db:5432",
        "ftp://db",
        "file:///etc/passwd",
        "tcp://user@db:5432",
        "tcp://db:5432 --timeout=9h",
        "tcp://db:5432;tcp://other:1",
        "tcp://db:5432\n--exit-code=0",
        "tcp://[db]:5432",
        "http://auth/a b",
    ],
)
def test_what_is_no_target_leaves_the_policy_out(text: str) -> None:
    """And the pod's author reads why."""
    decision = admit(text)

    assert [Code.PARAMETER_FAILED] == [reason.code for reason in decision.reasons]
    (warning,) = decision.warnings
    assert "initject.dev/wait-for" in warning


def test_a_pod_without_the_annotation_is_left_alone() -> None:
    """Nothing is waited for by default."""
    assert () == testing.admit(POLICIES, testing.pod()).patch
