"""Migrations that an application in Python brings along: Alembic and Django, in its own image."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs
from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.migrating import cups, state, waiting
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import pod, policy, run
from tests.podman import Podman

PACKAGES = needs.CACHE / "recipes" / "python"
APPLICATION = Path(__file__).parent / "python"
IMAGE = "localhost/application:1"


@pytest.fixture(scope="module")
def application(
    installed: Release, podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The image of an application with both tools, on the node; its Python is that of ours."""
    packages = needs.file(PACKAGES, how="make cluster fetches them")
    archive = tmp_path_factory.mktemp("application") / "application.tar"
    podman.must(
        *("build", "--quiet", f"--build-arg=BASE={image}", f"--tag={IMAGE}"),
        *(f"--build-context=packages={packages}", f"--file={APPLICATION}/Containerfile"),
        APPLICATION,
    )
    podman.must("save", "--quiet", "--format=docker-archive", f"--output={archive}", IMAGE)
    installed.node.load(archive)
    return IMAGE


def environment(database: Database, host: str) -> list[Json]:
    url = f"postgresql+pg8000://{database.user}:{database.password}@{host}/{database.name}"
    found = {
        "DATABASE_URL": url,
        "DATABASE_HOST": host,
        "DATABASE_USER": database.user,
        "DATABASE_PASSWORD": database.password,
    }
    return [{"name": name, "value": value} for name, value in found.items()]


@pytest.mark.parametrize("kind", ["alembic", "django"])
def test_an_applications_own_tool_migrates_with_its_own_image_and_environment(
    installed: Release, space: str, postgres: Database, application: str, kind: str
) -> None:
    """It waits for the database, migrates it, and a second pod finds nothing left to do."""
    host = postgres.named(space)
    written = {
        "tool": kind,
        "container": "app",
        "concurrent": True,
        "database": {"postgres": {"host": host, "database": postgres.name}},
    }
    one = policy(space, "shop", {"name": "migrate", "migrate": written}, volumes=[])
    wanted = pod(space, "true")
    wanted["spec"]["containers"][0] |= {"image": application, "env": environment(postgres, host)}

    node = run(installed, space, [one], wanted)
    waiting(node, space)
    postgres.start()
    node.reach(space, "web", nodes.succeeded, seconds=120)
    assert [("7",)] == cups(postgres)

    again = {**wanted, "metadata": {**wanted["metadata"], "name": "again"}}
    assert 201 == node.api.create(again).code
    done = node.reach(space, "again", nodes.succeeded, seconds=120)

    assert 0 == state(done, "migrate")["terminated"]["exitCode"]
    assert [("7",)] == cups(postgres)
