"""What was done to a copy, done to the original."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.manifest import merge


@pytest.mark.parametrize(
    ("original", "before", "after", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1, "s": 2}, {"a": 1, "s": 2}, {"a": 1}, id="nothing"),
        pytest.param(
            {"a": 1}, {"a": 1, "s": 2}, {"a": 1, "s": 2, "n": 3}, {"a": 1, "n": 3}, id="add"
        ),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"b": 2}, {"b": 2}, id="remove"),
        pytest.param({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}, id="replace"),
        pytest.param(
            {}, {"m": {"s": 1}}, {"m": {"s": 1, "n": 2}}, {"m": {"n": 2}}, id="under-a-copy"
        ),
        pytest.param(
            [{"name": "a"}, {"name": "b"}],
            [{"name": "a", "s": 1}, {"name": "b"}],
            [{"name": "n"}, {"name": "a", "s": 1}, {"name": "b", "x": 1}],
            [{"name": "n"}, {"name": "a"}, {"name": "b", "x": 1}],
            id="a-list-by-name",
        ),
        pytest.param(
            [{"name": "v", "mountPath": "/a"}],
            [{"name": "v", "mountPath": "/a"}],
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
            id="mounts-by-path",
        ),
        pytest.param([1], [1], [2, 1], [2, 1], id="scalars-as-a-whole"),
        pytest.param(
            [{"name": "a", "x": 1}, {"name": "a", "x": 2}],
            [{"name": "a", "x": 1}, {"name": "a", "x": 2}],
            [{"name": "a", "x": 1}, {"name": "a", "x": 3}],
            [{"name": "a", "x": 1}, {"name": "a", "x": 3}],
            id="the-same-name-twice",
        ),
    ],
)
def test_merge(original: Any, before: Any, after: Any, expected: Any) -> None:
    """Only the difference between the copy and what became of it reaches the original."""
    assert expected == merge.merge(original, before, after)
