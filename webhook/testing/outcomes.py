"""Putting a case to the test, and writing down what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from webhook.document import write
from webhook.errors import PatchError, ReviewError
from webhook.inject import decide
from webhook.inject.decision import Decision
from webhook.manifest import workload
from webhook.settings import Settings
from webhook.testing import cases, compare, pods
from webhook.testing.cases import EXPECTED, Asked, Case
from webhook.testing.pods import CaseError, Json, Source


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case. It passed when there is neither a problem nor a difference.

    `after` is what `expected.yaml` should say. `pod` and `review` are what was asked, `decision`
    the answer; they are None when the case could not be run.
    """

    case: Case
    problems: tuple[str, ...] = ()
    diff: str = ""
    after: Json | None = None
    pod: Json | None = None
    review: Json | None = None
    decision: Decision | None = None

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems and not self.diff


def run(
    case: Case, *, sources: Sequence[Source] = (), settings: Settings = pods.SETTINGS
) -> Outcome:
    """Puts a case to the test; `sources` are policies from outside the folder."""
    try:
        return _run(case, sources, settings)
    except CaseError as error:
        return Outcome(case, problems=error.lines)
    except (PatchError, ReviewError) as error:
        return Outcome(case, problems=(f"{case.folder}: {error}",))


def update(outcome: Outcome) -> bool:
    """Writes what came out into `expected.yaml`, comments at its top kept. False: it stays."""
    if outcome.after is None or (outcome.passed and outcome.case.text(EXPECTED) is not None):
        return False
    comments = _comments(outcome.case.text(EXPECTED) or "")
    text = comments + write.write([outcome.after])
    (outcome.case.folder / EXPECTED).write_text(text, encoding="utf-8")
    return True


def after(asked: Asked, decision: Decision, kind: str) -> Json:
    """The world after: a Status, or the manifest, or (`kind` Pod of a workload) its pod."""
    if not decision.allowed:
        return {
            "apiVersion": "v1",
            "kind": "Status",
            "status": "Failure",
            "message": decision.message,
            "reason": "Forbidden",
            "code": 403,
        }
    result = decision.pod if decision.patch and decision.pod is not None else asked.made.pod
    if kind in (asked.made.kind, ""):
        return workload.put_back(asked.manifest, asked.made, result)
    return result


def _run(case: Case, sources: Sequence[Source], settings: Settings) -> Outcome:
    asked = cases.ask(case, sources=sources, settings=settings)
    decision = decide.decide(
        pods.question(asked.review), asked.policies, asked.namespace, asked.options
    )
    pods.prove(asked.made.pod, decision)
    expected = cases.only(case, EXPECTED) if case.text(EXPECTED) is not None else None
    actual = after(asked, decision, str((expected or {}).get("kind", "")))
    outcome = Outcome(
        case, after=actual, pod=asked.made.pod, review=asked.review, decision=decision
    )
    if expected is None:
        missing = f"{case.folder}: no {EXPECTED}; write it, or let --update write it"
        return replace(outcome, problems=(missing,))
    if compare.same(expected, _stated(actual, expected)):
        return outcome
    diff = compare.difference(expected, actual, names=(str(case.folder / EXPECTED), "what happens"))
    return replace(outcome, diff=diff)


def _stated(actual: Json, expected: Json) -> Json:
    """Of a Status, only what the case states counts."""
    if actual.get("kind") != "Status":
        return actual
    return {key: value for key, value in actual.items() if key in expected or key == "kind"}


def _comments(text: str) -> str:
    lines = text.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count])
