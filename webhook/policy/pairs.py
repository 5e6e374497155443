"""What two policies do to each other when both are for one pod: warnings, in planning order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from webhook.document.problem import Finding, Problem
from webhook.policy import glob, selector
from webhook.policy.compiled import Clauses, Policy
from webhook.policy.glob import Glob
from webhook.policy.parse import Written

Compiled = tuple[Written, Policy]

_CROWD = 300  # 45,000 pairs: some 100 ms; a set with more of them is beyond what a warning can help


def problems(written: Sequence[Written], policies: Sequence[Policy]) -> Iterator[Problem]:
    """Names and placements on which policies disagree, told at the one that is planned later."""
    told: set[tuple[str, int, int, str]] = set()
    for first, second in _neighbours(list(zip(written, policies, strict=True))):
        for problem in _together(first, second):
            place = (problem.file, problem.line, problem.column, problem.field)
            if place not in told:  # once a place: of many policies the first that is in the way
                told.add(place)
                yield problem


def _neighbours(compiled: list[Compiled]) -> Iterator[tuple[Compiled, Compiled]]:
    """Pairs that could meet in one pod and have something to disagree about, in planning order.

    Only policies that share a name, or of which one demands a placement, are paired: ten thousand
    policies must not make fifty million pairs.
    """
    ranked = sorted(compiled, key=lambda pair: pair[1].rank)
    by_name: dict[str, list[int]] = {}
    for number, (_, policy) in enumerate(ranked):
        for name in _names(policy):
            by_name.setdefault(name, []).append(number)
    pairs = {
        pair
        for numbers in by_name.values()
        if len(numbers) <= _CROWD
        for pair in combinations(numbers, 2)
    }
    placed = [n for n, (_, p) in enumerate(ranked) if p.before or (p.after and not p.last)]
    if len(placed) <= _CROWD:
        pairs |= set(combinations(placed, 2))
    for first, second in sorted(pairs):
        if can_meet(ranked[first][1], ranked[second][1]):
            yield ranked[first], ranked[second]


def _names(policy: Policy) -> set[str]:
    return {step.name for step in policy.steps} | {
        f"volume/{volume.name}" for volume in policy.volumes
    }


def can_meet(a: Policy, b: Policy) -> bool:
    """Whether both could match one pod; False only when surely not."""
    if a.namespace and b.namespace and a.namespace != b.namespace:
        return False
    for one, other in ((a, b), (b, a)):
        named = other.match.namespaces
        if one.namespace and named is not None and not any(g.matches(one.namespace) for g in named):
            return False
    return _clauses_meet(a.match, b.match)


def _clauses_meet(a: Clauses, b: Clauses) -> bool:
    return (
        _globs_meet(a.namespaces, b.namespaces)
        and _globs_meet(a.service_accounts, b.service_accounts)
        and _selectors_meet(a.namespace_selector, b.namespace_selector)
        and _selectors_meet(a.pod_selector, b.pod_selector)
        and _workloads_meet(a.workloads, b.workloads)
    )


def _globs_meet(a: Sequence[Glob] | None, b: Sequence[Glob] | None) -> bool:
    return a is None or b is None or any(glob.overlap(x, y) for x in a for y in b)


def _selectors_meet(a: selector.Selector | None, b: selector.Selector | None) -> bool:
    return a is None or b is None or selector.overlap(a, b)


# The second kind is what the first one's pods are owned by: both can hold for one pod.
_SAME_POD = frozenset((("Deployment", "ReplicaSet"), ("CronJob", "Job")))


def _workloads_meet(a: Sequence[str] | None, b: Sequence[str] | None) -> bool:
    if a is None or b is None:
        return True
    return any(x == y or (x, y) in _SAME_POD or (y, x) in _SAME_POD for x in a for y in b)


def _together(first: Compiled, second: Compiled) -> Iterator[Problem]:
    """What two policies that can meet in a pod do to each other; `second` is planned later."""
    (_, earlier), (written, later) = first, second
    if not (earlier.audit or later.audit):
        for finding in (*_same_names(earlier, later), *_contradiction(earlier, later)):
            yield written.problem(later.origins.original(finding).under(("spec",)))


def _same_names(earlier: Policy, later: Policy) -> Iterator[Finding]:
    advice = "rename it, or make sure that no pod is matched by both"
    for kind, field in (("step", "steps"), ("volume", "volumes")):
        taken = {item.name for item in getattr(earlier, field)}
        for index, item in enumerate(getattr(later, field)):
            if item.name in taken:
                what = f"policy {earlier.key} has a {kind} {item.name} too: a conflict in some pods"
                yield Finding((field, index, "name"), what, advice, "warning")


def _contradiction(earlier: Policy, later: Policy) -> Iterator[Finding]:
    """A later block that must be before what an earlier one of its run must be after."""
    if earlier.last != later.last:
        return
    for index, before in enumerate(later.before):
        for after in earlier.after:
            if glob.overlap(before, after):
                what = (
                    f"policy {earlier.key} comes first and after {after}: no place before {before}"
                )
                yield Finding(
                    ("placement", "before", index),
                    what,
                    "change order, or one of the placements",
                    "warning",
                )
