"""Raw containers and volumes of a policy: what is wrong with them, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.policy.apiserver import stored as storage


def stored(container: Mapping[str, Any]) -> dict[str, Any]:
    """`container` in the form in which the API server stores it.

    Canonical quantities; empty strings and lists and default-false fields dropped, pointers such
    as `allowPrivilegeEscalation: false` kept. What is not of the right type stays as it is. A
    string with a template stays too: bring the rendered container to this form once more.
    """
    return storage.stored("Container", container)


def stored_volume(volume: Mapping[str, Any]) -> dict[str, Any]:
    """`volume` in the form in which the API server stores it; see `stored`."""
    return storage.stored("Volume", volume)
