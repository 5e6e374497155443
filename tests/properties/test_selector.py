"""Selectors agree with an independent reading of Kubernetes' rules.

The reading here is by sets: a requirement is the set of label maps that it admits, over a small
world of keys and values, as the documentation words it ("all of the requirements, from both
matchLabels and matchExpressions, are ANDed together").
"""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.policy import selector

KEYS, VALUES = ("a", "b"), ("x", "y", "")
UNHEARD = "z"  # stands for every value that no selector names
WORLD = [
    {key: value for key, value in zip(KEYS, choice, strict=True) if value is not None}
    for choice in product((None, UNHEARD, *VALUES), repeat=len(KEYS))
]

keys, values = st.sampled_from(KEYS), st.sampled_from(VALUES)
expressions = st.one_of(
    st.fixed_dictionaries(
        {
            "key": keys,
            "operator": st.sampled_from(("In", "NotIn")),
            "values": st.lists(values, min_size=1, max_size=3),
        }
    ),
    st.fixed_dictionaries(
        {"key": keys, "operator": st.sampled_from(("Exists", "DoesNotExist"))},
        optional={"values": st.just([])},
    ),
)
selectors = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(keys, values, max_size=2),
        "matchExpressions": st.lists(expressions, max_size=3),
    },
)


def admitted(value: dict[str, Any]) -> list[dict[str, str]]:
    with_equals = [
        {"key": key, "operator": "In", "values": [text]}
        for key, text in value.get("matchLabels", {}).items()
    ]
    left = list(WORLD)
    for item in with_equals + value.get("matchExpressions", []):
        present = [labels for labels in left if item["key"] in labels]
        absent = [labels for labels in left if item["key"] not in labels]
        listed = [m for m in present if m[item["key"]] in item.get("values", [])]
        others = [m for m in present if m not in listed]
        left = {
            "In": listed,
            "NotIn": others + absent,
            "Exists": present,
            "DoesNotExist": absent,
        }[item["operator"]]
    return left


def built(value: dict[str, Any]) -> selector.Selector:
    result, findings = selector.parse(value)
    assert result is not None, findings
    return result


@given(selectors)
def test_matching_agrees_with_the_documented_rules(value: dict[str, Any]) -> None:
    """A selector matches exactly the labels that the rules admit."""

    expected = admitted(value)
    compiled = built(value)

    assert all((labels in expected) == compiled.matches(labels) for labels in WORLD)


@given(selectors)
def test_a_failed_requirement_is_told_exactly_when_it_does_not_match(value: dict[str, Any]) -> None:
    """`failed` is silent when the selector matches, and only then."""

    compiled = built(value)

    assert all(compiled.matches(m) == (compiled.failed(m) is None) for m in WORLD)


@given(selectors)
def test_required_values_are_necessary(value: dict[str, Any]) -> None:
    """Whatever matches has one of the required values for each required key."""

    compiled = built(value)

    assert all(m.get(k) in v for m in WORLD if compiled.matches(m) for k, v in compiled.required)


@given(selectors, selectors)
def test_overlap_is_denied_only_when_nothing_matches_both(
    a: dict[str, Any], b: dict[str, Any]
) -> None:
    """`overlap` is false exactly when no labels of the world match both selectors."""

    first, second = built(a), built(b)
    both = any(first.matches(m) and second.matches(m) for m in WORLD)

    assert both == selector.overlap(first, second) == selector.overlap(second, first)


@given(selectors)
def test_the_normal_form_decides_equality(value: dict[str, Any]) -> None:
    """The order in which a selector was written changes neither it nor its text."""

    backwards = {key: value[key] for key in reversed(value)}
    if "matchExpressions" in value:
        backwards["matchExpressions"] = value["matchExpressions"][::-1]

    assert (built(value), str(built(value))) == (built(backwards), str(built(backwards)))
