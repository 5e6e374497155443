"""Which policies one review can reach, and what they may cost together."""

from __future__ import annotations

import functools
import json

import pytest

from webhook.expression import bounds
from webhook.policy import index, load
from webhook.policy.load import Loaded

EXPRESSION = "object.spec.containers.all(c, c.env.all(e, e.value.matches('x+')))"
STEP = {"name": "s", "container": {"image": "registry.example.com/s:1"}}


def policies(count: int, match: dict[str, object], *, name: str, dear: bool = True) -> list[str]:
    """Policies with that `match`, each with a condition that costs some milliseconds."""
    conditions = [{"name": f"c{n}", "expression": EXPRESSION} for n in range(8)] if dear else []
    spec = {"match": match, "conditions": conditions, "steps": [STEP]}
    head = {"apiVersion": "initject.dev/v1alpha1", "kind": "ClusterInitPolicy"}
    return [
        json.dumps({**head, "metadata": {"name": f"{name}-{n}"}, "spec": spec})
        for n in range(count)
    ]


def namespaced(count: int, namespace: str) -> list[str]:
    """InitPolicies of one namespace, without conditions."""
    head = {"apiVersion": "initject.dev/v1alpha1", "kind": "InitPolicy"}
    return [
        json.dumps(
            {**head, "metadata": {"name": f"p{n:02}", "namespace": namespace},
             "spec": {"match": {}, "steps": [STEP]}}
        )
        for n in range(count)
    ]  # fmt: skip


def loaded(*texts: str) -> Loaded:
    return load.load([("p.yaml", "\n---\n".join(texts))])


@functools.cache
def fit() -> int:
    """How many of the policies above one review can reach."""
    (policy,) = loaded(*policies(1, {}, name="p")).policies.policies
    return bounds.MAX_REVIEW_COST // policy.cost


def test_a_namespace_has_a_number_of_policies_of_its_own() -> None:
    """The last ones by name are out of force and say so; other namespaces do not matter."""
    found = loaded(*namespaced(index.MAX_PER_NAMESPACE + 1, "a"), *namespaced(1, "b"))

    assert ["a/p64"] == [policy.key for policy, _ in found.policies.refused]
    assert ["is not in force: namespace a has 64 InitPolicies already"] == [
        problem.what for problem in found.errors
    ]


def test_what_one_review_can_reach_has_a_cost() -> None:
    """Of policies that are for any pod the last ones are out of force; cheap ones are not."""
    dear = policies(fit() + 2, {}, name="dear")
    found = loaded(*dear, *policies(1, {}, name="without", dear=False))

    assert 2 == len(found.policies.refused)
    assert "without-0" in {policy.key for policy in found.policies.policies}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"namespaces": ["a"]}, {"namespaces": ["b"]}),
        ({"serviceAccounts": ["a"]}, {"serviceAccounts": ["b"]}),
        (
            {"podSelector": {"matchLabels": {"x": "a"}}},
            {"podSelector": {"matchLabels": {"x": "b"}}},
        ),
        ({"workloads": ["Job"]}, {"workloads": ["Deployment"]}),
    ],
)
def test_what_no_pod_can_reach_together_costs_nothing_together(
    one: dict[str, object], other: dict[str, object]
) -> None:
    """Policies for different namespaces, accounts, labels or workloads do not add up."""
    count = fit()
    found = loaded(*policies(count, one, name="one"), *policies(count, other, name="other"))

    assert () == found.policies.refused


@pytest.mark.parametrize(("kind", "controller"), [("Deployment", "ReplicaSet"), ("CronJob", "Job")])
def test_a_pod_of_two_kinds_pays_for_both(kind: str, controller: str) -> None:
    """A pod of a Deployment is one of a ReplicaSet too, and looks at the policies for both."""
    half = fit() // 2 + 1
    found = loaded(
        *policies(half, {"workloads": [kind]}, name="a"),
        *policies(half, {"workloads": [controller]}, name="b"),
        *policies(1, {"workloads": [kind, controller]}, name="c"),
    )

    assert [policy.key for policy, _ in found.policies.refused][-1] == "c-0"


def test_whether_opting_out_is_forbidden_is_said_by_the_namespace() -> None:
    """Such a policy binds by a label, so the namespace has to be known."""
    (text,) = policies(1, {}, name="p", dear=False)
    forbid = {"optOut": "Forbid", "onConflict": "Reject", "onError": "Reject"}
    written = json.loads(text)
    written["spec"] |= forbid

    assert not loaded(text).policies.needs_namespace
    assert loaded(json.dumps(written)).policies.needs_namespace
