"""The policies in force, so that a review looks only at those that could match.

Each policy is filed once, under the narrowest thing that its `match` demands and that a lookup can
answer: its namespace, a namespace label, a pod label, an account, a workload kind. Ten thousand
policies filed elsewhere cost a review nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from webhook.expression import bounds
from webhook.policy.compiled import Clauses, Policy
from webhook.policy.glob import Glob

MAX_PER_NAMESPACE = 64  # InitPolicies: what one namespace may add to each of its reviews

Drawer = tuple[str, str]  # kind of thing and its key, such as ("pod label", "app")
Held = Mapping[str, tuple[int, ...]]  # what a drawer holds, by key
Files = Mapping[Drawer, Held]


class Facts(Protocol):
    """What is asked about a pod, and only when some policy is filed under it."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The pod's labels."""

    @property
    def workloads(self) -> Sequence[str]:
        """The kinds of the pod's owner."""

    @property
    def account(self) -> str:
        """The pod's service account."""


@dataclass(frozen=True, slots=True, eq=False)
class PolicySet:
    """Policies in planning order, immutable. `refused` are not in force, with the reason."""

    policies: tuple[Policy, ...]
    refused: tuple[tuple[Policy, str], ...]
    needs_namespace: bool
    _everywhere: tuple[int, ...]
    _namespaces: Held
    _accounts: Held
    _workloads: Held
    _pod_labels: tuple[tuple[str, Held], ...]
    _namespace_labels: tuple[tuple[str, Held], ...]

    def candidates(
        self, pod: Facts, namespace: str, namespace_labels: Mapping[str, str] | None
    ) -> Sequence[Policy]:
        """The policies that these facts do not rule out, in planning order.

        With `namespace_labels` None (not known) no policy is ruled out by them.
        """
        found = [*self._everywhere, *self._namespaces.get(namespace, ())]
        for label, drawer in self._pod_labels:
            found += drawer.get(pod.labels.get(label, ""), ())
        if self._accounts:
            found += self._accounts.get(pod.account, ())
        if self._workloads:
            found += [i for kind in pod.workloads for i in self._workloads.get(kind, ())]
        for label, drawer in self._namespace_labels:
            found += _by_label(drawer, label, namespace_labels)
        if len(found) > 1:
            found = sorted(set(found))
        return [self.policies[i] for i in found] if found else ()


def _by_label(drawer: Held, key: str, labels: Mapping[str, str] | None) -> Iterable[int]:
    if labels is None:
        return [i for numbers in drawer.values() for i in numbers]
    return drawer.get(labels.get(key, ""), ())


def build(policies: Iterable[Policy]) -> PolicySet:
    """File policies. What exceeds a bound is refused, the last ones in planning order first."""
    ledger = _Ledger()
    kept: list[Policy] = []
    refused: list[tuple[Policy, str]] = []
    for policy in sorted(policies, key=lambda p: p.rank):
        fault = ledger.enter(policy)
        if fault:
            refused.append((policy, fault))
        else:
            kept.append(policy)
    everywhere: list[int] = []
    files: dict[Drawer, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, policy in enumerate(kept):
        keys = _keys(policy)
        if keys is None:
            everywhere.append(number)
        for drawer, key in keys or ():
            files[drawer][key].append(number)
    frozen = {
        d: {key: tuple(numbers) for key, numbers in held.items()} for d, held in files.items()
    }
    return PolicySet(
        policies=tuple(kept),
        refused=tuple(refused),
        needs_namespace=any(policy.needs_namespace for policy in kept),
        _everywhere=tuple(everywhere),
        _namespaces=frozen.get(("namespace", ""), {}),
        _accounts=frozen.get(("account", ""), {}),
        _workloads=frozen.get(("workload", ""), {}),
        _pod_labels=_labelled(frozen, "pod label"),
        _namespace_labels=_labelled(frozen, "namespace label"),
    )


def _labelled(files: Files, kind: str) -> tuple[tuple[str, Held], ...]:
    """The drawers of one kind of label, each with the label's key."""
    return tuple((drawer[1], held) for drawer, held in files.items() if drawer[0] == kind)


def _keys(policy: Policy) -> list[tuple[Drawer, str]] | None:
    """Where a policy is filed, or None when nothing that it demands can be looked up."""
    if policy.namespace:
        return [(("namespace", ""), policy.namespace)]
    return next((keys for keys in _possible(policy.match) if keys), None)


def _possible(match: Clauses) -> Iterator[list[tuple[Drawer, str]]]:
    yield [(("namespace", ""), name) for name in _exact(match.namespaces)]
    if match.namespace_selector is not None:
        for label, values in match.namespace_selector.required:
            yield [(("namespace label", label), value) for value in sorted(values)]
    if match.pod_selector is not None:
        for label, values in match.pod_selector.required:
            yield [(("pod label", label), value) for value in sorted(values)]
    yield [(("account", ""), name) for name in _exact(match.service_accounts)]
    yield [(("workload", ""), kind) for kind in match.workloads or ()]


# Kinds by which the same pods are looked up, too.
_CONTROLLERS = {"Deployment": "ReplicaSet", "CronJob": "Job"}


def _exclusive(keys: Iterable[tuple[Drawer, str]]) -> set[tuple[Drawer, str]]:
    """Keys of which a pod has only one in each drawer."""
    return {
        (drawer, _CONTROLLERS.get(key, key) if drawer[0] == "workload" else key)
        for drawer, key in keys
    }


def _exact(globs: Sequence[Glob] | None) -> list[str]:
    """The texts of globs without a star; none when one has a star."""
    exact = [glob.exact for glob in globs or ()]
    return [text for text in exact if text is not None] if None not in exact else []


@dataclass(slots=True)
class _Ledger:
    """What the dearest review could reach so far, in the unit of `expression.bounds`.

    Policies under different keys of one drawer exclude each other (a label has one value), so of
    each drawer only the dearest key counts.
    """

    spent: dict[Drawer, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    dearest: dict[Drawer, int] = field(default_factory=lambda: defaultdict(int))
    total: int = 0
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def enter(self, policy: Policy) -> str:
        """Book a policy; the reason when it would exceed a bound (then it is not booked)."""
        if policy.namespace and self.counts[policy.namespace] >= MAX_PER_NAMESPACE:
            return f"namespace {policy.namespace} has {MAX_PER_NAMESPACE} InitPolicies already"
        filed = _keys(policy)
        keys = _exclusive(filed or ())
        growth = policy.cost if filed is None else self._growth(keys, policy.cost)
        if policy.cost and self.total + growth > bounds.MAX_REVIEW_COST:
            return "the expressions that one review can reach cost too much together"
        self.total += growth
        if policy.namespace:
            self.counts[policy.namespace] += 1
        for drawer, key in keys:
            self.spent[drawer][key] += policy.cost
            self.dearest[drawer] = max(self.dearest[drawer], self.spent[drawer][key])
        return ""

    def _growth(self, keys: set[tuple[Drawer, str]], cost: int) -> int:
        growth = 0
        for drawer in {drawer for drawer, _ in keys}:
            highest = max(self.spent[drawer][key] for d, key in keys if d == drawer) + cost
            growth += max(0, highest - self.dearest[drawer])
        return growth


EMPTY = build(())
