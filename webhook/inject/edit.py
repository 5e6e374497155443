"""A container or volume with some of its fields set and others taken away, the rest as it was.

What is edited is the smallest *part* that makes sense alone: a variable, a mount, a hook, a probe,
else one field. So that nothing is left half (a `fieldRef` without a path, a probe of two kinds),
which the API server would refuse: it fills defaults into parts, and they are not in the marker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from webhook.inject import ours
from webhook.inject.ours import KEYS, Leaves

Json = Mapping[str, Any]

# Fields whose children stand for themselves; each other one is of a piece.
_APART = frozenset(("resources", "securityContext"))
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = frozenset(("exec", "httpGet", "tcpSocket", "grpc"))  # a probe has one of them


def part(path: str) -> str:
    """The part that a leaf belongs to, as the beginning of its path."""
    head, _, rest = path.partition("/")
    if head in KEYS or head == "lifecycle":
        return f"{head}/{rest.partition('/')[0]}"
    return path if head in _APART else head


def edited(
    planned: Json, present: Json, edits: Leaves, removals: Iterable[str]
) -> tuple[dict[str, Any], frozenset[str]]:
    """A copy of `present` with `edits` and without `removals`, and the parts put in whole.

    A part is put in as planned, or taken away, when something of it goes or when it is of another
    kind than the planned one.
    """
    result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(present))
    there = ours.leaves(present)
    wanted = ours.leaves(planned)
    strays = {_piece(path, planned) for path in there if path not in wanted}
    whole = {_piece(path, planned) for path in removals}
    whole |= {p for path in edits if path not in there and (p := _piece(path, planned)) in strays}
    _put_whole(result, planned, whole)
    for path, value in edits.items():
        if _piece(path, planned) not in whole:
            _set(result, _names(path), value)
    _settle_probes(planned, result)
    return result, frozenset(whole)


def _piece(path: str, planned: Json) -> str:
    """What goes with a leaf: its part; of a probe that stays, as others tuned it, what it does."""
    one = part(path)
    return "/".join(path.split("/")[:2]) if one in _PROBES and one in planned else one


def _settle_probes(planned: Json, result: dict[str, Any]) -> None:
    """Leave a probe that does what is planned nothing else to do."""
    for name in _PROBES:
        probe, wanted = result.get(name), planned.get(name)
        if isinstance(probe, dict) and isinstance(wanted, dict):
            handlers = _HANDLERS & set(probe)
            for other in handlers - set(wanted) if handlers & set(wanted) else ():
                del probe[other]


def _names(path: str) -> list[str]:
    return [ours.unescape(name) for name in path.split("/")]


def in_order(planned: Json, present: Json) -> bool:
    """Whether the variables that are planned stand in the planned order, each only once."""
    wanted = _variables(planned)
    there = [name for name in _variables(present) if name in wanted]
    return there == wanted or there == [name for name in wanted if name in there]


def reorder(planned: Json, result: dict[str, Any]) -> None:
    """Put the planned variables of `result` into the planned order, each once; others stay."""
    wanted = dict.fromkeys(_variables(planned))
    entries = {item.get("name"): item for item in ours.items(result.get("env"))}
    ordered = iter([entries[name] for name in wanted if name in entries])
    env = [
        next(ordered, None) if item.get("name") in wanted else item
        for item in ours.items(result.get("env"))
    ]
    result["env"] = [item for item in env if item is not None]


def _variables(container: Json) -> list[str]:
    return [str(item.get("name")) for item in ours.items(container.get("env"))]


def _put_whole(result: dict[str, Any], planned: Json, parts: Iterable[str]) -> None:
    """Make parts as planned: set, or away where the plan has none."""
    keyed: dict[str, set[str]] = {}
    for names in map(_names, sorted(parts)):
        if names[0] in KEYS:
            keyed.setdefault(names[0], set()).add(names[1])
        elif (value := _at(planned, names)) is None:
            _remove(result, names)
        else:
            _set(result, names, value)
    for field, keys in keyed.items():
        _put_items(result, planned, field, keys)


def _put_items(result: dict[str, Any], planned: Json, field: str, keys: set[str]) -> None:
    """Make the items of these keys as planned, in one pass: an author may send thousands."""
    key = KEYS[field]
    wanted = {name: i for i in ours.items(planned.get(field)) if (name := i.get(key)) in keys}
    items = []
    for item in ours.items(result.get(field)):
        name = item.get(key)
        if name not in keys:
            items.append(item)
        elif name in wanted:
            items.append(wanted.pop(name))
    result[field] = [*items, *wanted.values()]
    if not result[field]:
        del result[field]


def _at(value: Any, names: Iterable[str]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _entry(value: Any, key: str, name: str) -> dict[str, Any] | None:
    """The item of that key; of several the last, which is the one that counts."""
    return next((i for i in reversed(ours.items(value)) if i.get(key) == name), None)


def _set(target: dict[str, Any], names: list[str], value: Any) -> None:
    head, *rest = names
    if not rest:
        target[head] = value
        return
    if head in KEYS and len(rest) > 1:
        items = target.setdefault(head, [])
        entry = _entry(items, KEYS[head], rest[0])
        if entry is None:
            entry = {KEYS[head]: rest[0]}
            items.append(entry)
        _set(entry, rest[1:], value)
        return
    child = target.get(head)
    if not isinstance(child, dict):
        child = target[head] = {}
    _set(child, rest, value)


def _remove(target: dict[str, Any], names: list[str]) -> None:
    head, *rest = names
    if not rest:
        target.pop(head, None)
        return
    child = target.get(head)
    if isinstance(child, dict):
        _remove(child, rest)
        if not child:
            del target[head]
