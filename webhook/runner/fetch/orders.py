"""From what is written to what is fetched. A source is loaded only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from webhook.runner.fetch import words
from webhook.runner.fetch.order import Order

SOURCES = ("http", "copy")  # each is a module


def read(text: Sequence[str], stall: float) -> Order:
    """What the words of a command line ask for; raises UsageError."""
    fields = words.read(text, SOURCES)
    module = importlib.import_module(f"webhook.runner.fetch.{fields.source}")
    order: Order = module.read(fields, stall)
    return order
