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
        try:
            _, *way, last = operation["path"].split("/")
            _change(_copied(result, way), last, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            what = f"the patch does not apply at {operation['path']}: {error!r}"
            raise PatchError(what) from error
    return result


_HOLDERS = (dict, list)


def _copied(holder: Any, way: Iterable[str]) -> Any:
    """What stands below `holder` at the end of a way, everything on the way being a copy."""
    for part in way:
        key = part if type(holder) is dict and "~" not in part else _key(holder, part)
        child = holder[key]
        if not isinstance(child, _HOLDERS):
            raise TypeError(part)  # a text is no list, whatever Python makes of it
        holder[key] = holder = child.copy()
    return holder


def _key(holder: Any, part: str) -> Any:
    if isinstance(holder, list):
        return int(part)
    return part.replace("~1", "/").replace("~0", "~")


def _change(holder: Any, part: str, operation: Operation) -> None:
    op = operation["op"]
    if op == "add":
        _add(holder, part, operation["value"])
        return
    key = _key(holder, part)
    _ = holder[key]  # both others need it to be there
    if op == "remove":
        del holder[key]
    else:
        holder[key] = operation["value"]


def _add(holder: Any, part: str, value: Any) -> None:
    if type(holder) is dict:
        holder[_key(holder, part) if "~" in part else part] = value
        return
    index = len(holder) if part == "-" else int(part)
    if index > len(holder):
        raise IndexError(part)
    holder.insert(index, value)
