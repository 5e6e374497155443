"""Lists and sets: cel-go's `lists` and `sets`, and Kubernetes' own additions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from webhook.expression.library.row import RefusedError, row


def _frozen(value: Any) -> object:
    """Something hashable that is equal exactly where CEL's values are."""
    if isinstance(value, dict):
        return ("map", frozenset((k, _frozen(v)) for k, v in value.items()))
    if isinstance(value, list):
        return ("list", tuple(_frozen(v) for v in value))
    return (isinstance(value, bool), value)


def _comparable(values: list[Any]) -> list[Any]:
    kinds = {float if type(v) is int else type(v) for v in values}
    if len(kinds) > 1 or not kinds <= {float, str, bool}:
        what = "the elements of the list cannot be compared with each other"
        raise RefusedError(what)
    return values


def _ends(pick: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def end(values: list[Any]) -> Any:
        if not values:
            what = "the list is empty"
            raise RefusedError(what)
        return pick(_comparable(values))

    return end


def _sum(values: list[Any]) -> Any:
    kinds = {float if type(v) is int else type(v) for v in values}
    if not kinds <= {float}:
        what = "the elements of the list cannot be added"
        raise RefusedError(what)
    return sum(values[1:], values[0]) if values else 0


def _is_sorted(values: list[Any]) -> bool:
    _comparable(values)
    return all(a <= b for a, b in itertools.pairwise(values))


def _first_kept(values: list[Any]) -> list[Any]:
    kept: dict[object, Any] = {}
    for value in values:
        kept.setdefault(_frozen(value), value)
    return list(kept.values())


def _flatten(values: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        what = "a list is flattened by a depth of at least 0"
        raise RefusedError(what)
    result = values
    for _ in range(min(depth, 10)):
        result = [i for v in result for i in (v if isinstance(v, list) else [v])]
    return result


def _slice(values: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(values):
        what = "the slice is outside of the list"
        raise RefusedError(what)
    return values[start:end]


def _index_of(values: list[Any], value: Any) -> int:
    wanted = _frozen(value)
    return next((i for i, v in enumerate(values) if _frozen(v) == wanted), -1)


def _last_index_of(values: list[Any], value: Any) -> int:
    found = _index_of(values[::-1], value)
    return found if found < 0 else len(values) - 1 - found


def _set(values: list[Any]) -> set[object]:
    return {_frozen(v) for v in values}


_SCALARS = ("string", "int", "uint", "double", "bool", "bytes", "map", "list")
FUNCTIONS = (
    row("sort", "list.() -> list", lambda a: sorted(_comparable(a))),
    row("reverse", "list.() -> list", lambda a: a[::-1]),
    row("distinct", "list.() -> list", _first_kept),
    row("flatten", "list.() -> list", _flatten),
    row("flatten", "list.(int) -> list", _flatten),
    row("slice", "list.(int, int) -> list", _slice),
    row("isSorted", "list.() -> bool", _is_sorted),
    row("sum", "list.() -> dyn", _sum),
    row("min", "list.() -> dyn", _ends(min)),
    row("max", "list.() -> dyn", _ends(max)),
    *(row("indexOf", f"list.({t}) -> int", _index_of) for t in _SCALARS),
    *(row("lastIndexOf", f"list.({t}) -> int", _last_index_of) for t in _SCALARS),
    row("sets.contains", "(list, list) -> bool", lambda a, b: _set(b) <= _set(a)),
    row("sets.equivalent", "(list, list) -> bool", lambda a, b: _set(b) == _set(a)),
    row("sets.intersects", "(list, list) -> bool", lambda a, b: bool(_set(b) & _set(a))),
)
