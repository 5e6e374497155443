"""Our own applying of patches agrees with an independent library."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.errors import PatchError
from webhook.inject.apply import apply
from webhook.review.patch import Patch

scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(("a", "~", "/")))
keys = st.sampled_from(("a", "b", "a/b", "~1", "0"))
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    ),
    max_size=4,
)


def escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


@st.composite
def patches(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A document and operations, each valid on the result of the one before."""
    document = draw(documents)
    now, operations = document, []
    for _ in range(draw(st.integers(1, 4))):
        operation = draw(operation_on(now))
        operations.append(operation)
        now = jsonpatch.apply_patch(now, [copy.deepcopy(operation)])
    return document, operations


@st.composite
def operation_on(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    holder: Any = document
    path = ""
    while True:
        inner = [k for k, v in _items(holder) if isinstance(v, dict | list)]
        if not inner or draw(st.booleans()):
            break
        key = draw(st.sampled_from(inner))
        holder, path = holder[key], f"{path}/{escape(str(key))}"
    present = [key for key, _ in _items(holder)]
    if present and draw(st.booleans()):
        target = f"{path}/{escape(str(draw(st.sampled_from(present))))}"
        if draw(st.booleans()):
            return {"op": "remove", "path": target}
        return {"op": "replace", "path": target, "value": draw(scalars)}
    new = "-" if isinstance(holder, list) and draw(st.booleans()) else None
    if new is None:
        new = str(draw(st.integers(0, len(holder)))) if isinstance(holder, list) else draw(keys)
    return {
        "op": "add",
        "path": f"{path}/{escape(new)}",
        "value": draw(scalars | st.just({"new": [1]})),
    }


def _items(holder: Any) -> list[tuple[Any, Any]]:
    return list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))


@given(patches())
def test_applying_agrees_with_an_independent_library(
    case: tuple[dict[str, Any], list[dict[str, Any]]],
) -> None:
    """Any valid patch gives what another implementation gives, and the document stays as it was."""
    document, operations = case
    before = copy.deepcopy(document)

    assert jsonpatch.apply_patch(document, copy.deepcopy(operations)) == apply(
        document, Patch(operations)
    )
    assert before == document


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a/b/c", "value": 1},
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/list/2", "value": 1},
        {"op": "replace", "path": "/scalar/a", "value": 1},
        {"op": "add", "path": "/text/-", "value": 1},
        {"op": "add", "path": "/text/0", "value": 1},
    ],
)
def test_a_patch_that_does_not_apply_is_a_bug(operation: dict[str, Any]) -> None:
    """An operation whose place is not there raises, so that no such patch leaves the house."""
    with pytest.raises(PatchError):
        apply({"list": [1, 2], "scalar": 1, "text": "ab"}, Patch([operation]))
