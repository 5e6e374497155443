from __future__ import annotations

from typing import Any

import pytest

from webhook.document.problem import Finding, field
from webhook.policy import selector


def built(value: dict[str, Any]) -> selector.Selector:
    result, findings = selector.parse(value)
    assert result is not None, findings
    return result


def expression(operator: str, *values: str, key: str = "app") -> dict[str, Any]:
    item = {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
    return {"matchExpressions": [item]}


LABELS = {"app": "web", "tier": ""}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, True),
        ({"matchLabels": {}, "matchExpressions": []}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "Web"}}, False),
        ({"matchLabels": {"app": "web", "zone": "a"}}, False),
        ({"matchLabels": {"tier": ""}}, True),
        ({"matchLabels": {"missing": ""}}, False),
        (expression("In", "web", "api"), True),
        (expression("In", "api"), False),
        (expression("In", "", key="missing"), False),
        (expression("NotIn", "api"), True),
        (expression("NotIn", "web"), False),
        (expression("NotIn", "web", key="missing"), True),
        (expression("Exists"), True),
        (expression("Exists", key="tier"), True),
        (expression("Exists", key="missing"), False),
        (expression("DoesNotExist", key="missing"), True),
        (expression("DoesNotExist", key="tier"), False),
        ({"matchLabels": {"app": "web"}, **expression("NotIn", "web")}, False),
    ],
)
def test_a_selector_matches_as_kubernetes_does(value: dict[str, Any], expected: bool) -> None:
    """All requirements must hold; NotIn and DoesNotExist hold without the key."""

    assert expected == built(value).matches(LABELS)


def test_the_normal_form_is_what_kubectl_takes() -> None:
    """A selector prints sorted, without repetition, in the syntax of `kubectl get -l`."""

    value = {
        "matchLabels": {"b": "1", "a": "x"},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["x"]},
            {"key": "c", "operator": "NotIn", "values": ["z", "y"]},
            {"key": "d", "operator": "Exists"},
            {"key": "e", "operator": "DoesNotExist", "values": []},
            {"key": "f", "operator": "In", "values": ["2", "1", "2"]},
        ],
    }

    assert "a=x,b=1,c notin (y,z),d,!e,f in (1,2)" == str(built(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"matchLabels": {"app": "api"}}, "app=api, but it is 'web'"),
        (expression("In", "a", "b", key="zone"), "zone in (a,b), but zone is not set"),
        (expression("DoesNotExist"), "!app, but it is 'web'"),
    ],
)
def test_the_failed_requirement_is_told_with_the_value(
    value: dict[str, Any], expected: str | None
) -> None:
    """`failed` names the first requirement that does not hold and what is there instead."""

    assert expected == built(value).failed(LABELS)


def test_required_values_are_given_for_an_index() -> None:
    """`required` lists the keys whose values are known: In requirements, nothing else."""

    value = {"matchLabels": {"app": "web"}, **expression("NotIn", "x", key="zone")}

    assert (("app", frozenset({"web"})),) == built(value).required


@pytest.mark.parametrize(
    ("value", "place", "what", "advice"),
    [
        ([], "", "must be a label selector, not a list", "matchLabels"),
        ({"matchLabel": {}}, "matchLabel", "unknown field matchLabel", "did you mean matchLabels?"),
        ({"matchLabels": None}, "matchLabels", "not empty (null)", "app: checkout"),
        ({"matchLabels": {"a": 1}}, "matchLabels.a", "not the number 1", 'in quotes: "1"'),
        ({"matchLabels": {"a": True}}, "matchLabels.a", "not the boolean true", "in quotes"),
        ({"matchLabels": {"a b": "x"}}, 'matchLabels["a b"]', "the key 'a b' has a name", ""),
        ({"matchLabels": {"a": "x" * 64}}, "matchLabels.a", "is 64 characters long", ""),
        ({"matchExpressions": {}}, "matchExpressions", "not a map", "operator: In"),
        ({"matchExpressions": ["a"]}, "matchExpressions[0]", "not a string", ""),
        ({"matchExpressions": [{"key": "a"}]}, "matchExpressions[0].operator", "is missing", "add"),
        (
            {"matchExpressions": [{"operator": "Exists"}]},
            "matchExpressions[0].key",
            "is missing",
            "",
        ),
        (expression("in", "x"), "matchExpressions[0].operator", "no operator", "mean In?"),
        (expression("Like", "x"), "matchExpressions[0].operator", "no operator", "In, NotIn"),
        (expression("In"), "matchExpressions[0].values", "needs at least one value", "Exists"),
        (expression("Exists", "x"), "matchExpressions[0].values", "must be empty", "use In"),
        (expression("In", "-x"), "matchExpressions[0].values[0]", "cannot be the value", ""),
        (expression("In", "x", key="A.b/c"), "matchExpressions[0].key", "prefix before '/'", ""),
        (expression("In", "x", key="a/b/c"), "matchExpressions[0].key", "more than one", ""),
        (expression("In", "x", key="a/"), "matchExpressions[0].key", "nothing after", ""),
        (expression("In", "x", key="k" * 64), "matchExpressions[0].key", "64 characters", ""),
    ],
)
def test_a_wrong_selector_is_refused_with_place_and_advice(
    value: Any, place: str, what: str, advice: str
) -> None:
    """What is wrong is told with its path inside the selector."""

    result, [finding] = selector.parse(value)

    assert (None, place) == (result, field(finding.path))
    assert what in finding.what
    assert advice in finding.advice


def test_all_problems_come_at_once() -> None:
    """Every mistake of one selector is told in one go."""

    value = {
        "matchLabels": {"a": 1, "b": "ok", "c d": "x"},
        "matchExpressions": [{"key": "x", "operator": "Equals", "value": ["y"]}],
    }

    _, findings = selector.parse(value)

    assert [
        ("matchLabels", "a"),
        ("matchLabels", "c d"),
        ("matchExpressions", 0, "value"),
        ("matchExpressions", 0, "operator"),
    ] == [f.path for f in findings]
    assert all(isinstance(f, Finding) for f in findings)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ({}, {"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"app": "web"}}, {"matchLabels": {"tier": "x"}}, True),
        (expression("In", "a", "b"), expression("NotIn", "a"), True),
        (expression("In", "a"), expression("NotIn", "a"), False),
        (expression("Exists"), expression("DoesNotExist"), False),
        (expression("NotIn", "a"), expression("DoesNotExist"), True),
        (expression("Exists"), expression("NotIn", "a"), True),
    ],
)
def test_overlap_is_denied_only_when_no_labels_match_both(
    a: dict[str, Any], b: dict[str, Any], expected: bool
) -> None:
    """Two selectors that contradict each other share no labels; all others may."""

    assert expected == selector.overlap(built(a), built(b))
