"""The list of recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.recipes import migrate, wait_for
from webhook.recipes.defaults import Defaults
from webhook.recipes.fetch import recipe as fetch
from webhook.recipes.rendered import Beside, Rendered


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe by its field: how it is rendered, and which fields beside it say something to it."""

    field: str
    render: Callable[[Any, Beside, Defaults], Rendered]
    beside: tuple[str, ...]


# By the attribute of a step that holds what is written.
RECIPES: Mapping[str, Recipe] = {
    "wait_for": Recipe("waitFor", wait_for.render, wait_for.BESIDE),
    "migrate": Recipe("migrate", migrate.render, migrate.BESIDE),
    "fetch": Recipe("fetch", fetch.render, fetch.BESIDE),
}
FIELDS = tuple(recipe.field for recipe in RECIPES.values())
