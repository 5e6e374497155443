"""The API server itself says of raw containers and volumes what our check says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import Api
from webhook.document import read
from webhook.policy import container

GALLERY = Path(__file__).parents[1] / "unit" / "policy"
APPLICATION = {"name": "app", "image": "app:1"}
# Both can be mounted, and one can be a device.
VOLUMES = [{"name": name, "persistentVolumeClaim": {"claimName": "c"}} for name in ("v", "w")]


def cases(name: str) -> list[dict[str, Any]]:
    """Those of a gallery file that the API server can judge: it knows no templates."""
    documents, problems = read.read((GALLERY / name).read_text(encoding="utf-8"), file=name)
    assert [] == problems
    found: Any = documents[0].value
    return [case for case in found if "${" not in str(case["written"])]


def pod(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "default"}
    spec = {"containers": [APPLICATION], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def expected(case: dict[str, Any]) -> str:
    errors = [text for text in case["told"] if not text.startswith("warning: ")]
    return str(case.get("server", "refuses" if errors else "accepts"))


def holds(planned: Any, found: Any) -> bool:
    """Whether every planned leaf is found; the server adds defaults, and a mount at the end."""
    if isinstance(planned, dict):
        return all(key in found and holds(value, found[key]) for key, value in planned.items())
    if isinstance(planned, list):
        return len(planned) <= len(found) and all(map(holds, planned, found))
    return bool(planned == found)


@pytest.mark.parametrize("case", cases("container.yaml"), ids=lambda case: repr(case["written"]))
def test_the_api_server_agrees_about_a_container(api: Api, case: dict[str, Any]) -> None:
    """It refuses what our check refuses; what it takes, it stores as we say."""
    written = {"name": "a", "image": "b:1", **case["written"]}
    answer = api.create(pod(initContainers=[written], volumes=VOLUMES), dry_run=True)
    verdict = "accepts" if answer.code == 201 else "refuses"
    assert expected(case) == verdict, answer.message
    if verdict == "accepts":
        (stored,) = answer.body["spec"]["initContainers"]
        assert holds(container.stored(written), stored), stored


@pytest.mark.parametrize("case", cases("volume.yaml"), ids=lambda case: repr(case["written"]))
def test_the_api_server_agrees_about_a_volume(api: Api, case: dict[str, Any]) -> None:
    """It refuses what our check refuses; what it takes, it stores as we say."""
    written = {"name": "v", **case["written"]}
    answer = api.create(pod(volumes=[written]), dry_run=True)
    verdict = "accepts" if answer.code == 201 else "refuses"
    assert expected(case) == verdict, answer.message
    if verdict == "accepts":
        stored = next(one for one in answer.body["spec"]["volumes"] if one["name"] == "v")
        assert holds(container.stored_volume(written), stored), stored
