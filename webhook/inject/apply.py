"""JSON patches applied (RFC 6902: `add`, `remove`, `replace`, all that we ever send)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.errors import PatchError
from webhook.review.patch import Operation, Patch

Json = Mapping[str, Any]


def apply(document: Json, patch: Patch) -> Json:
    """The document after the operations; it is itself left as it is.

    Only what is on an operation's path is copied. Raises `PatchError` when one does not apply.
    """
    result = dict(document)
    for place, operation in zip(patch.places, patch, strict=True):
        try:
            holder = _copied(result, place)
            if type(holder) is dict and operation["op"] == "add":
                holder[place[-1]] = operation["value"]
            else:
                _change(holder, place[-1], operation)
        except _FAILURES as error:
            what = f"the patch does not apply at {operation['path']}: {error!r}"
            raise PatchError(what) from error
    return result


_FAILURES = (AttributeError, KeyError, IndexError, TypeError, ValueError)


def _copied(holder: Any, place: tuple[str, ...]) -> Any:
    """What the last part of a place stands in, everything on the way being a copy.

    Raises AttributeError for what is neither object nor list: only these have a `copy`.
    """
    for part in place[:-1]:
        key = int(part) if type(holder) is list else part
        holder[key] = holder = holder[key].copy()
    return holder


def _change(holder: Any, part: str, operation: Operation) -> None:
    key = _index(holder, part) if type(holder) is list else part
    if operation["op"] == "add":  # to a list: one to an object is done already
        holder.insert(key, operation["value"])
        return
    _ = holder[key]  # both others need it to be there
    if operation["op"] == "remove":
        del holder[key]
    else:
        holder[key] = operation["value"]


def _index(holder: list[Any], part: str) -> int:
    index = len(holder) if part == "-" else int(part)
    if index > len(holder):
        raise IndexError(part)
    return index
