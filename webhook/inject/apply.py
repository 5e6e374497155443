"""JSON patches applied (RFC 6902: `add`, `remove`, `replace`, all that we ever send)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from webhook.errors import PatchError
from webhook.inject.decision import Operation

Json = Mapping[str, Any]


def apply(document: Json, operations: Iterable[Operation]) -> Json:
    """The document after the operations; it is itself left as it is.

    Only what is on an operation's path is copied. Raises `PatchError` when one does not apply.
    """
    result = document
    for operation in operations:
        parts = operation["path"].split("/")
        try:
            result = _changed(result, parts, 1, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            what = f"the patch does not apply at {operation['path']}: {error!r}"
            raise PatchError(what) from error
    return result


def _changed(value: Any, parts: Sequence[str], depth: int, operation: Operation) -> Any:
    """A copy of `value` in which `operation` is done; `parts[depth]` is the next of its path."""
    if not isinstance(value, dict | list):
        raise TypeError(parts)  # a text is no list, whatever Python makes of it
    holder, part = value.copy(), parts[depth]
    if depth == len(parts) - 1:
        _change(holder, part, operation)
    else:
        key = _key(holder, part)
        holder[key] = _changed(holder[key], parts, depth + 1, operation)
    return holder


def _key(holder: Any, part: str) -> Any:
    if isinstance(holder, list):
        return int(part)
    return part.replace("~1", "/").replace("~0", "~") if "~" in part else part


def _change(holder: Any, part: str, operation: Operation) -> None:
    op = operation["op"]
    if isinstance(holder, list) and op == "add":
        index = len(holder) if part == "-" else int(part)
        if index > len(holder):
            raise IndexError(part)
        holder.insert(index, operation["value"])
        return
    key = _key(holder, part)
    if op == "add":
        holder[key] = operation["value"]
        return
    _ = holder[key]  # both others need it to be there
    if op == "remove":
        del holder[key]
    else:
        holder[key] = operation["value"]
