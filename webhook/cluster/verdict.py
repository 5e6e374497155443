"""What became of a policy, and what its status says about it: values and functions of values.

Resource versions of one collection are integers that grow (Kubernetes 1.35, KEP-5504: comparable;
before, every etcd-backed API server did the same). Two that are not can only be the same or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from webhook.document.problem import Problem
from webhook.policy.compiled import Policy

Json = dict[str, Any]
Position = Mapping[str, str]  # a collection's name to a resource version of it

READY = "Ready"
IN_FORCE, INVALID, LIMIT, BEHIND = "InForce", "Invalid", "LimitExceeded", "ReplicasBehind"
# Bounds of a status, below those of the CRD: it is stored with each policy and sent to each
# replica. Guesses.
PROBLEMS, FIELD, TEXT, MESSAGE, NAMES = 32, 512, 1024, 2048, 3
_ADVICE = "remove or merge some policies; the last ones by order and name are left out"
_ENFORCE = "initject.dev/enforce"
_FORBID = (
    f'optOut: Forbid binds in namespaces labelled {_ENFORCE}: "true" only; elsewhere a pod may opt '
    "out"
)


class Id(NamedTuple):
    """Which object; `namespace` is empty where there is none."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one object by itself: a policy, or none when it has errors.

    `version` is the resource version at which this generation was first seen.
    """

    policy: Policy | None
    problems: tuple[Problem, ...]
    uid: str
    generation: int
    version: str
    steps: int

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep it out of force."""
        return tuple(p for p in self.problems if p.severity == "error")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one object among all the others, since a moment of the loop's clock.

    `refused` is why it is out of force though right by itself. A replica that has compiled up to
    `needed` has come to the same.
    """

    judged: Judged
    refused: str
    needed: Position
    since: float


@dataclass(frozen=True, slots=True)
class Stored:
    """What the API server holds of an object."""

    uid: str
    generation: int
    version: str
    status: Mapping[str, Any]

    @property
    def condition(self) -> Mapping[str, Any]:
        """Its condition Ready, empty if there is none."""
        conditions = self.status.get("conditions") or ()
        return next((c for c in conditions if c.get("type") == READY), {})


@dataclass(frozen=True, slots=True)
class Ready:
    """The condition: True, False or Unknown, the reason in one word, and a sentence."""

    status: str
    reason: str
    message: str


def behind(verdict: Verdict, replicas: Mapping[str, Position]) -> list[str]:
    """The replicas that have not come as far as the verdict, by name in order."""
    needed = verdict.needed.items()
    return sorted(
        name
        for name, position in replicas.items()
        if not all(_reached(position.get(collection), version) for collection, version in needed)
    )


def _reached(position: str | None, version: str) -> bool:
    if position is None or not (position.isdecimal() and version.isdecimal()):
        return position == version
    return int(position) >= int(version)


def ready(verdict: Verdict, stored: Stored, replicas: Mapping[str, Position]) -> Ready:
    """What Ready is, given how far the live replicas are.

    What was True of this generation stays so: whoever starts later starts from what is there.
    """
    if verdict.judged.policy is None:
        return Ready("False", INVALID, _first(verdict.judged.errors))
    if verdict.refused:
        return Ready("False", LIMIT, _cut(f"Not in force: {verdict.refused}; {_ADVICE}", MESSAGE))
    was = stored.condition
    if (was.get("status"), was.get("observedGeneration")) != ("True", stored.generation):
        late = behind(verdict, replicas)
        if late:
            return Ready("Unknown", BEHIND, f"Not yet taken over by {_some(late)}")
    return Ready("True", IN_FORCE, _in_force(verdict.judged.policy))


def _in_force(policy: Policy) -> str:
    told = "In force on every replica"
    if policy.audit:
        told += ", as an audit: it changes no pod"
    selector = policy.match.namespace_selector
    demanded = dict(selector.required) if selector else {}
    if policy.forbid_opt_out and demanded.get(_ENFORCE) != frozenset(("true",)):
        told += f". {_FORBID}"
    return told


def _first(errors: Sequence[Problem]) -> str:
    more = f" (and {len(errors) - 1} more, see problems)" if len(errors) > 1 else ""
    return _cut(str(errors[0]), MESSAGE - len(more)) + more


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def status(verdict: Verdict, stored: Stored, now: Ready, time: str) -> Json | None:
    """The status to write, or None when it is there already.

    `time` is the moment of the transition, if it is one. Other conditions stay. Null means none.
    """
    judged = verdict.judged
    was = stored.condition
    same = was.get("status") == now.status and was.get("lastTransitionTime")
    condition = {
        "type": READY,
        "status": now.status,
        "observedGeneration": judged.generation,
        "reason": now.reason,
        "message": now.message,
        "lastTransitionTime": was["lastTransitionTime"] if same else time,
    }
    old = stored.status.get("conditions") or []
    others = [c for c in old if c.get("type") != READY]
    found: Json = {
        "observedGeneration": judged.generation,
        "steps": judged.steps,
        "conditions": [condition if c.get("type") == READY else c for c in old]
        if len(others) < len(old)
        else [*others, condition],
        "problems": _problems(judged.problems, now) or None,
    }
    return None if all(stored.status.get(key) == value for key, value in found.items()) else found


def _problems(problems: Sequence[Problem], now: Ready) -> list[Json]:
    """All of them for people who look, errors first, up to a bound."""
    ordered = sorted(problems, key=lambda problem: problem.severity)
    if now.reason == LIMIT:
        ordered.insert(0, Problem("", 0, 0, "metadata.name", now.message))
    told = [_problem(problem) for problem in ordered[:PROBLEMS]]
    if len(ordered) > PROBLEMS:
        more = f"{len(ordered) - PROBLEMS + 1} more problems"
        told[-1] = {"what": more, "severity": ordered[PROBLEMS - 1].severity}
    return told


def _problem(problem: Problem) -> Json:
    texts = {
        "field": _cut(problem.field, FIELD),
        "what": _cut(problem.what, TEXT),
        "advice": _cut(problem.advice, TEXT),
        "severity": problem.severity,
    }
    return {key: text for key, text in texts.items() if text or key == "what"}
