"""`initject serve`: answer the API server over HTTPS."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from webhook import settings
from webhook.settings import Kind, Setting


def _option(setting: Setting) -> Callable[[Any], Any]:
    """The flag of a setting. Its value stays text: `settings.resolve` reads it, wherever from."""
    if setting.kind is Kind.SWITCH:
        return click.option(setting.flag, setting.name, is_flag=True, help=setting.explained)
    return click.option(
        setting.flag,
        setting.name,
        multiple=setting.many,
        metavar=setting.metavar,
        help=setting.explained,
    )


def _options(command: Any) -> Any:
    for setting in reversed(settings.TABLE):
        command = _option(setting)(command)
    return command


@click.command()
@_options
@click.option("--config", metavar="FILE", help="A YAML file of settings.  [INITJECT_CONFIG]")
def command(config: str | None, **flags: Any) -> int:
    """Answer the API server over HTTPS, with policies from files or a cluster.

    Every flag can also be set by the variable in brackets, or in the YAML file by its name without
    the dashes in front. SIGTERM and Ctrl-C answer what comes for a while, then stop; a second one
    stops at once.
    """
    chosen = settings.resolve(flags, os.environ, config=config)
    from webhook.server import run  # FastAPI and the CEL runtime: not for `--help`

    return run.serve(chosen, say=lambda line: click.echo(line, err=True))
