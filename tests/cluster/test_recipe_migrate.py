"""Databases that policies migrate, on a node: tools, locks, and migrations that are killed."""

from __future__ import annotations

import itertools

import pytest

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.images import TOOLS
from tests.cluster.nodes import Node
from tests.cluster.programs import Images
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import ended, pod, policy, run, states
from webhook.recipes import defaults

CUPS = "create table cups (id integer); insert into cups values (7);\n"
# Slow while there is a table of that name, so that the very same script can be run again.
MORE = (
    "insert into cups values (8);\n"
    "select pg_sleep(300) where exists (select from pg_tables where tablename = 'slow');\n"
)
GOOSE = "-- +goose Up\n"
FILES = {
    "golang-migrate": {"1_cups.up.sql": CUPS, "2_more.up.sql": MORE},
    "goose": {"00001_cups.sql": GOOSE + CUPS, "00002_more.sql": GOOSE + MORE},
}
HELD = {"secret": {"name": "shop-database", "key": "url"}}
VARIABLES = {
    "golang-migrate": {"DATABASE_URL": HELD},
    "goose": {"GOOSE_DRIVER": {"value": "postgres"}, "GOOSE_DBSTRING": HELD},
}
WANTED = [("7",), ("8",)]
SLEEPING = (
    "select pid from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
)


def image(tool: str, found: Images) -> Json:
    """The field that says in which image a tool runs, where its project has none of its own."""
    if tool in defaults.TOOLS:
        found(tool, defaults.TOOLS[tool])
        return {}
    return {"image": found(tool)}


def migration(installed: Release, space: str, database: Database, tool: str, found: Images) -> Json:
    """A policy that migrates a database; its scripts and its address are in the namespace."""
    host = database.named(space)
    url = f"postgres://{database.user}:{database.password}@{host}:5432/shop?sslmode=disable"
    installed.node.api.ensure(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "scripts", "namespace": space},
            "data": FILES[tool],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "shop-database", "namespace": space},
            "stringData": {"url": url},
        },
    )
    written = {
        "tool": tool,
        **image(tool, found),
        "scripts": {"configMap": "scripts"},
        "env": VARIABLES[tool],
        "database": {"postgres": {"host": host, "database": "shop"}},
    }
    return policy(space, "shop", {"name": "migrate", "migrate": written}, volumes=[])


def cups(database: Database) -> list[tuple[str, ...]]:
    return database.query("select id from cups order by id")


def waiting(node: Node, space: str) -> None:
    """Return when the pod waits and has said that it finds nobody."""
    node.reach(space, "web", lambda one: "running" in state(one, "migrate-wait"))
    until(
        lambda: "connection refused" in node.log(space, "web", "migrate-wait"),
        "it waits",
        seconds=60,
    )


def state(one: Json, container: str) -> Json:
    found: Json = states(one).get(container, {}).get("state", {})
    return found


def said(one: Json, container: str) -> str:
    """What a container last said when it failed."""
    status = states(one).get(container, {})
    kinds = (status.get(kind, {}).get("terminated") for kind in ("state", "lastState"))
    return next((str(end.get("message", "")) for end in kinds if end and end["exitCode"]), "")


@pytest.mark.parametrize("kind", FILES)
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


@pytest.mark.parametrize("kind", FILES)
def test_three_replicas_that_start_at_once_migrate_once(
    installed: Release, space: str, postgres: Database, kind: str, tool: Images
) -> None:
    """One set of rows. Where the tool has a lock, none of them failed."""
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
    restarts = {states(one)["migrate"]["restartCount"] for one in node.pods(space)}
    assert kind == "goose" or {0} == restarts


def running(node: Node, space: str, container: str) -> list[Json]:
    return [one for one in node.pods(space) if "running" in state(one, container)]


def killed_half_way(node: Node, space: str, postgres: Database) -> None:
    """Return when a migration was in its second script and its pod is gone, and its session.

    The server goes on with the statement of a client that is no more.
    """
    until(lambda: bool(postgres.query(SLEEPING)), "the second script runs", seconds=90)
    node.run(f"kubectl -n {space} delete pod web --grace-period=0 --force --wait=true")
    assert 1 == len(postgres.query(SLEEPING))
    postgres.query(f"select pg_terminate_backend(pid) from ({SLEEPING}) as it")
    until(lambda: not postgres.query(SLEEPING), "nobody sleeps", seconds=30)
    postgres.query("drop table slow")


def test_a_migration_that_was_killed_runs_again(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """PostgreSQL has undone the script that was not done; goose begins with it."""
    one = migration(installed, space, postgres, "goose", tool)
    postgres.start()
    postgres.query("create table slow ()")
    node = run(installed, space, [one], pod(space, "true"))

    killed_half_way(node, space, postgres)
    assert [("7",)] == cups(postgres)
    assert 201 == node.api.create(pod(space, "true")).code
    node.reach(space, "web", nodes.succeeded, seconds=90)

    assert WANTED == cups(postgres)


def test_a_killed_migration_that_left_a_mark_goes_on_when_that_is_put_right(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """golang-migrate says which version is dirty, in the pod's status, until it is told."""
    one = migration(installed, space, postgres, "golang-migrate", tool)
    postgres.start()
    postgres.query("create table slow ()")
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
        "image": TOOLS,
        "workingDir": "/work",
        "env": [{"name": "SHOP", "value": "open"}],
        "securityContext": {"runAsUser": 1234},
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    }
    one = policy(space, "shop", {"name": "migrate", "migrate": written}, volumes=[])

    node = run(installed, space, [one], wanted)
    node.reach(space, "web", nodes.succeeded)

    assert "1234\n/work open\nread-only\n" == node.log(space, "web", "app")
