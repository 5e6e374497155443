"""The marker."""

from __future__ import annotations

import pytest

from webhook.inject import ours


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"containers": 1}', '{"containers": {"a": 1}}', "{" * 999]
)
def test_a_marker_that_cannot_be_read_is_none(text: str) -> None:
    """Whatever stands in the annotation, it is at most a hint."""
    assert ours.NO_MARKER == ours.read_marker({ours.MARKER: text})
