"""Raw volumes: what the API server would refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from webhook.document import read
from webhook.document.problem import field
from webhook.policy import container


def told(written: dict[str, Any]) -> list[str]:
    return [
        f"{'warning: ' * (one.severity == 'warning')}{field(one.path)}: {one.what}"
        f"{'; ' * bool(one.advice)}{one.advice}"
        for one in container.volume_findings({"name": "v", **written})
    ]


GALLERY = read.read(
    (Path(__file__).parent / "volume.yaml").read_text(encoding="utf-8"), file="volume.yaml"
)[0][0].value


@pytest.mark.parametrize("case", GALLERY, ids=lambda case: repr(case["written"]))
def test_what_is_said_of_a_volume(case: dict[str, Any]) -> None:
    """Each fault is named where it is, with what to do about it; a good volume has none."""
    assert case["told"] == told(case["written"])
