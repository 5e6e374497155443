"""What is known of namespaces: one cell, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping

from webhook.policy.namespace import Namespace


class Namespaces:
    """Holds what a source said of namespaces by name; None means that there is no source."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, Namespace] | None = None) -> None:
        self._by_name = by_name

    @property
    def known(self) -> bool:
        """Whether there is a source at all: without one, every namespace is unknown."""
        return self._by_name is not None

    def __len__(self) -> int:
        return len(self._by_name or ())

    def get(self, name: str) -> Namespace | None:
        """The namespace of that name, or None: nothing is known of it."""
        return self._by_name.get(name) if self._by_name else None

    def replace(self, by_name: Mapping[str, Namespace] | None) -> None:
        """Puts `by_name` in place of what was known before."""
        self._by_name = by_name
