"""Databases that policies migrate, on a node: tools, locks, and migrations that are killed."""

from __future__ import annotations

import itertools

import pytest

from tests.cluster import images, nodes
from tests.cluster.migrating import (
    NOTED,
    SCRIPTS,
    SLEEPING,
    SLOW,
    WANTED,
    cups,
    killed_half_way,
    migration,
    running,
    said,
    state,
    value,
    waiting,
)
from tests.cluster.programs import Images
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import ended, pod, policy, run, states
from webhook.recipes.tools import TOOLS


@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_database_that_comes_late_is_migrated(
    installed: Release, space: str, postgres: Database, kind: str, tool: Images
) -> None:
    """Once it is there, by one run; then comes the application."""
    one = migration(installed, space, postgres, kind, tool)

    node = run(installed, space, [one], pod(space, "true"))
    waiting(node, space)
    postgres.start()
    done = node.reach(space, "web", nodes.succeeded, seconds=120)

    found = [states(done)[name] for name in ("migrate-wait", "migrate", "app")]
    ends = [one["state"]["terminated"] for one in found]
    assert [0] * 3 == [end["exitCode"] for end in ends]
    assert all(a["finishedAt"] <= b["startedAt"] for a, b in itertools.pairwise(ends))
    assert WANTED == cups(postgres)
    assert [("2",)] == postgres.query(NOTED[kind])


@pytest.mark.parametrize("kind", [kind for kind in SCRIPTS if TOOLS[kind].locks])
def test_three_replicas_that_start_at_once_migrate_once(
    installed: Release, space: str, postgres: Database, kind: str, tool: Images
) -> None:
    """One set of rows, and none of them failed: the tool has a lock."""
    one = migration(installed, space, postgres, kind, tool)
    template = pod(space, "sleep 3600", restart="Always")
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": space},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]},
        },
    }

    node = run(installed, space, [one], wanted)
    until(lambda: 3 == len(running(node, space, "migrate-wait")), "all wait", seconds=90)
    postgres.start()
    until(lambda: 3 == len(list(filter(nodes.ready, node.pods(space)))), "ready", seconds=180)

    assert WANTED == cups(postgres)
    assert [("2",)] == postgres.query(NOTED[kind])
    restarts = {states(one)["migrate"]["restartCount"] for one in node.pods(space)}
    assert {0} == restarts


def test_without_a_lock_two_pods_are_in_the_same_script(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """As `check` warns of goose: nothing holds the second one up."""
    one = migration(installed, space, postgres, "goose", tool)
    postgres.start()
    postgres.query(SLOW)
    wanted = pod(space, "true")

    node = run(installed, space, [one], wanted)
    until(lambda: 1 == len(postgres.query(SLEEPING)), "one is in it", seconds=90)
    again = {**wanted, "metadata": {**wanted["metadata"], "name": "again"}}
    assert 201 == node.api.create(again).code
    until(lambda: 2 == len(postgres.query(SLEEPING)), "both are in it", seconds=90)


def test_flyway_begins_in_a_schema_that_is_not_empty_only_if_it_is_told_to(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """As the page says: it fails until a variable says so, and from which version on."""
    one = migration(installed, space, postgres, "flyway", tool)
    postgres.start()
    postgres.query("create table saucers ()")

    node = run(installed, space, [one], pod(space, "true"))
    done = node.reach(space, "web", ended)
    assert "non-empty schema" in said(done, "migrate")

    told = {"FLYWAY_BASELINE_ON_MIGRATE": "true", "FLYWAY_BASELINE_VERSION": "0"}
    (step,) = one["spec"]["steps"]
    step["migrate"]["env"] |= {name: value(text) for name, text in told.items()}
    node.run(f"kubectl -n {space} delete pod web --wait=true")
    run(installed, space, [one], pod(space, "true"))
    node.reach(space, "web", nodes.succeeded, seconds=90)
    assert WANTED == cups(postgres)


@pytest.mark.parametrize("kind", ["flyway", "goose"])
def test_a_migration_that_was_killed_runs_again(
    installed: Release, space: str, postgres: Database, kind: str, tool: Images
) -> None:
    """PostgreSQL has undone the script that was not done; the tool begins with it."""
    one = migration(installed, space, postgres, kind, tool)
    postgres.start()
    postgres.query(SLOW)
    node = run(installed, space, [one], pod(space, "true"))

    killed_half_way(node, space, postgres)
    assert [("7",)] == cups(postgres)
    assert 201 == node.api.create(pod(space, "true")).code
    node.reach(space, "web", nodes.succeeded, seconds=90)

    assert WANTED == cups(postgres)
    assert [("2",)] == postgres.query(NOTED[kind])


def test_a_killed_migration_that_left_a_mark_goes_on_when_that_is_put_right(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """golang-migrate says which version is dirty, in the pod's status, until it is told."""
    one = migration(installed, space, postgres, "golang-migrate", tool)
    postgres.start()
    postgres.query(SLOW)
    again = pod(space, "true", restart="OnFailure")
    node = run(installed, space, [one], again)

    killed_half_way(node, space, postgres)
    assert 201 == node.api.create(again).code
    node.reach(space, "web", lambda one: "Dirty database version 2" in said(one, "migrate"))
    assert [("7",)] == cups(postgres)
    postgres.query("update schema_migrations set version = 1, dirty = false")
    node.reach(space, "web", nodes.succeeded, seconds=120)

    assert WANTED == cups(postgres)


def test_without_a_database_nothing_is_migrated(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """The wait gives up with its own status and says for what; the migration is not started."""
    one = migration(installed, space, postgres, "goose", tool)
    one["spec"]["steps"][0] |= {"timeout": "2s", "exitCode": 75}

    node = run(installed, space, [one], pod(space, "true"))
    done = node.reach(space, "web", ended)

    end = state(done, "migrate-wait")["terminated"]
    assert 75 == end["exitCode"]
    assert "postgres" in end["message"]
    assert {"waiting"} == set(state(done, "migrate"))


def test_a_command_runs_as_the_application_would(
    installed: Release, space: str, postgres: Database
) -> None:
    """Its image, user, working directory, environment and mounts; only /tmp can be written."""
    postgres.start()
    script = (
        'id -u > seen; echo "$PWD $SHOP" >> seen; touch /tmp/written;'
        " touch /file 2>/dev/null || echo read-only >> seen"
    )
    written = {
        "tool": "command",
        "container": "app",
        "command": ["sh", "-euc", script],
        "database": {"postgres": {"host": postgres.named(space)}},
    }
    wanted = pod(space, "cat seen", volumes=[{"name": "work", "emptyDir": {}}])
    wanted["spec"]["containers"][0] |= {
        "image": images.TOOLS,
        "workingDir": "/work",
        "env": [{"name": "SHOP", "value": "open"}],
        "securityContext": {"runAsUser": 1234},
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    }
    one = policy(space, "shop", {"name": "migrate", "migrate": written}, volumes=[])

    node = run(installed, space, [one], wanted)
    node.reach(space, "web", nodes.succeeded)

    assert "1234\n/work open\nread-only\n" == node.log(space, "web", "app")
