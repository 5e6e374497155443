"""Our simulation of controllers against what Kubernetes' own controllers did."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from webhook.document import read
from webhook.document.problem import Finding
from webhook.manifest import controllers, workload

RECORDED = Path(__file__).with_name("recorded.yaml")
# What only a cluster knows, and what we put in its place.
UNKNOWN = [
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), controllers.UID),
    (re.compile(r"\b[bcdfghjklmnpqrstvwxz2456789]{9,10}\b"), controllers.HASH),
    (re.compile(r"(?<=cronjob-)\d{8}\b"), controllers.MINUTES),
]


def recordings() -> list[Any]:
    documents, problems = read.read(RECORDED.read_text(), file=RECORDED.name)
    assert problems == []
    return [document.value for document in documents]


def sentence(recorded: Any) -> str:
    manifest = recorded["manifest"]
    return f"{manifest['kind']}-{manifest['spec'].get('completionMode', 'plain')}"


def unknown(value: Any) -> Any:
    """The value with our stand-ins in place of what only a cluster knows."""
    if isinstance(value, dict):
        return {key: unknown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [unknown(inner) for inner in value]
    if isinstance(value, str):
        for pattern, stand_in in UNKNOWN:
            value = pattern.sub(stand_in, value)
    return value


@pytest.mark.parametrize("recorded", recordings(), ids=sentence)
def test_as_the_controller_does(recorded: Any) -> None:
    """The pod of a manifest is the one that its controller creates, stand-ins aside."""
    made = workload.pod_of(recorded["manifest"], namespace="default")

    assert not isinstance(made, Finding)
    made.pod["spec"].pop("restartPolicy", None)  # the API server sets it on every pod
    assert unknown(recorded["pod"]) == made.pod
