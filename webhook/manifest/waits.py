"""What a workload makes of the time that its injected steps take, and of their exit code.

Only a manifest says it: a pod knows nothing of its Job's rules or its Deployment's deadline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.manifest import endings, runner
from webhook.manifest.controllers import Json, mapping
from webhook.manifest.endings import Ending
from webhook.runner import duration

_PROGRESS = 600  # seconds, where progressDeadlineSeconds is not written (apps/v1 Deployment)
# Where the spec of a Job is.
_JOBS: Mapping[str, Path] = {"Job": ("spec",), "CronJob": ("spec", "jobTemplate", "spec")}


@dataclass(frozen=True, slots=True)
class Wait:
    """An init container of a recipe with a deadline, in seconds, and its exit code after that."""

    name: str
    seconds: float
    code: int


def findings(manifest: Json, pod: Json, template: Path = ()) -> list[Finding]:
    """A warning for each rule of a manifest that meets a wait of its injected pod.

    `template` is the place of the pod, or pod template, in the manifest.
    """
    steps = list(_steps(pod))
    waits = [wait for name, words in steps for wait in _waits(name, words)]
    ends = [
        *(endings.late(wait.name, wait.code) for wait in waits),
        *(end for name, words in steps for end in endings.failed(name, words)),
    ]
    return [*_deadlines(manifest, pod, template, waits), *_rules(manifest, ends)]


def _steps(pod: Json) -> Iterator[tuple[str, list[str]]]:
    """The init containers that run our program: their names and words."""
    for container in mapping(pod.get("spec")).get("initContainers") or ():
        words = runner.words(container)
        if words[:1] in (["wait"], ["fetch"]):
            yield str(container.get("name")), words


def _waits(name: str, words: Sequence[str]) -> Iterator[Wait]:
    said = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    # A raw step may leave it to the runner, or let the kubelet fill it in.
    with suppress(KeyError, ValueError):
        yield Wait(name, duration.parse(said["timeout"]), int(said["exit-code"]))


def _deadlines(
    manifest: Json, pod: Json, template: Path, waits: Sequence[Wait]
) -> Iterator[Finding]:
    names = ", ".join(wait.name for wait in waits)
    longest = sum(wait.seconds for wait in waits)
    for path, called, seconds in _limits(manifest, pod, template):
        if isinstance(seconds, int) and longest > seconds:
            limit = f"{called}, {duration.written(seconds)}"
            what = f"{names} may take {duration.written(longest)}, longer than {limit}"
            yield Finding(path, what, f"set a shorter timeout, or a longer {called}", "warning")


def _limits(manifest: Json, pod: Json, template: Path) -> Iterator[tuple[Path, str, object]]:
    """Each limit: its place, what it is called, and its seconds."""
    active, progress = "activeDeadlineSeconds", "progressDeadlineSeconds"
    of_pod = mapping(pod.get("spec")).get(active)
    yield (*template, "spec", active), f"the pod's {active}", of_pod
    if manifest.get("kind") == "Deployment":
        spec = mapping(manifest.get("spec"))
        yield ("spec", progress), progress, spec.get(progress, _PROGRESS)
    path, job = _job(manifest)
    yield (*path, active), active, job.get(active)


def _job(manifest: Json) -> tuple[Path, Json]:
    """The spec of the Job that a manifest is or makes, and its place; empty for another."""
    path = _JOBS.get(str(manifest.get("kind")))
    if path is None:
        return (), {}
    value: Any = manifest
    for part in path:
        value = mapping(value).get(str(part))
    return path, mapping(value)


def _rules(manifest: Json, ends: Sequence[Ending]) -> Iterator[Finding]:
    """Rules of a Job's podFailurePolicy that a step in vain meets, but for those that name it."""
    path, job = _job(manifest)
    rules = mapping(job.get("podFailurePolicy")).get("rules")
    told = set()
    for end in ends:
        for index, rule in enumerate(rules if isinstance(rules, list) else ()):
            if not end.met(rule):
                continue
            if not end.meant(rule) and (end.name, end.code) not in told:
                told.add((end.name, end.code))
                what = (
                    f"{end.name} exits with {end.code} when {end.when}, which "
                    f"podFailurePolicy.rules[{index}] takes for {rule.get('action')}"
                )
                at = (*path, "podFailurePolicy", "rules", index)
                yield Finding(at, what, end.advice, "warning")
            break  # the first rule that fits counts (batch/v1 PodFailurePolicy)
