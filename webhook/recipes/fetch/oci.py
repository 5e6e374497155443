"""An artifact of a registry: a volume of the kubelet's where it has them, else oras brings it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from webhook.document.problem import Path
from webhook.form.form import Boolean, Pattern, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import reference
from webhook.recipes.fetch import given
from webhook.recipes.fetch.clerk import TMP, Clerk
from webhook.recipes.fetch.room import Want
from webhook.recipes.reference import HELD, File, Held
from webhook.recipes.rendered import Rendered

_HERE: Path = ("from", "oci")
# distribution's reference.go, without what nobody writes; no template: it decides what is run.
_REFERENCE = Pattern(
    r"^[-a-zA-Z0-9.]+(:[0-9]+)?(/[-a-z0-9._]+)+(:[-_a-zA-Z0-9.]{1,128})?(@sha256:[0-9a-f]{64})?$",
    "be registry/name:tag or registry/name@sha256:…, without templates",
    "-",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An artifact as oras pushes it: each layer is a file, or a folder, with its title."""

    reference: str = needed(
        Text(1024, pattern=_REFERENCE), "Registry, name, and tag or digest of the artifact."
    )
    login: Held | None = told(
        HELD,
        "How to log in: a Docker configuration, such as the key `.dockerconfigjson` of a Secret.",
    )
    ca: Held | None = told(HELD, "The CAs to trust, in PEM; those of the image without it.")
    plain_http: bool = told(Boolean(), "Ask the registry without TLS.", default=False)


FORM = Part(Artifact)


def render(written: Artifact, want: Want) -> Rendered:
    """A volume of the kubelet's, which logs in as for images; else steps that pull and copy."""
    own = written.login or written.ca or written.plain_http
    if want.defaults.image_volumes and want.read_only and not own:
        found = given.rendered(_HERE, {"image": {"reference": written.reference}}, want)
        # What says nothing to a volume says something to oras, on another cluster.
        return dataclasses.replace(found, findings=())
    files = list(_files(written, want.name))
    clerk = Clerk(want)
    tool = {
        "image": want.defaults.tool("oras"),
        "command": ["oras"],
        "args": [
            "pull",
            "--no-tty",
            f"--output={clerk.path}",
            *(f"--{option}={file.path}" for option, file in files),
            *(["--plain-http"] if written.plain_http else []),
            written.reference,
        ],
        "env": [{"name": "HOME", "value": TMP}],
        "securityContext": want.owner,
    }
    found = clerk.rendered(tool, files=[file for _, file in files])
    return dataclasses.replace(found, findings=tuple(clerk.idle(_HERE, "timeout", "exitCode")))


def _files(written: Artifact, name: str) -> Iterator[tuple[str, File]]:
    """What oras reads, by its option."""
    if written.login:
        yield "registry-config", reference.file(f"{name}-login", written.login)
    if written.ca:
        yield "ca-file", reference.file(f"{name}-ca", written.ca)
