"""What a policy's status says, given what became of it and how far the replicas are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.cluster import verdict
from webhook.cluster.policies import judge
from webhook.cluster.verdict import Judged, Ready, Stored, Verdict
from webhook.document.problem import Problem
from webhook.policy import crd
from webhook.recipes.defaults import Defaults

KIND, PLURAL = "ClusterInitPolicy", "clusterinitpolicies"
THEN, NOW = "2026-11-25T10:00:00Z", "2026-11-25T11:00:00Z"
FORBID = {"optOut": "Forbid", "onConflict": "Reject", "onError": "Reject"}
ENFORCING = {"namespaceSelector": {"matchLabels": {"initject.dev/enforce": "true"}}}


def judged(**spec: object) -> Judged:
    container = {"image": "registry.example.com/a:1"}
    metadata = {"name": "one", "uid": "u", "generation": 3, "resourceVersion": "70"}
    steps = [{"name": "step", "container": container}]
    return judge(KIND, {"metadata": metadata, "spec": {"steps": steps, **spec}}, Defaults())


def concluded(one: Judged | None = None, refused: str = "") -> Verdict:
    return Verdict(one or judged(), refused, {PLURAL: "70"}, 0.0)


def stored(status: dict[str, Any] | None = None) -> Stored:
    return Stored("u", 3, "71", status or {})


def condition(status: str, generation: int = 3, **more: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": status, "observedGeneration": generation, **more}
    return {"conditions": [ready]}


def test_ready_is_true_when_every_replica_has_come_that_far() -> None:
    """A replica that is further has it too."""
    found = verdict.ready(concluded(), stored(), {"a": {PLURAL: "70"}, "b": {PLURAL: "105"}})

    assert ("True", "InForce") == (found.status, found.reason)


@pytest.mark.parametrize("position", [{}, {PLURAL: "9"}, {PLURAL: "69"}, {"initpolicies": "99"}])
def test_ready_is_unknown_while_a_replica_is_behind(position: dict[str, str]) -> None:
    """It is named; versions are compared as numbers."""
    found = verdict.ready(concluded(), stored(), {"a": {PLURAL: "70"}, "b": position})

    assert Ready("Unknown", "ReplicasBehind", "Not yet taken over by b") == found


def test_many_replicas_that_are_behind_are_counted() -> None:
    """A message has room for a few names."""
    found = verdict.ready(concluded(), stored(), {name: {} for name in "edcba"})

    assert "Not yet taken over by a, b, c and 2 more" == found.message


def test_what_was_ready_stays_so_when_a_replica_joins() -> None:
    """It began from what is there; only another generation is news to it."""
    replicas: dict[str, dict[str, str]] = {"new": {}}

    assert "True" == verdict.ready(concluded(), stored(condition("True")), replicas).status
    old = stored(condition("True", generation=2))
    assert "Unknown" == verdict.ready(concluded(), old, replicas).status


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 10**30), st.integers(1, 10**30))
def test_versions_are_compared_as_integers_of_any_length(position: int, needed: int) -> None:
    """As KEP-5504 has it."""
    one = Verdict(judged(), "", {PLURAL: str(needed)}, 0.0)

    assert (["a"] if position < needed else []) == verdict.behind(
        one, {"a": {PLURAL: f"{position}"}}
    )


@pytest.mark.parametrize(("position", "reached"), [("v7", True), ("v8", False), ("8", False)])
def test_versions_that_are_no_integers_are_the_same_or_not(position: str, reached: bool) -> None:
    """An API server that is not Kubernetes' own may have such."""
    one = Verdict(judged(), "", {PLURAL: "v7"}, 0.0)

    assert reached == (verdict.behind(one, {"a": {PLURAL: position}}) == [])


def test_a_wrong_policy_is_not_ready_whatever_the_replicas_have() -> None:
    """The message begins with the first error and tells how many there are."""
    wrong = judged(conditions=[{"name": "a", "expression": "objekt"}], order="first")
    found = verdict.ready(concluded(wrong), stored(), {"a": {}})

    assert ("False", "Invalid") == (found.status, found.reason)
    assert found.message.startswith(f"{wrong.errors[0].field}: {wrong.errors[0].what}")
    assert found.message.endswith(" (and 1 more, see problems)")


