"""How a ConfigMap or a Secret comes to the application: mounted, or copied."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.recipes.fetching import container, render, said, words
from webhook.runner.fetch import orders

SECRET = {"secret": {"name": "certs"}}
CONFIG = {"configMap": {"name": "settings"}}


@pytest.mark.parametrize(
    ("source", "volume"),
    [
        (SECRET, {"secret": {"secretName": "certs"}}),
        (CONFIG, {"configMap": {"name": "settings"}}),
        (
            {
                "configMap": {
                    "name": "settings",
                    "items": [{"key": "a", "path": "d/a.yaml"}],
                    "optional": True,
                }
            },
            {
                "configMap": {
                    "name": "settings",
                    "items": [{"key": "a", "path": "d/a.yaml"}],
                    "optional": True,
                }
            },
        ),
    ],
)
def test_it_is_mounted_without_any_step(source: dict[str, Any], volume: dict[str, Any]) -> None:
    """So that it follows the changes of the object, and costs nothing."""
    found = render(source, into=["app"])

    into = {"containers": ["app"], "mountPath": "/etc/app", "readOnly": True}
    assert () == found.steps
    assert ({"name": "files", **volume, "mountInto": [into]},) == found.volumes
    assert not found.network


@pytest.mark.parametrize("fields", [{"mode": "0400"}, {"user": 1000}, {"group": 0}])
def test_it_is_copied_when_mode_or_owner_is_asked_for(fields: dict[str, Any]) -> None:
    """By the step, from a volume that nobody else sees; that needs no network."""
    found = render(SECRET, **fields)

    assert words(found)[:4] == [
        "copy",
        "from=/run/initject/files-source",
        "to=/run/initject/files",
        "replace=true",
    ]
    orders.read(words(found), 1.0)
    assert {"name": "files-source", "secret": {"secretName": "certs"}} == found.volumes[0]
    assert {
        "name": "files-source",
        "mountPath": "/run/initject/files-source",
        "readOnly": True,
    } in container(found)["volumeMounts"]
    assert not found.network


@pytest.mark.parametrize(
    ("source", "fields", "medium"),
    [
        (SECRET, {}, "Memory"),
        (SECRET, {"medium": "Disk"}, None),
        (CONFIG, {}, None),
        (CONFIG, {"medium": "Memory"}, "Memory"),
    ],
)
def test_a_copy_of_a_secret_stays_in_memory(
    source: dict[str, Any], fields: dict[str, Any], medium: str | None
) -> None:
    """Unless the author says where it is to be."""
    room = render(source, mode="0400", **fields).volumes[1]

    assert medium == room["emptyDir"].get("medium")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"sizeLimit": "1Mi"}, "sizeLimit"),
        ({"medium": "Memory"}, "medium"),
        ({"readOnly": False}, "readOnly"),
        ({"beside": {"timeout": "1m"}}, "timeout"),
        ({"beside": {"exit_code": 3}}, "exitCode"),
    ],
)
def test_what_says_something_to_a_copy_only_is_refused_without_one(
    more: dict[str, Any], field: str
) -> None:
    """With the way to have one."""
    assert said(CONFIG, **more) == {
        "from.configMap": f"is mounted as it is, read-only, by no container: {field} says nothing"
    }
    assert {} == said(CONFIG, mode="0644", **more)
