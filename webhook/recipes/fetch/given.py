"""A volume that the kubelet fills: the application sees it as it is, or a copy of it."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.document.problem import Finding, Path
from webhook.recipes.fetch import room
from webhook.recipes.fetch.room import Want
from webhook.recipes.rendered import Raw, Rendered


def rendered(path: Path, source: Raw, want: Want, medium: str = "") -> Rendered:
    """The source of a volume, written at `path`; a copy only for who asks for mode or owner.

    `medium` is that of the copy, where nothing is said.
    """
    if want.owned:
        return _copied(source, want, medium)
    volume = want.seen({"name": want.name, **source})
    return Rendered(volumes=(volume,), network=False, findings=tuple(_idle(path, want)))


def _copied(source: Raw, want: Want, medium: str) -> Rendered:
    name = f"{want.name}-source"
    mount = room.mounted(name, read_only=True)
    words = ["copy", f"from={mount['mountPath']}", f"to={want.path}", "replace=true"]
    words.append(f"max-size={want.size}")
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