def test_a_policy_beyond_a_bound_is_not_ready() -> None:
    """Though right by itself; the problem stands where its name is."""
    one = concluded(refused="namespace shop has 64 InitPolicies already")
    found = verdict.ready(one, stored(), {})
    status = verdict.status(one, stored(), found, NOW)

    assert ("False", "LimitExceeded") == (found.status, found.reason)
    assert status is not None
    (problem,) = status["problems"]
    assert "metadata.name" == problem["field"]
    assert "namespace shop has 64 InitPolicies already" in problem["what"]


@pytest.mark.parametrize(
    ("spec", "told"), [(FORBID, True), ({**FORBID, "match": ENFORCING}, False), ({}, False)]
)
def test_a_policy_that_forbids_says_where_it_binds(spec: dict[str, Any], told: bool) -> None:
    """Unless it is for enforcing namespaces alone."""
    found = verdict.ready(concluded(judged(**spec)), stored(), {})

    assert told == ("initject.dev/enforce" in found.message)


def test_an_audit_says_that_it_changes_nothing() -> None:
    """It is in force all the same."""
    found = verdict.ready(concluded(judged(mode="Audit")), stored(), {})

    assert ("True", "In force on every replica, as an audit: it changes no pod") == (
        found.status,
        found.message,
    )


def written(one: Verdict, before: Stored, time: str = NOW) -> dict[str, Any] | None:
    return verdict.status(one, before, verdict.ready(one, before, {}), time)


def test_a_status_that_is_there_is_not_written() -> None:
    """Whatever the time, and however it was wrong or right."""
    wrong = concluded(judged(order="first", conditions=[{"name": "a", "expression": "objekt"}]))
    for one in (concluded(), wrong, concluded(refused="too much"), concluded(judged(**FORBID))):
        first = written(one, stored(), THEN)
        assert first is not None
        there = stored({key: value for key, value in first.items() if value is not None})
        assert None is written(one, there)


def test_the_time_of_transition_stays_while_the_status_does() -> None:
    """Another message is no transition."""
    before = stored(condition("True", reason="Other", message="", lastTransitionTime=THEN))
    same, other = written(concluded(), before), written(concluded(refused="x"), before)

    assert same is not None
    assert other is not None
    assert [THEN, NOW] == [one["conditions"][0]["lastTransitionTime"] for one in (same, other)]


def test_conditions_of_others_stay_where_they_are() -> None:
    """Ready alone is ours."""
    foreign = {"type": "Reviewed", "status": "True"}
    ready = condition("False")["conditions"][0]

    assert ["Reviewed", "Ready"] == types(written(concluded(), stored({"conditions": [foreign]})))
    both = {"conditions": [ready, foreign]}
    assert ["Ready", "Reviewed"] == types(written(concluded(), stored(both)))


def types(status: dict[str, Any] | None) -> list[str]:
    assert status is not None
    return [one["type"] for one in status["conditions"]]


texts = st.text(max_size=6000)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.tuples(texts, texts, texts, st.sampled_from(["error", "warning"])), max_size=90))
def test_a_status_fits_its_schema_whatever_is_wrong(problems: list[Any]) -> None:
    """Within the bounds of the CRD, errors before warnings."""
    found = tuple(Problem("", 0, 0, *parts) for parts in problems)
    policy = None if any(p.severity == "error" for p in found) else judged().policy
    status = written(concluded(Judged(policy, found, "u", 3, "70", 1)), stored())

    assert status is not None
    schema = crd.crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    check(status, schema["properties"]["status"])
    severities = [one["severity"] for one in status["problems"] or []]
    assert sorted(severities) == severities


def check(value: Any, schema: dict[str, Any]) -> None:
    """That a value is within the bounds that a structural schema gives; null is nothing."""
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys()
        for key, child in value.items():
            check(child, schema["properties"][key])
    elif isinstance(value, list):
        assert len(value) <= schema["maxItems"]
        for child in value:
            check(child, schema["items"])
    elif isinstance(value, str):
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 40)
