"""A file of a server, proven and unpacked: `initject fetch http` in our own image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from webhook.document.problem import Finding
from webhook.form.form import Boolean, Choice, Filled, Integer, MapOf, Pattern, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import address, reference
from webhook.recipes.address import Address
from webhook.recipes.fetch import room
from webhook.recipes.fetch.room import Want
from webhook.recipes.reference import HELD, Held
from webhook.recipes.rendered import Rendered

_SHA256 = Pattern("^[0-9a-fA-F]{64}$", "be the 64 hexadecimal digits of a SHA-256", "")
_HEADER = Pattern("^[-A-Za-z0-9]+$", "consist of letters, digits and '-'", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file that a server has: exactly one of sha256, minisign and unverified."""

    url: str = needed(
        Filled(Text(2048)),
        "The file: `http://` or `https://`, host, port, path and query. Templates may fill any "
        "part but the scheme; nothing that a pod's author controls may be the host.",
    )
    sha256: str | None = told(
        Filled(Text(64, pattern=_SHA256)), "What the file must hash to, in hexadecimal digits."
    )
    minisign: str | None = told(
        Filled(Text(256)),
        "The public key whose minisign signature the file must have; it lies beside the file, with "
        "`.minisig` behind its path.",
    )
    unverified: bool = told(
        Boolean(), "That the file may be anything that the server says.", default=False
    )
    file: str | None = told(
        Filled(Text(255)), "The name of the file in `to`; the last part of the URL's path without."
    )
    headers: Mapping[str, Held] | None = told(
        MapOf(Text(256, pattern=_HEADER), HELD, most=32),
        "Headers to send to the host itself, never to one that it redirects to.",
    )
    ca: Held | None = told(HELD, "The CAs to trust, in PEM; those of the image without it.")
    redirects: Literal["same-host", "any", "none"] = told(
        Choice(("same-host", "any", "none")),
        "Which redirects are followed. Never one from https to http.",
        default="same-host",
    )
    max_size: str | None = told(
        room.SIZE, "The most that is read; as much as the volume holds without it."
    )
    unpack: Literal["tar", "zip"] | None = told(
        Choice(("tar", "zip")), "Unpack it: a tar (also of gzip, xz or bzip2) or a zip."
    )
    strip: int | None = told(
        Integer(32), "How many folders in front of each name of the archive fall away."
    )


FORM = Part(Download)


def render(written: Download, want: Want) -> Rendered:
    """One step, which downloads, proves and unpacks."""
    findings = [finding.under(("from", "http")) for finding in _findings(written)]
    try:
        url = address.web(written.url)
    except ValueError as error:
        url = Address("http", "")
        findings.append(Finding(("from", "http", "url"), str(error)))
    ca = reference.file(f"{want.name}-ca", written.ca) if written.ca else None
    headers = sorted((written.headers or {}).items())
    words = [
        *url.words,
        f"to={want.path}" if written.unpack else f"to={want.path}/{written.file or ''}",
        *_proof(written),
        *(f"header-env={name}:HEADER_{index}" for index, (name, _) in enumerate(headers)),
        *([f"ca={ca.path}"] if ca else []),
        *([f"redirects={written.redirects}"] if written.redirects != "same-host" else []),
        f"max-size={written.max_size or want.size}",
        *_unpacking(written, want),
    ]
    env = [reference.variable(f"HEADER_{index}", held) for index, (_, held) in enumerate(headers)]
    return Rendered(
        steps=(want.step(want.name, want.runner(words, [ca.mount] if ca else [], env)),),
        volumes=(want.room(), *([ca.volume] if ca else [])),
        findings=tuple(findings),
    )


def _proof(written: Download) -> Iterator[str]:
    if written.sha256 is not None:
        yield f"sha256={written.sha256}"
    if written.minisign is not None:
        yield f"minisign-key={written.minisign}"
    if written.unverified:
        yield "unverified=true"


def _unpacking(written: Download, want: Want) -> Iterator[str]:
    if written.unpack:
        yield f"unpack={written.unpack}"
        yield f"max-unpacked={want.size}"
        yield "replace=true"
    if written.strip:
        yield f"strip={written.strip}"


def _findings(written: Download) -> Iterator[Finding]:
    proofs = [written.sha256 is not None, written.minisign is not None, written.unverified]
    if sum(proofs) != 1:
        have = f"has {sum(proofs)}" if any(proofs) else "has none"
        what = f"{have} of sha256, minisign and unverified, not exactly one"
        yield Finding((), what, "" if any(proofs) else "add sha256")
    if written.strip is not None and not written.unpack:
        yield Finding(("strip",), "is for archives", "add unpack")
    if written.strip is not None and written.strip < 0:
        yield Finding(("strip",), "must be at least 0")
    if written.file is not None and written.unpack:
        yield Finding(("file",), "is for what is not unpacked", "remove it")
