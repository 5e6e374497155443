"""`initject schema`: what others check our policies with, made from the one model."""

from __future__ import annotations

import click


@click.group()
def command() -> None:
    """Print the CRDs, or a JSON Schema for editors."""


@command.command()
def crds() -> None:
    """Print both CustomResourceDefinitions as YAML, for `kubectl apply --server-side -f -`."""
    from webhook.document import write
    from webhook.policy import crd

    click.echo(write.write(crd.crds()), nl=False)


@command.command("json")
def json_() -> None:
    """Print the JSON Schema of both kinds, for editors.

    With the YAML language server, let a file begin with
    `# yaml-language-server: $schema=policy.schema.json`.
    """
    import json

    from webhook.policy import schema

    click.echo(json.dumps(schema.editors(), indent=2, ensure_ascii=False))
