"""Kubernetes label selectors, with exactly their semantics.

Source: apimachinery `pkg/apis/meta/v1` (`LabelSelector`, its conversion and validation) and
`pkg/labels/selector.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from webhook.document.problem import Finding, Path
from webhook.form import name, words

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]
OPERATORS: tuple[str, ...] = get_args(Operator)
MAX_VALUES = 256  # ours: of one requirement, and requirements of one selector; kept small for CEL


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """One demand on one label. `values` are sorted; they are empty for the two about existence."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    _set: frozenset[str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_set", frozenset(self.values))

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` meet it. A missing key meets NotIn and DoesNotExist."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value in self._set
            case "NotIn":
                return value not in self._set
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None

    def __str__(self) -> str:
        values = ",".join(self.values)
        single = len(self.values) == 1
        match self.operator:
            case "In":
                return f"{self.key}={values}" if single else f"{self.key} in ({values})"
            case "NotIn":
                return f"{self.key}!={values}" if single else f"{self.key} notin ({values})"
            case "Exists":
                return self.key
            case "DoesNotExist":
                return f"!{self.key}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold; none means that everything matches.

    They are sorted and without repetition, so selectors that say the same are equal. `required` are
    the In requirements (key, values): labels without one of those values cannot match.
    """

    requirements: tuple[Requirement, ...]
    required: tuple[tuple[str, frozenset[str]], ...] = field(compare=False)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` meet every requirement."""
        for requirement in self.requirements:  # noqa: SIM110 - half the time of all()
            if not requirement.holds(labels):
                return False
        return True

    def failed(self, labels: Mapping[str, str]) -> str | None:
        """The first requirement that `labels` do not meet, with what they have instead."""
        for requirement in self.requirements:
            if not requirement.holds(labels):
                value = labels.get(requirement.key)
                have = f"{requirement.key} is not set" if value is None else f"it is {value!r}"
                return f"{requirement}, but {have}"
        return None

    def __str__(self) -> str:
        """As `kubectl get -l` takes it."""
        return ",".join(map(str, self.requirements))


def build(requirements: Iterable[Requirement]) -> Selector:
    """A selector in its normal form."""
    unique = tuple(sorted(set(requirements)))
    required = tuple((r.key, r._set) for r in unique if r.operator == "In")
    return Selector(unique, required)


def parse(value: Any) -> tuple[Selector | None, list[Finding]]:
    """A LabelSelector as it was written, or everything that is wrong with it.

    The paths of the findings begin at the selector. With any finding there is no selector.
    """
    if not isinstance(value, Mapping):
        return None, [Finding((), f"must be a label selector, not {words.kind(value)}", _EXAMPLE)]
    findings = _unknown((), value, ("matchLabels", "matchExpressions"))
    requirements = _from_labels(value.get("matchLabels", {}), findings)
    requirements += _from_expressions(value.get("matchExpressions", []), findings)
    if len(requirements) > MAX_VALUES:
        findings.append(Finding((), f"has {len(requirements)} requirements, {MAX_VALUES} may be"))
    return (None, findings) if findings else (build(requirements), findings)


def overlap(a: Selector, b: Selector) -> bool:
    """Whether some labels could match both. False only when surely none can."""
    by_key: dict[str, list[Requirement]] = {}
    for requirement in a.requirements + b.requirements:
        by_key.setdefault(requirement.key, []).append(requirement)
    return all(map(_can_hold, by_key.values()))


def _can_hold(requirements: list[Requirement]) -> bool:
    """Whether one label can meet all of these demands on it.

    If a value is demanded, one of the values listed must do; if only presence is, any value that
    nobody forbids does (there are more values than a policy can forbid); else absence does.
    """
    listed = [r.values for r in requirements if r.operator == "In"]
    key = requirements[0].key
    if listed:
        return any(all(r.holds({key: value}) for r in requirements) for value in listed[0])
    operators = {r.operator for r in requirements}
    return not {"Exists", "DoesNotExist"} <= operators


_EXAMPLE = "write for example {matchLabels: {app: checkout}}"
_OPERATORS = f"use one of {', '.join(OPERATORS)}"


def _from_labels(value: Any, findings: list[Finding]) -> list[Requirement]:
    if not isinstance(value, Mapping):
        what = f"must be a map of labels to values, not {words.kind(value)}"
        findings.append(Finding(("matchLabels",), what, "write for example {app: checkout}"))
        return []
    requirements = []
    for key, text in value.items():
        path: Path = ("matchLabels", key)
        if _sound(_key(path, key) + _text(path, text), findings):
            requirements.append(Requirement(key, "In", (text,)))
    return requirements


def _from_expressions(value: Any, findings: list[Finding]) -> list[Requirement]:
    if not isinstance(value, list):
        what = f"must be a list of requirements, not {words.kind(value)}"
        advice = "write for example [{key: app, operator: In, values: [checkout]}]"
        findings.append(Finding(("matchExpressions",), what, advice))
        return []
    requirements = []
    for index, item in enumerate(value):
        path: Path = ("matchExpressions", index)
        if not isinstance(item, Mapping):
            findings.append(Finding(path, f"must be a requirement, not {words.kind(item)}"))
        elif _sound(_expression(path, item), findings):
            values = tuple(sorted(set(item.get("values", ()))))
            requirements.append(Requirement(item["key"], item["operator"], values))
    return requirements


def _expression(path: Path, item: Mapping[str, Any]) -> list[Finding]:
    findings = _unknown(path, item, ("key", "operator", "values"))
    for required in ("key", "operator"):
        if required not in item:
            findings.append(Finding((*path, required), "is missing", f"add {required}"))
    if "key" in item:
        findings += _key((*path, "key"), item["key"])
    if "operator" in item:
        findings += _operator((*path, "operator"), item["operator"])
    return findings + _values(path, item)


def _operator(path: Path, operator: Any) -> list[Finding]:
    if operator in OPERATORS:
        return []
    if not isinstance(operator, str):
        return [Finding(path, f"must be an operator, not {words.kind(operator)}", _OPERATORS)]
    advice = words.meant(operator, OPERATORS)
    return [Finding(path, f"{operator!r} is no operator", advice)]


def _values(path: Path, item: Mapping[str, Any]) -> list[Finding]:
    values, operator = item.get("values", []), item.get("operator")
    path = (*path, "values")
    if not isinstance(values, list):
        return [
            Finding(
                path, f"must be a list, not {words.kind(values)}", "write for example [checkout]"
            )
        ]
    if operator in ("In", "NotIn") and not values:
        advice = "list the values, or use Exists or DoesNotExist"
        return [Finding(path, f"is empty, but {operator} needs at least one value", advice)]
    if operator in ("Exists", "DoesNotExist") and values:
        advice = "leave the values out, or use In or NotIn"
        return [Finding(path, f"must be empty for {operator}", advice)]
    if len(values) > MAX_VALUES:
        return [Finding(path, f"has {len(values)} values, {MAX_VALUES} may be")]
    return [f for index, text in enumerate(values) for f in _text((*path, index), text)]


def _key(path: Path, key: Any) -> list[Finding]:
    if not isinstance(key, str):
        return [Finding(path, f"the key must be a string, not {words.kind(key)}")]
    fault = name.key(key)
    return [Finding(path, f"the key {key!r} {fault}")] if fault else []


def _text(path: Path, text: Any) -> list[Finding]:
    if not isinstance(text, str):
        return [Finding(path, f"must be a string, not {words.kind(text)}", words.quoted(text))]
    fault = name.label_value(text)
    return [Finding(path, f"{text!r} {fault}")] if fault else []


def _unknown(path: Path, value: Mapping[str, Any], known: tuple[str, ...]) -> list[Finding]:
    unknown = [key for key in value if key not in known]
    return [
        Finding((*path, key), f"unknown field {key}", words.meant(str(key), known))
        for key in unknown
    ]


def _sound(found: list[Finding], findings: list[Finding]) -> bool:
    findings += found
    return not found
