"""What the verbs share that run as a step of a pod: how long, which status, which last line."""

from __future__ import annotations

import click

from webhook.runner import duration
from webhook.runner.statuses import GAVE_UP

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


# There is always an end.
timeout = click.option(
    "--timeout",
    type=Duration(),
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="When to give up.",
)

# A `podFailurePolicy` can tell it from the application's.
exit_code = click.option(
    "--exit-code",
    type=click.IntRange(1, 255),
    default=GAVE_UP,
    show_default=True,
    help="The exit status when it gives up.",
)

# Kubernetes shows it.
message = click.option(
    "--termination-message",
    "message",
    metavar="FILE",
    help="Where the last line is left too; '' for nowhere.  [default: /dev/termination-log, if"
    " it is there]",
)
