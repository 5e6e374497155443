"""Comparing JSON values, and showing where they differ."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping

from webhook.document import write


def same(one: object, other: object) -> bool:
    """Whether two JSON values are equal; the order of keys does not count, `1` is not `true`."""
    return _canonical(one) == _canonical(other)


def difference(
    expected: object, actual: object, *, names: tuple[str, str] = ("expected", "actual")
) -> str:
    """A unified diff of two JSON values as YAML; the order of keys counts for nothing."""
    before = write.write([expected]).splitlines(keepends=True)
    after = write.write([_ordered(actual, expected)]).splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, *names))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _ordered(value: object, like: object) -> object:
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        keys = [*(key for key in like if key in value), *(key for key in value if key not in like)]
        return {key: _ordered(value[key], like.get(key)) for key in keys}
    if isinstance(value, list) and isinstance(like, list):
        return [
            _ordered(entry, like[index] if index < len(like) else None)
            for index, entry in enumerate(value)
        ]
    return value
