"""`initject fetch`: bring files into a volume, as a step of a pod or by hand."""

from __future__ import annotations

import click

from webhook.cli import step


@click.command()
@click.argument("words", metavar="SOURCE FIELD=VALUE…", nargs=-1, required=True)
@step.timeout
@click.option(
    "--stall-timeout",
    "stall",
    type=step.Duration(),
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long a server may take to answer, and what comes may be slower than 1 KiB/s.",
)
@step.exit_code
@step.message
def command(
    words: tuple[str, ...], timeout: float, stall: float, exit_code: int, message: str | None
) -> int:
    """Bring files into a volume: all that was asked for, proven, or none.

    SOURCE is http, https or copy, such as: https host=config path=/app.yaml to=/etc/app/ sha256=…
    or: copy from=/mnt/secret to=/etc/app mode=0600. A URL and a PATH are short for http url= to=.
    """
    from webhook.runner.fetch import orders, run

    plan = run.Plan(orders.read(words, stall), timeout, exit_code, message)
    return run.run(plan, lambda line: click.echo(f"initject fetch: {line}", err=True))
