"""`fetch`: what an author writes, and the list of sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webhook.document.problem import Finding
from webhook.form import label
from webhook.form.form import Boolean, Choice, Integer, ListOf, Pattern, Text
from webhook.form.part import Part, fields, needed, told
from webhook.recipes.defaults import Defaults
from webhook.recipes.fetch import git, held, http, objects, oci, room
from webhook.recipes.fetch.git import Repository
from webhook.recipes.fetch.held import Mounted
from webhook.recipes.fetch.http import Download
from webhook.recipes.fetch.objects import Objects
from webhook.recipes.fetch.oci import Artifact
from webhook.recipes.fetch.room import Want
from webhook.recipes.rendered import Beside, Rendered

BESIDE = ("timeout", "exitCode")
DESCRIPTION = (
    "Fetch files into a volume that the application sees: all of them, proven where they come from "
    "a server, or none."
)

EVERY = ("*",)
# A template in it would be taken as it stands: volumes and their mounts have none.
_TO = Pattern("^/[^:$]*$", "be an absolute path without ':' and without templates", "-")
_MODE = Pattern("^0?[4-7][0-7]{2}$", "be such as 0640, and let the owner read", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where files come from: exactly one of the fields."""

    http: Download | None = told(http.FORM, "A file of a server.")
    git: Repository | None = told(git.FORM, "A folder of a git repository.")
    objects: Objects | None = told(objects.FORM, "Objects of a store, or files of SFTP.")
    oci: Artifact | None = told(oci.FORM, "An artifact of a registry.")
    config_map: Mounted | None = told(held.FORM, "A ConfigMap of the pod's namespace.")
    secret: Mounted | None = told(held.FORM, "A Secret of the pod's namespace.")


# By the attribute of `From`.
_SOURCES: Mapping[str, Callable[[Any, Want], Rendered]] = {
    "http": http.render,
    "git": git.render,
    "objects": objects.render,
    "oci": oci.render,
    "config_map": held.config_map,
    "secret": held.secret,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What is fetched, and where the application finds it."""

    from_: From = needed(Part(From, single=True), "Where it comes from.", name="from")
    to: str | None = told(
        Text(1024, pattern=_TO),
        "The folder in which the application finds it. Without it only later steps do, in the "
        "volume of the step's name.",
    )
    into: tuple[str, ...] = told(
        ListOf(label.CONTAINERS, least=1, most=64),
        "Names of application containers, as globs; all of them without it.",
        default=EVERY,
    )
    read_only: bool = told(Boolean(), "Whether the application may only read.", default=True)
    size_limit: str | None = told(
        room.SIZE, f"How large the volume may be; {room.SIZE_LIMIT} without it."
    )
    medium: Literal["Disk", "Memory"] | None = told(
        Choice(("Disk", room.MEMORY)),
        "Where the volume is: on the node's disk, or in memory, as a copy of a Secret is without "
        "it.",
    )
    mode: str | None = told(
        Text(4, pattern=_MODE),
        "The mode of the files, in quotes; 0644 without it. Folders may be entered by whoever may "
        "read files.",
    )
    user: int | None = told(
        Integer(64), "The user whose the files are: the one that the step runs as."
    )
    group: int | None = told(
        Integer(64), "The group whose the files are: the one that the step runs as."
    )


FORM = Part(Fetch)


def render(written: Fetch, beside: Beside, defaults: Defaults) -> Rendered:
    """The steps that bring the files, if any is needed, and the volume in which they are."""
    want = Want(
        beside=beside,
        defaults=defaults,
        to=written.to or "",
        into=written.into,
        read_only=written.read_only,
        size_limit=written.size_limit or "",
        medium=written.medium or "",
        mode=written.mode or "",
        user=written.user,
        group=written.group,
    )
    found = Rendered()  # of a source that could not be read, which is told already
    for field in fields(From).values():
        source = getattr(written.from_, field.attribute)
        if source is not None:
            found = _SOURCES[field.attribute](source, want)
    return dataclasses.replace(found, findings=(*_findings(written), *found.findings))


def _findings(written: Fetch) -> Iterator[Finding]:
    if written.to is None and written.into != EVERY:
        yield Finding(("into",), "says who sees the files, but not where", "add to")
