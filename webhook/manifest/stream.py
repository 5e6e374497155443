"""Documents in, documents out: every object of a stream, and the stream again in the same order.

A List (`v1 List`, `PodList`, …) is opened into its items and built again around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Path
from webhook.document.read import Document


@dataclass(frozen=True, slots=True)
class Item:
    """One object: its place is (`number` of the document in the stream, `path` inside its value).

    `path` is `()`, or `("items", 3)` for an object inside a List.
    """

    document: Document
    number: int
    path: Path
    value: Any


def items(documents: Iterable[Document]) -> list[Item]:
    """Every object of the documents, in order; an empty document gives none."""
    return [
        Item(document, number, path, value)
        for number, document in enumerate(documents)
        for path, value in _open(document.value, ())
    ]


def rebuild(documents: Iterable[Document], changed: Mapping[tuple[int, Path], Any]) -> list[Any]:
    """The values of all documents that are not empty, with some objects replaced.

    `changed` is keyed by the place of an object, as in its Item: number of the document and path.
    """
    by_document: dict[int, dict[Path, Any]] = {}
    for (number, path), value in changed.items():
        by_document.setdefault(number, {})[path] = value
    return [
        _close(document.value, (), by_document.get(number, {}))
        for number, document in enumerate(documents)
        if document.value is not None
    ]


def _open(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if value is None:
        return
    if is_list(value):
        assert isinstance(value, Mapping)
        for index, item in enumerate(value["items"]):
            yield from _open(item, (*path, "items", index))
        return
    yield path, value


def _close(value: Any, path: Path, changed: Mapping[Path, Any]) -> Any:
    if path in changed:
        return changed[path]
    if not changed or not is_list(value):
        return value
    closed = [
        _close(item, (*path, "items", index), changed) for index, item in enumerate(value["items"])
    ]
    return {**value, "items": closed}


def is_list(value: object) -> bool:
    """Whether `value` is a Kubernetes list of objects."""
    return (
        isinstance(value, Mapping)
        and str(value.get("kind", "")).endswith("List")
        and isinstance(value.get("items"), list)
    )
