"""What is fetched, whatever its source: how it is shown, and how it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from webhook.runner.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to fetch.

    `attempt` does all of it, and says what it did; or it leaves nothing, and raises NotReadyError
    for what may heal, FetchError for what will not.
    """

    name: str
    attempt: Callable[[Deadline], str]
