"""`initject version`."""

from __future__ import annotations

import click

import webhook


@click.command()
def command() -> None:
    """Print the version."""
    click.echo(f"initject {webhook.__version__}")
