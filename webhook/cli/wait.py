"""`initject wait`: wait for dependencies, as a step of a pod or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webhook.cli import step

if TYPE_CHECKING:
    from webhook.runner.wait import Mode


@click.command()
@click.argument("words", metavar="TARGET…", nargs=-1)
@click.option(
    "--targets",
    "lists",
    multiple=True,
    metavar="TEXT",
    help="Further targets as URLs with commas between them, of somebody who is not trusted: without"
    " files, headers and link-local addresses. Repeatable.",
)
@step.timeout
@click.option(
    "--mode",
    type=click.Choice(["all", "any"]),
    default="all",
    show_default=True,
    help="Wait for all targets, or for the first.",
)
@click.option(
    "--attempt-timeout",
    "attempt",
    type=step.Duration(),
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="How long one look at a target may take.",
)
@step.exit_code
@step.message
def command(
    words: tuple[str, ...],
    lists: tuple[str, ...],
    timeout: float,
    mode: Mode,
    attempt: float,
    exit_code: int,
    message: str | None,
) -> int:
    """Wait until something is there: a port, a page, a database, a Job that has completed.

    A TARGET is a URL, such as tcp://db:5432 or https://auth/healthz; what is more to say about it
    stands behind a #, such as postgres://db#tls=true&ca=/etc/ca.crt. Or it is some words: a kind,
    and its fields as they stand, such as: postgres host=db tls=true ca=/etc/ca.crt
    """
    if not (words or lists):
        msg = "Missing argument 'TARGET…'."
        raise click.UsageError(msg)
    from webhook.runner import targets, wait

    plan = wait.Plan(targets.read(words, lists), timeout, attempt, mode, exit_code, message)
    return wait.run(plan, lambda line: click.echo(f"initject wait: {line}", err=True))
