"""JSON patches applied (RFC 6902: `add`, `remove`, `replace`, all that we ever send)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.errors import PatchError
from webhook.inject.decision import Operation

Json = Mapping[str, Any]


def apply(document: Json, operations: Iterable[Operation]) -> Json:
    """The document after the operations; it is itself left as it is.

    Only what is on an operation's path is copied. Raises `PatchError` when one does not apply.
    """
    result = dict(document)
    copied: dict[str, Any] = {"": result}  # by pointer: what is ours to change by now
    for operation in operations:
        path: str = operation["path"]
        parent, _, last = path.rpartition("/")
        try:
            _change(_opened(parent, copied), last, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            what = f"the patch does not apply at {path}: {error!r}"
            raise PatchError(what) from error
        if operation["op"] != "add" or not last.isdigit():
            continue
        # The items behind an insertion have other places now.
        for pointer in [p for p in copied if p.startswith(f"{parent}/")]:
            del copied[pointer]
    return result


def _opened(pointer: str, copied: dict[str, Any]) -> Any:
    """The value at `pointer`, with everything on the way to it copied."""
    found = copied.get(pointer)
    if found is None:
        parent, _, last = pointer.rpartition("/")
        holder = _opened(parent, copied)
        key = _key(holder, last)
        child = holder[key]
        if not isinstance(child, dict | list):
            raise TypeError(pointer)  # a text is no list, whatever Python makes of it
        found = dict(child) if isinstance(child, dict) else list(child)
        holder[key] = copied[pointer] = found
    return found


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
