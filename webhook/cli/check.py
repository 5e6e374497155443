"""`initject check`: every problem of a set of policies, with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import click

from webhook.cli import options
from webhook.cli.render import github, problems
from webhook.document.problem import Problem
from webhook.policy import load


@click.command()
@click.argument("paths", nargs=-1, required=True, type=options.PATH, metavar="PATH...")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@options.output("text", "json", "github")
@options.color
@click.pass_context
def command(ctx: click.Context, paths: Sequence[str], strict: bool, output: str) -> None:
    """Find every problem in policies.

    PATH is a file, a folder, or `-` for standard input. Files that are checked together are seen
    together: what two policies do to each other is found only then, and where a workload among them
    has less time than its injected steps may wait.
    """
    texts, unread = options.sources(paths)
    loaded = load.load(texts)
    found = sorted([*unread, *loaded.problems, *_waiting(texts, loaded)])
    policies = len(loaded.policies.policies)
    click.echo(_RENDER[output](policies, found))
    errors, warnings = problems.split(found)
    nothing = not policies and not errors
    if nothing:
        click.echo(f"initject check: no policy in {', '.join(paths)}", err=True)
    ctx.exit(1 if errors or nothing or (strict and warnings) else 0)


# How a workload begins, in YAML or JSON.
_WORKLOAD = re.compile(
    r"""\bkind["']?\s*:\s*["']?"""
    r"(Pod|ReplicationController|Deployment|ReplicaSet|StatefulSet|DaemonSet|Job|CronJob)\b"
)


def _waiting(texts: Sequence[options.Source], loaded: load.Loaded) -> list[Problem]:
    having = [(file, text) for file, text in texts if _WORKLOAD.search(text)]
    if not having:
        return []
    from webhook.cli import manifests  # brings the decision, for who has workloads alone

    return manifests.waiting(having, loaded)


def _text(policies: int, found: Sequence[Problem]) -> str:
    return "\n".join([*map(problems.line, found), problems.summary(policies, found)])


def _github(policies: int, found: Sequence[Problem]) -> str:
    return "\n".join([*map(github.line, found), problems.summary(policies, found)])


def _json(policies: int, found: Sequence[Problem]) -> str:
    errors, warnings = problems.split(found)
    report = {
        "policies": policies,
        "errors": len(errors),
        "warnings": len(warnings),
        "problems": [problems.plain(problem) for problem in found],
    }
    return json.dumps(report, indent=2, ensure_ascii=False)


_RENDER = {"text": _text, "json": _json, "github": _github}
