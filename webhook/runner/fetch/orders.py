"""From what is written to what is fetched. A source is loaded only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from webhook.runner.fetch import words
from webhook.runner.fetch.order import Order

# The module of each.
SOURCES: Mapping[str, str] = {"http": "http", "https": "http", "copy": "copy"}


def read(text: Sequence[str], stall: float) -> Order:
    """What the words of a command line ask for; raises UsageError."""
    fields = words.read(text, tuple(SOURCES))
    module = importlib.import_module(f"webhook.runner.fetch.{SOURCES[fields.source]}")
    order: Order = module.read(fields, stall)
    return order
