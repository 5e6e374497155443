"""Migrations of a database on a node: policies of every tool, and what becomes of them."""

from __future__ import annotations

from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.programs import Images
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import policy, states
from webhook.recipes import defaults

CUPS = "create table cups (id integer); insert into cups values (7);\n"
# Slow while there is a table of that name, so that the very same script can be run again. The table
# is in a schema of its own: Flyway begins only in one that is empty.
SLOW = "create schema test; create table test.slow ()"
MORE = (
    "insert into cups values (8);\n"
    "select pg_sleep(300) where exists (select from pg_tables where tablename = 'slow');\n"
)
WANTED = [("7",), ("8",)]
SLEEPING = (
    "select pid from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
)

GOOSE = "-- +goose Up\n"
SCRIPTS = {
    "flyway": {"V1__cups.sql": CUPS, "V2__more.sql": MORE},
    "golang-migrate": {"1_cups.up.sql": CUPS, "2_more.up.sql": MORE},
    "goose": {"00001_cups.sql": GOOSE + CUPS, "00002_more.sql": GOOSE + MORE},
    "liquibase": {
        "changes.sql": (
            f"--liquibase formatted sql\n\n--changeset shop:1\n{CUPS}\n--changeset shop:2\n{MORE}"
        )
    },
}
# What the tool itself has noted in the database: 2 when both scripts are.
NOTED = {
    "flyway": "select count(*) from flyway_schema_history where success",
    "golang-migrate": "select version from schema_migrations where not dirty",
    "goose": "select max(version_id) from goose_db_version where is_applied",
    "liquibase": "select count(*) from databasechangelog",
}


def held(key: str) -> Json:
    return {"secret": {"name": "shop-database", "key": key}}


def value(text: str) -> Json:
    return {"value": text}


VARIABLES = {
    "flyway": {
        "FLYWAY_URL": held("jdbc"),
        "FLYWAY_USER": held("user"),
        "FLYWAY_PASSWORD": held("password"),
    },
    "golang-migrate": {"DATABASE_URL": held("url")},
    "goose": {"GOOSE_DRIVER": value("postgres"), "GOOSE_DBSTRING": held("url")},
    "liquibase": {
        "LIQUIBASE_COMMAND_URL": held("jdbc"),
        "LIQUIBASE_COMMAND_USERNAME": held("user"),
        "LIQUIBASE_COMMAND_PASSWORD": held("password"),
        "LIQUIBASE_COMMAND_CHANGELOG_FILE": value("changes.sql"),
    },
}


def image(tool: str, found: Images) -> Json:
    """The field that says in which image a tool runs, where its project has none of its own."""
    if tool in defaults.TOOLS:
        found(tool, defaults.TOOLS[tool])
        return {}
    return {"image": found(tool)}


def migration(installed: Release, space: str, database: Database, tool: str, found: Images) -> Json:
    """A policy that migrates a database; its scripts and its address are in the namespace."""
    host, user, word = database.named(space), database.user, database.password
    secret = {
        "url": f"postgres://{user}:{word}@{host}:5432/{database.name}?sslmode=disable",
        "jdbc": f"jdbc:postgresql://{host}/{database.name}",
        "user": user,
        "password": word,
    }
    installed.node.api.ensure(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "scripts", "namespace": space},
            "data": SCRIPTS[tool],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "shop-database", "namespace": space},
            "stringData": secret,
        },
    )
    written = {
        "tool": tool,
        **image(tool, found),
        "scripts": {"configMap": "scripts"},
        "env": VARIABLES[tool],
        "database": {"postgres": {"host": host, "database": database.name}},
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


def killed_half_way(node: Node, space: str, postgres: Database) -> None:
    """Return when a migration was in its second script and its pod is gone, and its session.

    The server goes on with the statement of a client that is no more.
    """
    until(lambda: bool(postgres.query(SLEEPING)), "the second script runs", seconds=90)
    node.run(f"kubectl -n {space} delete pod web --grace-period=0 --force --wait=true")
    assert 1 == len(postgres.query(SLEEPING))
    postgres.query(f"select pg_terminate_backend(pid) from ({SLEEPING}) as it")
    until(lambda: not postgres.query(SLEEPING), "nobody sleeps", seconds=30)
    postgres.query("drop table test.slow")


def running(node: Node, space: str, container: str) -> list[Json]:
    """The pods of which a container runs."""
    return [one for one in node.pods(space) if "running" in state(one, container)]


def state(one: Json, container: str) -> Json:
    found: Json = states(one).get(container, {}).get("state", {})
    return found


def said(one: Json, container: str) -> str:
    """What a container last said when it failed."""
    status = states(one).get(container, {})
    kinds = (status.get(kind, {}).get("terminated") for kind in ("state", "lastState"))
    return next((str(end.get("message", "")) for end in kinds if end and end["exitCode"]), "")
