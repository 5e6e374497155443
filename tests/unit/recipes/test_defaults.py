"""The images of recipes."""

from __future__ import annotations

import pytest

from webhook.recipes.defaults import Defaults


@pytest.mark.parametrize(
    ("image", "mirrored"),
    [
        ("docker.io/flyway/flyway:12", "mirror.example.com/hub/flyway/flyway:12"),
        ("docker.io/alpine:3", "mirror.example.com/hub/library/alpine:3"),
        ("alpine:3", "mirror.example.com/hub/library/alpine:3"),
        ("flyway/flyway:12", "mirror.example.com/hub/flyway/flyway:12"),
        ("registry.k8s.io/git-sync/git-sync:v4", "mirror.example.com/hub/git-sync/git-sync:v4"),
        ("localhost:5000/a/b@sha256:0", "mirror.example.com/hub/a/b@sha256:0"),
    ],
)
def test_a_mirror_stands_in_place_of_the_registry(image: str, mirrored: str) -> None:
    """Whatever way the registry is written, Docker's short forms too."""
    defaults = Defaults(tools={"tool": image}, mirror="mirror.example.com/hub/")

    assert mirrored == defaults.tool("tool")


def test_without_a_mirror_an_image_stays() -> None:
    """It is what the setting says."""
    assert Defaults(tools={"tool": "alpine:3"}).tool("tool") == "alpine:3"
