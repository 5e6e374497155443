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


def test_the_marker_is_written_as_the_api_server_reads_it() -> None:
    """deploy/kustomize/components/answered tells our containers apart without a JSON parser."""
    marker = ours.Marker(
        containers={"wait": {"env/A}},/value": "abcde"}, "bare": {}},
        volumes={"settings": {"emptyDir": "abcde"}},
        mounts={"app": {"/etc": "abcde"}},
    )

    text = ours.write_marker(marker)

    assert text.startswith('{"containers":{')
    assert '{"containers":{"bare":{},"wait":{"env/A}},/value":"abcde"' == text.split('}},"')[0]
