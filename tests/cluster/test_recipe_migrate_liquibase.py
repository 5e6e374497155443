"""Migrations by Liquibase on a node, in an image that has the name of its project's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs
from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_recipe_migrate import cups, said, state, waiting
from tests.cluster.test_running import pod, policy, run
from tests.podman import Podman
from webhook.recipes import defaults

FILES = needs.CACHE / "recipes" / "liquibase"
IMAGE = defaults.TOOLS["liquibase"]
CHANGES = """
databaseChangeLog:
  - changeSet:
      id: 1
      author: shop
      changes:
        - sql: create table cups (id integer); insert into cups values (7);
"""


@pytest.fixture(scope="module")
def liquibase(
    installed: Release, podman: Podman, base: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The image on the node."""
    files = needs.file(FILES, how="make cluster fetches it")
    archive = tmp_path_factory.mktemp("liquibase") / "liquibase.tar"
    folder = Path(__file__).parent / "java" / "liquibase"
    podman.must(
        *("build", "--quiet", f"--build-arg=BASE={base}", f"--tag={IMAGE}"),
        *(f"--build-context=liquibase={files}", f"--file={folder}/Containerfile", folder),
    )
    podman.must("save", "--quiet", "--format=docker-archive", f"--output={archive}", IMAGE)
    installed.node.load(archive)


def migration(installed: Release, space: str, database: Database) -> Json:
    """A policy with the tool's own image; the changes are a ConfigMap, the password a Secret."""
    host = database.named(space)
    installed.node.api.ensure(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "changes", "namespace": space},
            "data": {"changes.yaml": CHANGES},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "database", "namespace": space},
            "stringData": {"password": database.password},
        },
    )
    written = {
        "tool": "liquibase",
        "scripts": {"configMap": "changes"},
        "env": {
            "LIQUIBASE_COMMAND_URL": {"value": f"jdbc:postgresql://{host}/{database.name}"},
            "LIQUIBASE_COMMAND_CHANGELOG_FILE": {"value": "changes.yaml"},
            "LIQUIBASE_COMMAND_USERNAME": {"value": database.user},
            "LIQUIBASE_COMMAND_PASSWORD": {"secret": {"name": "database", "key": "password"}},
        },
        "database": {"postgres": {"host": host, "database": database.name}},
    }
    return policy(space, "shop", {"name": "migrate", "migrate": written}, volumes=[])


@pytest.mark.usefixtures("liquibase")
def test_liquibase_migrates_once_the_database_is_there(
    installed: Release, space: str, postgres: Database
) -> None:
    """On a read-only root, as a user that is not its image's; a second pod finds nothing to do."""
    one = migration(installed, space, postgres)
    wanted = pod(space, "true")

    node = run(installed, space, [one], wanted)
    waiting(node, space)
    postgres.start()
    first = node.reach(space, "web", nodes.succeeded, seconds=180)
    again = {**wanted, "metadata": {**wanted["metadata"], "name": "again"}}
    assert 201 == node.api.create(again).code
    second = node.reach(space, "again", nodes.succeeded, seconds=180)

    ends = [state(done, "migrate")["terminated"]["exitCode"] for done in (first, second)]
    assert [0, 0] == ends, said(first, "migrate")
    assert [("7",)] == cups(postgres)
    assert [("1",)] == postgres.query("select count(*) from databasechangelog")
