"""JSON patches applied (RFC 6902: `add`, `remove`, `replace`, all that we ever send)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.errors import PatchError
from webhook.review.patch import Operation

Json = Mapping[str, Any]


def apply(document: Json, operations: Iterable[Operation]) -> Json:
    """The document after the operations; it is itself left as it is.

    Only what is on an operation's path is copied. Raises `PatchError` when one does not apply.
    """
    result = dict(document)
    for operation in operations:
        path = operation["path"]
        try:
            _, *way, last = path.split("/")
            _change(_copied(result, way), last, operation)
        except _FAILURES as error:
            what = f"the patch does not apply at {path}: {error!r}"
            raise PatchError(what) from error
    return result


_FAILURES = (AttributeError, KeyError, IndexError, TypeError, ValueError)


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _copied(holder: Any, way: Iterable[str]) -> Any:
    """What stands below `holder` at the end of a way, everything on the way being a copy.

    Raises AttributeError for what is neither object nor list: only these have a `copy`.
    """
    for part in way:
        key = int(part) if type(holder) is list else _unescaped(part) if "~" in part else part
        holder[key] = holder = holder[key].copy()
    return holder


def _change(holder: Any, part: str, operation: Operation) -> None:
    op = operation["op"]
    value = None if op == "remove" else operation["value"]
    if type(holder) is list:
        _change_list(holder, part, op, value)
        return
    key = _unescaped(part) if "~" in part else part
    if op == "add":
        holder[key] = value
    else:
        _set(holder, key, op, value)


def _change_list(holder: list[Any], part: str, op: str, value: Any) -> None:
    if op != "add":
        _set(holder, int(part), op, value)
        return
    index = len(holder) if part == "-" else int(part)
    if index > len(holder):
        raise IndexError(part)
    holder.insert(index, value)


def _set(holder: Any, key: str | int, op: str, value: Any) -> None:
    _ = holder[key]  # both operations need it to be there
    if op == "remove":
        del holder[key]
    else:
        holder[key] = value
