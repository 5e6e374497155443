"""`initject explain`: why a policy applies to a pod, or does not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from webhook.cli import manifests, options
from webhook.cli.manifests import Subject
from webhook.cli.render import explanation
from webhook.errors import UsageError
from webhook.inject import explain
from webhook.inject.explain import Explanation


@click.command()
@click.argument("files", nargs=-1, required=True, type=options.PATH, metavar="FILE...")
@options.decisions
@options.namespace
@click.option(
    "--policy",
    "only",
    multiple=True,
    metavar="NAME",
    help="Say it of this policy only (an InitPolicy is namespace/name); repeatable.",
)
@options.output("text", "json")
@options.color
def command(
    files: Sequence[str],
    namespace: str,
    only: Sequence[str],
    output: str,
    **given: Any,
) -> None:
    """Say why a policy applies to a pod, or does not.

    For every pod that FILE (a file, a folder, or `-`) leads to: each policy, clause by clause, with
    what was compared, and the order in which all init containers would run.
    """
    scene = manifests.scene(files, options.decided_by(given), namespace=namespace)
    unknown = set(only) - {policy.key for policy in scene.policies.policies}
    if unknown:
        wrong = f"no policy {', '.join(sorted(unknown))} among those of --policies"
        raise UsageError(wrong)
    told = [
        (
            subject,
            _only(
                explain.explain(subject.request, scene.policies, subject.namespace, scene.options),
                only,
            ),
        )
        for subject in scene.subjects
    ]
    _PRINT[output](told)


def _only(told: Explanation, policies: Sequence[str]) -> Explanation:
    if not policies:
        return told
    return replace(told, policies=tuple(p for p in told.policies if p.policy in policies))


def _text(told: Sequence[tuple[Subject, Explanation]]) -> None:
    texts = [explanation.text(subject.title, why) for subject, why in told]
    click.echo("\n\n".join(texts), nl=bool(texts))


def _json(told: Sequence[tuple[Subject, Explanation]]) -> None:
    entries = [
        {
            "kind": subject.made.kind,
            "namespace": subject.made.namespace,
            "name": subject.made.name,
            **explanation.plain(why),
        }
        for subject, why in told
    ]
    click.echo(json.dumps(entries, indent=2, ensure_ascii=False))


_PRINT = {"text": _text, "json": _json}
