"""The policies in force: one cell, replaced as a whole."""

from __future__ import annotations

from webhook.policy.index import PolicySet


class Policies:
    """Holds the set in force. A reader keeps the set it got, whatever replaces it meanwhile.

    Who fills it decides whether a new set is good; what is here is the last good one.
    """

    __slots__ = ("_current", "_version")

    def __init__(self, first: PolicySet) -> None:
        self._current = first
        self._version = 1

    def get(self) -> PolicySet:
        """The set in force now."""
        return self._current

    @property
    def version(self) -> int:
        """Counts the sets that have been in force, this one included."""
        return self._version

    def replace(self, policies: PolicySet) -> None:
        """Puts `policies` in force: one assignment, so nobody sees half of it."""
        self._current = policies
        self._version += 1
