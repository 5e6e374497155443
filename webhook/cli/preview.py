"""`initject preview`: what would happen to manifests, by the very function of the webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from webhook import testing
from webhook.cli import manifests, options
from webhook.cli.manifests import Scene, Subject
from webhook.cli.render import diff, problems, rights, verdict
from webhook.document import write
from webhook.inject import decide
from webhook.inject.decision import Decision
from webhook.manifest import stream, waits, workload


@dataclass(frozen=True, slots=True)
class Result:
    """What happens to one manifest; `after` is the manifest with what was injected."""

    subject: Subject
    decision: Decision
    after: Mapping[str, Any]

    @property
    def pod(self) -> Mapping[str, Any] | None:
        """The pod that would be created, None if it is denied."""
        if not self.decision.allowed:
            return None
        patched = self.decision.pod if self.decision.patch else None
        return self.subject.made.pod if patched is None else patched

    @property
    def notes(self) -> list[str]:
        """What the manifest makes of the pod's waits, and whose rights they take."""
        if self.pod is None:
            return []
        found = waits.findings(self.subject.item.value, self.pod)
        return [*(f"{one.what}: {one.advice}" for one in found), *rights.notes(self.needs)]

    @property
    def needs(self) -> list[rights.Need]:
        """What the pod needs to see of the cluster."""
        return rights.needs(self.pod or {}, self.subject.made.namespace)


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.PATH, metavar="FILE...")
@options.decisions
@options.namespace
@options.output("diff", "yaml", "json", "rights")
@options.color
def command(
    files: Sequence[str],
    namespace: str,
    output: str,
    **given: Any,
) -> None:
    """Show what would happen to manifests.

    FILE is a file, a folder, or `-` for standard input: Pods, workloads that create pods, Lists,
    and anything else, which passes untouched. `-o yaml` prints all of it, injected, for kubectl
    apply; `-o rights` the Roles of pods that wait for objects of the cluster. A pod that would be
    denied is no error.
    """
    scene = manifests.scene(files, options.decided_by(given), namespace=namespace)
    _PRINT[output](scene, results(scene))


def results(scene: Scene) -> list[Result]:
    """What happens to each subject, each patch proven by a second opinion (PatchError)."""
    return [_result(subject, scene) for subject in scene.subjects]


def _result(subject: Subject, scene: Scene) -> Result:
    decision = decide.decide(subject.request, scene.policies, subject.namespace, scene.options)
    testing.prove(subject.made.pod, decision)
    after = subject.item.value
    if decision.allowed and decision.patch and decision.pod is not None:
        after = workload.put_back(after, subject.made, decision.pod)
    return Result(subject, decision, after)


def entry(result: Result) -> dict[str, Any]:
    """A result as `-o json` prints it."""
    made, decision = result.subject.made, result.decision
    return {
        "kind": made.kind,
        "namespace": made.namespace,
        "name": made.name,
        "allowed": decision.allowed,
        **({} if decision.allowed else {"message": decision.message}),
        "patch": list(decision.patch),
        "pod": result.pod,
        "warnings": list(decision.warnings),
        "notes": result.notes,
        "reasons": [msgspec.structs.asdict(reason) for reason in decision.reasons],
        "rights": rights.objects_for(result.needs),
    }


def _json(scene: Scene, results: Sequence[Result]) -> None:
    click.echo(json.dumps([entry(result) for result in results], indent=2, ensure_ascii=False))


def _yaml(scene: Scene, results: Sequence[Result]) -> None:
    changed = {
        (result.subject.item.number, result.subject.item.path): result.after for result in results
    }
    click.echo(write.write(stream.rebuild(scene.documents, changed)), nl=False)
    for result in results:
        if not result.decision.allowed:
            click.echo(verdict.line(result.subject.title, result.decision), err=True)
        for note in verdict.notes(result.decision, result.notes):
            click.echo(note, err=True)


def _rights(scene: Scene, results: Sequence[Result]) -> None:
    every = [need for result in results for need in result.needs]
    click.echo(write.write(rights.objects_for(every)), nl=False)
    if not every:
        click.echo("no pod waits for objects of the cluster", err=True)
    for note in rights.guesses(every):
        click.echo(note, err=True)


def _diff(scene: Scene, results: Sequence[Result]) -> None:
    for result in results:
        title = result.subject.title
        notes = verdict.notes(result.decision, result.notes)
        click.echo("\n".join([verdict.line(title, result.decision), *notes]))
        shown = diff.unified(
            write.write([result.subject.item.value]),
            write.write([result.after]),
            names=(title, f"{title}, injected"),
        )
        click.echo(shown, nl=bool(shown))
    click.echo(_summary(scene, results), err=True)


_PRINT = {"diff": _diff, "yaml": _yaml, "json": _json, "rights": _rights}


def _summary(scene: Scene, results: Sequence[Result]) -> str:
    denied = sum(not result.decision.allowed for result in results)
    injected = sum(bool(r.decision.applied and r.decision.patch) for r in results)
    unchanged = len(results) - denied - injected
    parts = [f"{injected} injected", f"{unchanged} unchanged"]
    parts += [f"{denied} denied"] if denied else []
    if scene.others:
        parts.append(f"{problems.count(scene.others, 'other object')} untouched")
    return ", ".join(parts)
