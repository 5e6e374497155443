"""JSON patches applied (RFC 6902: `add`, `remove`, `replace`, all that we ever send)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.errors import PatchError
from webhook.inject.decision import Operation

Json = Mapping[str, Any]


def apply(document: Json, operations: Iterable[Operation]) -> Json:
    """The document after the operations (`add`, `remove`, `replace`); it is itself left as it is.

    Only what is on an operation's path is copied. Raises `PatchError` when one does not apply.
    """
    result: Any = document
    copied: set[int] = set()
    for operation in operations:
        parts = [p.replace("~1", "/").replace("~0", "~") for p in operation["path"].split("/")[1:]]
        result = _applied(result, parts, operation, copied)
    return result  # type: ignore[no-any-return]


def _applied(value: Any, parts: list[str], operation: Operation, copied: set[int]) -> Any:
    if id(value) not in copied:
        value = _copy(value)
        copied.add(id(value))
    head, *rest = parts
    key = _key(value, head, adding=not rest and operation["op"] == "add")
    if rest:
        value[key] = _applied(value[key], rest, operation, copied)
    elif operation["op"] == "remove":
        del value[key]
    elif operation["op"] == "add" and isinstance(value, list):
        value.insert(key, operation["value"])
    else:
        value[key] = operation["value"]
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, list):
        return list(value)
    what = "a path of the patch leads into a scalar"
    raise PatchError(what)


def _key(value: Any, part: str, *, adding: bool) -> Any:
    if isinstance(value, dict):
        if not adding and part not in value:
            what = f"the patch needs {part}, which is not there"
            raise PatchError(what)
        return part
    index = len(value) if part == "-" and adding else int(part)
    if index > len(value) - (0 if adding else 1):
        what = f"the patch needs index {part} of {len(value)}"
        raise PatchError(what)
    return index
