"""What a source said about a setting, before it is checked, and the nearest right name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from webhook.settings.setting import Setting


@dataclass(frozen=True, slots=True)
class Given:
    """A setting, where it was written (as problems begin), and its text: one item unless a list."""

    setting: Setting
    where: str
    text: tuple[str, ...]


def nearest(name: str, names: Collection[str]) -> str:
    """The name that was probably meant, or an empty text."""
    from difflib import get_close_matches  # only for who mistyped

    return next(iter(get_close_matches(name, names, 1, 0.7)), "")
