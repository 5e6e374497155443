"""`python -m certs` and `initject certs`: a throw-away CA and a pair for local work."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from certs.bundle import Bundle

# Outside every importable folder: a build backend may put what lies inside into the wheel.
DEFAULT_FOLDER = Path(".local/certs")
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
LOCAL_CA = "initject throw-away CA"  # how a folder that we may overwrite is recognized


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Where tls.crt, tls.key and ca.crt go.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help=f"A further host name or IP address beside {', '.join(LOCAL_NAMES)}. Repeatable.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=365,
    show_default=True,
    help="How long the certificate is valid.",
)
@click.option("--force", is_flag=True, help="Overwrite a certificate that this did not make.")
def command(folder: Path, names: tuple[str, ...], days: int, *, force: bool) -> None:
    """Write a throw-away CA and a certificate for local work, and say how to use them.

    The CA's own key is kept nowhere, so nobody can ever issue anything else with it. Run it again
    for a new CA and certificate; a running `initject serve` picks them up.
    """
    from certs import files  # cryptography takes 0.1 s to load: not for `--help`
    from certs.bundle import CertificateError

    _refuse_importable(folder)
    if not force:
        _refuse_foreign(folder)
    try:
        bundle = make((*LOCAL_NAMES, *names), datetime.now(UTC), timedelta(days=days))
    except CertificateError as error:
        raise click.UsageError(str(error)) from error
    try:
        files.write(folder, bundle)
    except CertificateError as error:
        raise click.ClickException(str(error)) from error
    click.echo(_advice(folder, bundle))


def make(names: tuple[str, ...], now: datetime, lifetime: timedelta) -> Bundle:
    """A bundle for `names` by a CA that is forgotten at once. Raises CertificateError."""
    from certs.authority import Authority

    authority = Authority.create(now, name=LOCAL_CA, lifetime=lifetime)
    return authority.issue(names, now, lifetime)


def _refuse_importable(folder: Path) -> None:
    whole = folder.absolute().resolve()
    for place in (whole, *whole.parents):
        if (place / "__init__.py").exists():
            text = f"{folder} lies in the Python package {place}; keys do not belong in packages"
            raise click.UsageError(text)


def _refuse_foreign(folder: Path) -> None:
    from certs import files
    from certs.bundle import CertificateError

    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        ours = LOCAL_CA in files.read(folder).issuer
    except CertificateError:
        ours = False
    if not ours:
        text = f"{folder} holds something that this did not make; choose another --dir, or --force"
        raise click.ClickException(text)


def _advice(folder: Path, bundle: Bundle) -> str:
    return f"""\
Wrote tls.crt, tls.key and ca.crt to {folder}
for {", ".join(bundle.names)}, valid until {bundle.not_after:%Y-%m-%d}.

Serve with them:     initject serve --cert-dir {folder} --policies FOLDER
Trust them:          curl --cacert {folder / "ca.crt"} https://localhost:8443/mutate
Register them with a cluster, under webhooks[].clientConfig:

caBundle: {base64.b64encode(bundle.ca).decode()}"""


if __name__ == "__main__":
    command(prog_name="python -m certs")
