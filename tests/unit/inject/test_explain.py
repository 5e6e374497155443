"""Why a pod is injected or not."""

from __future__ import annotations

from webhook import testing
from webhook.inject.decision import Code, Options
from webhook.inject.explain import explain

POLICY = """
apiVersion: initject.dev/v1alpha1
kind: InitPolicy
metadata: {name: prepare, namespace: payments}
spec: {match: {}, steps: [{name: prepare, container: {image: "registry.example.com/prepare:1"}}]}
"""


def test_a_policy_of_another_namespace_is_told_apart() -> None:
    """An InitPolicy is for its own namespace only, and that is the clause that does not hold."""
    request = testing.question(testing.review(testing.pod(namespace="marketing")))
    told = explain(request, testing.policies(POLICY), None, Options())
    (verdict,) = told.policies

    assert (Code.UNMATCHED, "metadata.namespace") == (verdict.reason.code, verdict.reason.field)
    assert [("metadata.namespace", False)] == [(c.name, c.held) for c in verdict.clauses]
