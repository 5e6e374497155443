"""Why a pod is injected or not: every policy, clause by clause, by the functions that decide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook.expression.activation import Scope
from webhook.inject import decide, judge, match
from webhook.inject.decide import Views
from webhook.inject.decision import Code, Decision, LeftOutError, Options, Reason
from webhook.inject.match import Clause, mapping, objects
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review.request import Request


@dataclass(frozen=True, slots=True)
class Verdict:
    """One policy about one pod: every clause with whether it held, and what came of it."""

    policy: str
    clauses: tuple[Clause, ...]
    reasons: tuple[Reason, ...]

    @property
    def reason(self) -> Reason:
        """The reason that says what came of the policy; further ones add detail."""
        return self.reasons[0]


@dataclass(frozen=True, slots=True)
class Placed:
    """One init container of the pod after; `policy` is empty when it is not ours."""

    name: str
    policy: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, what each policy said, and the order of all init containers after it."""

    decision: Decision
    policies: tuple[Verdict, ...]
    order: tuple[Placed, ...]


def explain(
    request: Request, policies: PolicySet, namespace: Namespace | None, options: Options
) -> Explanation:
    """Decide, and ask every policy why: also those that the index leaves aside."""
    decision = decide.decide(request, policies, namespace, options)
    pod = request.object
    if pod is None or any(not reason.policy and _ends(reason) for reason in decision.reasons):
        return Explanation(decision, (), ())
    whole = match.Subject(pod, request.namespace, namespace)
    views = Views(whole, request, namespace)
    scopes = views.scopes(policies.policies)
    verdicts = tuple(_verdict(p, views, scopes[views.of(p)], decision) for p in policies.policies)
    return Explanation(decision, verdicts, tuple(_order(decision, verdicts)))


def _ends(reason: Reason) -> bool:
    """Whether a reason about the whole request means that no policy was asked."""
    return reason.code not in (Code.ORPHAN, Code.COST)


def _verdict(policy: Policy, views: Views, scope: Scope, decision: Decision) -> Verdict:
    clauses = tuple(_clauses(policy, views, scope))
    told = tuple(reason for reason in decision.reasons if reason.policy == policy.key)
    return Verdict(policy.key, clauses, told or (_unasked(policy, views),))


def _unasked(policy: Policy, views: Views) -> Reason:
    """The reason of a policy that the index left aside: one of its clauses does not hold."""
    reason = judge.unmatched(policy, views.of(policy))
    assert reason is not None, "the index leaves aside only what cannot match"
    return reason


def _clauses(policy: Policy, views: Views, scope: Scope) -> Iterator[Clause]:
    subject = views.of(policy)
    if policy.namespace:
        name = subject.namespace_name
        detail = f"{name} against {policy.namespace}"
        yield Clause("metadata.namespace", name == policy.namespace, detail)
    for clause in match.clauses(policy.match, subject):
        yield Clause(f"match.{clause.name}", clause.held, clause.detail)
    for index, entry in enumerate(policy.exclude):
        yield _exclusion(index, list(match.clauses(entry, subject)))
    yield from _conditions(policy, subject, scope)


def _exclusion(index: int, clauses: Sequence[Clause]) -> Clause:
    """An entry of `exclude` as a clause: it holds when the entry does not exclude the pod."""
    verdicts = [clause.held for clause in clauses]
    excluded = None if None in verdicts and False not in verdicts else all(verdicts)
    detail = "; ".join(f"{clause.name}: {clause.detail}" for clause in clauses)
    return Clause(f"exclude[{index}]", None if excluded is None else not excluded, detail)


def _conditions(policy: Policy, subject: match.Subject, scope: Scope) -> Iterator[Clause]:
    try:
        values: judge.Parameters | None = judge.parameters(policy, subject)
    except LeftOutError as error:
        values = None
        yield Clause(error.field, None, error.detail)
    for condition in policy.conditions:
        name = f"conditions[{condition.name}]"
        if values is None and condition.expression.reads.under("parameters"):
            yield Clause(name, None, "needs a parameter that has no value")
            continue
        try:
            held = judge.holds(condition, subject, scope, values)
            yield Clause(name, held, condition.expression.text)
        except LeftOutError as error:
            yield Clause(name, None, error.detail)


def _order(decision: Decision, verdicts: Sequence[Verdict]) -> Iterator[Placed]:
    owners = {}
    for verdict in verdicts:
        for reason in verdict.reasons:
            if reason.code is Code.APPLIED:
                owners.update(dict.fromkeys(reason.detail.split(", "), verdict.policy))
    for container in objects(mapping(mapping(decision.pod).get("spec")).get("initContainers")):
        name = str(container.get("name"))
        yield Placed(name, owners.get(name, ""))
