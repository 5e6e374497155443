"""Every function of ours (`library`), and their names."""

from __future__ import annotations

from webhook.expression.library import address, lists, patterns, quantity, semver, url
from webhook.expression.library.row import TYPES, Function

FUNCTIONS: tuple[Function, ...] = (
    *lists.FUNCTIONS,
    *patterns.FUNCTIONS,
    *quantity.FUNCTIONS,
    *url.FUNCTIONS,
    *address.FUNCTIONS,
    *semver.FUNCTIONS,
)
# Those that make or take a value of a type that the runtime does not know.
OPAQUE = frozenset(f.name for f in FUNCTIONS if f.result in TYPES or f.types[0] in TYPES)
