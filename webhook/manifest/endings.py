"""How a step of our program may end in vain, and whether a rule of a podFailurePolicy means it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from webhook.manifest.controllers import Json, mapping
from webhook.runner.schemes import SCHEMES
from webhook.runner.statuses import FAILED

_JOB = "job"  # the kind of target that can fail for good


@dataclass(frozen=True, slots=True)
class Ending:
    """How an init container may end in vain: its exit code, when, and what to do about a rule."""

    name: str
    code: int
    when: str
    advice: str
    usual: bool = False  # a code of many programs, so that a rule can hardly mean this one by it

    def met(self, rule: object) -> bool:
        """Whether a rule of a podFailurePolicy fits."""
        codes = mapping(mapping(rule).get("onExitCodes"))
        if codes.get("containerName") not in (None, self.name):
            return False
        values, operator = codes.get("values"), codes.get("operator")
        if not isinstance(values, list) or operator not in ("In", "NotIn"):
            return False
        return (self.code in values) is (operator == "In")

    def meant(self, rule: Json) -> bool:
        """Whether a rule that fits names it on purpose, or does as if there were none."""
        codes, action = mapping(rule["onExitCodes"]), rule.get("action")
        if self.usual:
            named = codes.get("containerName") == self.name and codes["operator"] == "In"
            return named or action == "Count"
        return codes["operator"] == "In" and action == "Ignore"


def late(name: str, code: int) -> Ending:
    """A step whose time is over: the code is its own, and others can be chosen."""
    advice = "leave the code out there, or choose another exitCode"
    return Ending(name, code, "its time is over", advice)


def failed(name: str, words: Sequence[str]) -> Iterator[Ending]:
    """A step that ends before, if what it asks can fail for good."""
    when = _failing(words)
    if when:
        advice = "name the container that the rule is meant for in its containerName"
        yield Ending(name, FAILED, when, advice, usual=True)


def _failing(words: Sequence[str]) -> str:
    verb, *rest = words
    if verb == "fetch":
        return "what it fetches is refused or not there"
    kinds = {kind for word in rest if (kind := word.partition(":")[0]) in SCHEMES}
    enough = "--mode=any" in rest or any(pair == ("--mode", "any") for pair in pairwise(rest))
    others = kinds != {_JOB} or any(word.startswith("--targets") for word in rest)
    if _JOB not in kinds or (enough and others):
        return ""
    return "a Job that it waits for has failed"
