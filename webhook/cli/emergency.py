"""`initject emergency`: take Initject out of the way of pods, and bring it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from webhook.cluster.emergency import What


@click.command()
@click.argument("what", type=click.Choice(["off", "on", "status"]))
@click.option(
    "--kubeconfig",
    metavar="FILE",
    envvar="KUBECONFIG",
    help="As for kubectl: by default KUBECONFIG, else ~/.kube/config.",
)
@click.option("--context", metavar="NAME", help="The kubeconfig's context to use.")
@click.option(
    "--webhook-configuration",
    "name",
    metavar="NAME",
    default="initject",
    show_default=True,
    help="Our MutatingWebhookConfiguration, and our ValidatingAdmissionPolicy.",
)
def command(what: What, kubeconfig: str | None, context: str | None, name: str) -> int:
    """Take Initject out of the way of pods, and bring it back.

    `off` lets every pod pass without being asked about, also where namespaces enforce; `on` brings
    back what was; `status` says how things stand. Both can be run again, and go on where an earlier
    run stopped. It needs no running Initject.
    """
    from webhook.cluster import emergency  # the Kubernetes client: not for `--help`

    return emergency.run(
        what,
        kubeconfig=kubeconfig,
        context=context,
        name=name,
        say=click.echo,
        warn=lambda line: click.echo(f"initject emergency: {line}", err=True),
    )
