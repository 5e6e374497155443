"""What a written `fetch` becomes, and what is said against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.form.form import Reading
from webhook.recipes.defaults import Defaults
from webhook.recipes.fetch import recipe
from webhook.recipes.rendered import Beside, Raw, Rendered

DEFAULTS = Defaults()


def render(
    source: Raw, *, beside: Raw | None = None, defaults: Defaults = DEFAULTS, **fields: Any
) -> Rendered:
    """What a step `files` becomes, from one source."""
    reading = Reading()
    given = {"from": source, "to": "/etc/app", **fields}
    written = {name: value for name, value in given.items() if value is not None}
    value = recipe.FORM.read((), written, reading)
    assert [] == reading.findings
    return recipe.render(value, Beside("files", **(beside or {})), defaults)


def refused(written: Any) -> list[str]:
    """What is said against the form of a `fetch`, by field."""
    reading = Reading()
    recipe.FORM.read((), written, reading)
    return [f"{place(f.path)}: {f.what}" for f in reading.findings]


def said(source: Raw, **more: Any) -> dict[str, str]:
    """What is wrong with a source, by its field."""
    return {place(f.path): f.what for f in render(source, **more).findings}


def place(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def container(found: Rendered, name: str = "files") -> Mapping[str, Any]:
    """The container of a step."""
    (one,) = (step["container"] for step in found.steps if step["name"] == name)
    return dict(one)


def words(found: Rendered, name: str = "files") -> list[str]:
    """The words of a container behind its options."""
    return [word for word in container(found, name)["args"] if not word.startswith("--")]
