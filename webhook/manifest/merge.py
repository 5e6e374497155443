"""What was done to a copy, done to the original: a merge of three values.

The copy (`before`) has entries that the original does not have; what became of it (`after`) may
have more. The result is the original with only the difference between the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

Keyed = dict[tuple[object, int], Any]


def merge(original: Any, before: Any, after: Any) -> Any:
    """`original` with the changes that lead from `before` to `after`.

    Lists of mappings go by `mountPath` or `name`, in the order of `after`; other lists and scalars
    are taken as a whole. The original is not changed, parts of it may be shared with the result.
    """
    if after == before:
        return original
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _mappings(original if isinstance(original, Mapping) else {}, before, after)
    if _of_mappings(before) and _of_mappings(after):
        return _lists(original if isinstance(original, list) else [], before, after)
    return after


def _of_mappings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)


def _mappings(
    original: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    result = {key: value for key, value in original.items() if key in after or key not in before}
    for key, value in after.items():
        if key not in before or before[key] != value:
            result[key] = merge(original.get(key), before.get(key), value)
    return result


def _lists(original: list[Any], before: list[Any], after: list[Any]) -> list[Any]:
    originals, befores = _keyed(original), _keyed(before)
    result = []
    for key, entry in _keyed(after).items():
        if key not in befores:
            result.append(entry)
        elif key in originals:
            result.append(merge(originals[key], befores[key], entry))
        # else it is only in the copy, and stays there
    return result


def _keyed(entries: list[Any]) -> Keyed:
    """Each entry by its key and how often that key came before it."""
    seen: Counter[object] = Counter()
    result: Keyed = {}
    for entry in entries:
        key = entry.get("mountPath") or entry.get("name") if isinstance(entry, Mapping) else None
        key = key if isinstance(key, str) else None
        result[(key, seen[key])] = entry
        seen[key] += 1
    return result
