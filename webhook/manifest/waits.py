"""What a workload makes of the time that its injected steps take, and of their exit code.

Only a manifest says it: a pod knows nothing of its Job's rules or its Deployment's deadline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.manifest import runner
from webhook.manifest.controllers import Json, mapping
from webhook.runner import duration

_PROGRESS = 600  # seconds, where progressDeadlineSeconds is not written (apps/v1 Deployment)
_JOBS: Mapping[str, Sequence[str]] = {"Job": (), "CronJob": ("spec", "jobTemplate")}


@dataclass(frozen=True, slots=True)
class Wait:
    """An init container of a recipe with a deadline, in seconds, and its exit code after that."""

    name: str
    seconds: float
    code: int


def notes(manifest: Json, pod: Json) -> list[str]:
    """A sentence for each rule of a manifest that meets a wait of its injected pod."""
    waits = list(_waits(pod))
    return [*_deadlines(manifest, pod, waits), *_rules(manifest, waits)] if waits else []


def _waits(pod: Json) -> Iterator[Wait]:
    for container in mapping(pod.get("spec")).get("initContainers") or ():
        words = runner.words(container)
        if words[:1] not in (["wait"], ["fetch"]):
            continue
        said = dict(
            word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word
        )
        try:
            seconds = duration.parse(said["timeout"])
            yield Wait(str(container.get("name")), seconds, int(said["exit-code"]))
        except (KeyError, ValueError):
            continue  # a raw step that leaves it to the runner, or lets the kubelet fill it in


def _deadlines(manifest: Json, pod: Json, waits: Sequence[Wait]) -> Iterator[str]:
    names = ", ".join(wait.name for wait in waits)
    longest = sum(wait.seconds for wait in waits)
    for field, seconds in _limits(manifest, pod):
        if isinstance(seconds, int) and longest > seconds:
            yield (
                f"{names} may take {duration.written(longest)}, longer than {field}, "
                f"{duration.written(seconds)}: set a shorter timeout, or a longer {field}"
            )


def _limits(manifest: Json, pod: Json) -> Iterator[tuple[str, object]]:
    yield "the pod's activeDeadlineSeconds", mapping(pod.get("spec")).get("activeDeadlineSeconds")
    if manifest.get("kind") == "Deployment":
        spec = mapping(manifest.get("spec"))
        yield "progressDeadlineSeconds", spec.get("progressDeadlineSeconds", _PROGRESS)
    yield "activeDeadlineSeconds", _job(manifest).get("activeDeadlineSeconds")


def _job(manifest: Json) -> Json:
    """The spec of the Job that a manifest is or makes; empty for another."""
    path = _JOBS.get(str(manifest.get("kind")))
    if path is None:
        return {}
    value: Any = manifest
    for part in path:
        value = mapping(mapping(value).get(part))
    return mapping(mapping(value).get("spec"))


def _rules(manifest: Json, waits: Sequence[Wait]) -> Iterator[str]:
    """Rules of a Job's podFailurePolicy that a wait in vain meets, but for those that name it."""
    rules = mapping(_job(manifest).get("podFailurePolicy")).get("rules")
    for wait in waits:
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            codes = mapping(mapping(rule).get("onExitCodes"))
            if not _meets(codes, wait):
                continue
            if not (codes["operator"] == "In" and rule.get("action") == "Ignore"):
                yield (
                    f"{wait.name} exits with {wait.code} when its time is over, which "
                    f"podFailurePolicy.rules[{index}] takes for {rule.get('action')}: leave the "
                    f"code out there, or choose another exitCode"
                )
            break  # the first rule that fits counts (batch/v1 PodFailurePolicy)


def _meets(codes: Json, wait: Wait) -> bool:
    if codes.get("containerName") not in (None, wait.name):
        return False
    values = codes.get("values")
    if not isinstance(values, list):
        return False
    operator = codes.get("operator")
    return operator in ("In", "NotIn") and (wait.code in values) is (operator == "In")
