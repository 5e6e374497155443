"""What a ConfigMap or a Secret of the pod's namespace holds: mounted, or copied for an owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webhook.form.form import Boolean, ListOf, Pattern, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import reference
from webhook.recipes.fetch import given
from webhook.recipes.fetch.room import MEMORY, Want
from webhook.recipes.rendered import Raw, Rendered

_PATH = Text(
    1024,
    pattern=Pattern(
        r"^[-_a-zA-Z0-9][-._a-zA-Z0-9]*(/[-_a-zA-Z0-9][-._a-zA-Z0-9]*)*$",
        "be a relative path of letters, digits, '-', '_' and '.'",
        "-",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One key, and the file that it becomes."""

    key: str = needed(reference.KEY_NAME, "The key in it.")
    path: str = needed(_PATH, "The file, below `to`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A ConfigMap or Secret of the pod's namespace; each key is a file."""

    name: str = needed(reference.NAME, "The name of the object.")
    items: tuple[Item, ...] | None = told(
        ListOf(Part(Item), least=1, most=64), "Some of its keys only, each with a path."
    )
    optional: bool = told(
        Boolean(), "Whether the pod starts without it, and so without files.", default=False
    )


FORM = Part(Mounted)


def config_map(written: Mounted, want: Want) -> Rendered:
    """A ConfigMap."""
    return given.rendered(("from", "configMap"), {"configMap": _source(written, "name")}, want)


def secret(written: Mounted, want: Want) -> Rendered:
    """A Secret: what is copied of it stays in memory, unless the author says otherwise."""
    source = {"secret": _source(written, "secretName")}
    return given.rendered(("from", "secret"), source, want, MEMORY)


def _source(written: Mounted, name: str) -> Raw:
    source: dict[str, Any] = {name: written.name}
    if written.items:
        source["items"] = [{"key": item.key, "path": item.path} for item in written.items]
    if written.optional:
        source["optional"] = True
    return source
