"""`initject test`: folders of policy, pod and expected result, as in our own gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from webhook import testing
from webhook.cli import options
from webhook.cli.render import diff, junit, problems
from webhook.errors import UsageError


@click.command()
@click.argument(
    "paths", nargs=-1, type=click.Path(exists=True, file_okay=False), metavar="[PATH...]"
)
@options.decisions
@click.option("--update", is_flag=True, help="Write what happens into each expected.yaml.")
@options.output("text", "junit")
@options.color
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: Sequence[str],
    update: bool,
    output: str,
    **given: Any,
) -> None:
    """Run test cases: folders of policy, pod and expected result.

    PATH (the current folder if left out) is searched for folders with a pod.yaml (a Pod or a
    workload), an expected.yaml (the Pod afterwards, the workload afterwards, or a Status that
    refuses), and a policy.yaml unless --policies names the policies. Optional are namespace.yaml
    (its labels) and request.yaml (fields of the AdmissionRequest; `options` as for --inject).
    """
    cases = [case for path in paths or ["."] for case in testing.load_cases(path)]
    if not cases:
        wrong = (
            f"no case in {', '.join(paths) or 'this folder'}; a case is a folder with a pod.yaml"
        )
        raise UsageError(wrong)
    settings = options.decided_by(given, policies=False)
    texts, unread = options.sources([*settings.policies, *settings.namespaces])
    if unread:
        click.echo("\n".join(map(problems.line, unread)), err=True)
        ctx.exit(1)
    outcomes = [testing.run(case, sources=texts, settings=settings) for case in cases]
    if update:
        outcomes = [_updated(outcome, output) for outcome in outcomes]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    _PRINT[output](outcomes)
    ctx.exit(1 if failed else 0)


def _updated(outcome: testing.Outcome, output: str) -> testing.Outcome:
    if not testing.update(outcome):
        return outcome
    click.echo(f"updated {outcome.case.folder / testing.EXPECTED}", err=output != "text")
    return testing.Outcome(outcome.case)


def _text(outcomes: Sequence[testing.Outcome]) -> None:
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed:
        mark = click.style("FAILED", fg="red", bold=True)
        click.echo(f"{mark} {click.style(outcome.case.name, bold=True)}")
        for line in outcome.problems:
            click.echo(f"  {line}")
        click.echo(diff.coloured(outcome.diff), nl=bool(outcome.diff))
    click.echo(
        click.style(
            f"{len(outcomes) - len(failed)} passed, {len(failed)} failed",
            fg="red" if failed else "green",
        )
    )


def _junit(outcomes: Sequence[testing.Outcome]) -> None:
    results = [
        junit.Result(
            name=outcome.case.name,
            file=str(Path(outcome.case.folder) / testing.EXPECTED),
            failure="\n".join([*outcome.problems, *([outcome.diff] if outcome.diff else [])]),
        )
        for outcome in outcomes
    ]
    click.echo(junit.document("initject", results), nl=False)


_PRINT = {"text": _text, "junit": _junit}
