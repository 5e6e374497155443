"""Documents in, documents out."""

from __future__ import annotations

from typing import Any

from webhook.document import read
from webhook.document.read import Document
from webhook.manifest import stream

TEXT = """\
kind: A
---
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- kind: B
- apiVersion: v1
  kind: PodList
  items:
  - kind: C
---
---
kind: SecretStoreList
items: not a list
"""


def documents() -> list[Document]:
    found, problems = read.read(TEXT, file="stream.yaml")
    assert problems == []
    return found


def kinds(values: list[Any]) -> list[Any]:
    return [value["kind"] for value in values]


def test_lists_are_opened() -> None:
    """Every object comes in order, those of Lists in Lists too; empty documents give none."""
    items = stream.items(documents())

    assert kinds([item.value for item in items]) == ["A", "B", "C", "SecretStoreList"]
    assert items[2].path == ("items", 1, "items", 0)


def test_a_stream_is_built_again() -> None:
    """With nothing changed the same values come out, empty documents left out."""
    found = documents()

    expected = [document.value for document in found if document.value is not None]
    assert expected == stream.rebuild(found, {})


def test_one_object_in_a_list_is_changed() -> None:
    """A changed object stands where it stood, and what is around it is untouched."""
    found = documents()
    item = stream.items(found)[2]

    values = stream.rebuild(found, {(item.number, item.path): {"kind": "Changed"}})

    assert kinds(values) == ["A", "List", "SecretStoreList"]
    assert values[1]["items"][1] == {
        "apiVersion": "v1",
        "kind": "PodList",
        "items": [{"kind": "Changed"}],
    }
    assert found[1].value["items"][1]["items"] == [{"kind": "C"}]  # type: ignore[index]
