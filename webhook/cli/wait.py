"""`initject wait`: wait for dependencies, as a step of a pod or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webhook.runner import duration

if TYPE_CHECKING:
    from webhook.runner.wait import Mode

MOST = 24 * 3600.0  # a guess: whoever waits longer wants no init container


class Duration(click.ParamType[float]):
    """A duration from 1ms to 24h, as seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds; a usage error for anything else."""
        try:
            seconds = duration.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not 0.001 <= seconds <= MOST:
            self.fail(f"{value} is out of place; write 1ms to {MOST / 3600:.0f}h", param, ctx)
        return seconds


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
@click.option(
    "--timeout",
    type=Duration(),
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="When to give up.",
)
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
    type=Duration(),
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="How long one look at a target may take.",
)
@click.option(
    "--exit-code",
    type=click.IntRange(1, 255),
    default=210,
    show_default=True,
    help="The exit status when it gives up.",
)
@click.option(
    "--termination-message",
    "message",
    metavar="FILE",
    help="Where the last line is left too; '' for nowhere.  [default: /dev/termination-log, if it"
    " is there]",
)
def command(
    words: tuple[str, ...],
    lists: tuple[str, ...],
    timeout: float,
    mode: Mode,
    attempt: float,
    exit_code: int,
    message: str | None,
) -> int:
    """Wait until something is there: a port, a page, a database.

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
