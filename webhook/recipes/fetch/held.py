"""What a ConfigMap or a Secret of the pod's namespace holds: mounted, or copied for an owner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form.form import Boolean, ListOf, Pattern, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import reference
from webhook.recipes.fetch import room
from webhook.recipes.fetch.room import Want
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
    return _rendered(("from", "configMap"), {"configMap": _source(written, "name")}, want)


def secret(written: Mounted, want: Want) -> Rendered:
    """A Secret: what is copied of it stays in memory, unless the author says otherwise."""
    source = {"secret": _source(written, "secretName")}
    return _rendered(("from", "secret"), source, want, room.MEMORY)


def _source(written: Mounted, name: str) -> Raw:
    source: dict[str, Any] = {name: written.name}
    if written.items:
        source["items"] = [{"key": item.key, "path": item.path} for item in written.items]
    if written.optional:
        source["optional"] = True
    return source


def _rendered(path: Path, source: Raw, want: Want, medium: str = "") -> Rendered:
    if want.owned:
        return _copied(source, want, medium)
    volume = want.seen({"name": want.name, **source})
    return Rendered(volumes=(volume,), network=False, findings=tuple(_idle(path, want)))


def _copied(source: Raw, want: Want, medium: str) -> Rendered:
    name = f"{want.name}-source"
    mount = room.mounted(name, read_only=True)
    words = ["copy", f"from={mount['mountPath']}", f"to={want.path}", "replace=true"]
    return Rendered(
        steps=(want.step(want.name, want.runner(words, [mount])),),
        volumes=({"name": name, **source}, want.room(medium)),
        network=False,
    )


def _idle(path: Path, want: Want) -> Iterator[Finding]:
    """Fields that say something only to a copy."""
    beside = want.beside
    fields = {
        "sizeLimit": want.size_limit,
        "medium": want.medium,
        "readOnly": "" if want.read_only else "false",
        "timeout": beside.timeout,
        "exitCode": beside.exit_code,
    }
    for field, value in fields.items():
        if value:
            what = f"is mounted as it is, read-only, by no container: {field} says nothing"
            yield Finding(path, what, f"remove {field}, or add mode to have it copied")
