"""What recipes stand on: our runner, the tools, and servers that come late."""

from __future__ import annotations

import itertools
from typing import Any

from tests.cluster import images, nodes
from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.programs import Images
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import ended, pod, policy, run, states

JUGS = "-- +goose Up\ncreate table jugs (id integer); insert into jugs values (7);\n"
CUPS = "create table cups (id integer); insert into cups values (8);\n"


def step(name: str, image: str, *args: str, **more: Any) -> Json:
    """A step that runs an image's own program."""
    container = {"image": image, "imagePullPolicy": "Never", "args": list(args), **more}
    return {"name": name, "container": container}


def wait(*args: str) -> Json:
    return step("wait", images.OURS, "wait", *args)


def wait_for(host: str, **more: Any) -> Json:
    """The recipe, for the database of the test."""
    return {"name": "wait", "waitFor": [{"postgres": {"host": host, "database": "shop"}}], **more}


def scripts(installed: Release, space: str, name: str, files: Json) -> Json:
    """A volume with files, for steps that mount it."""
    metadata = {"name": name, "namespace": space}
    installed.node.api.ensure(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}
    )
    return {"name": name, "configMap": {"name": name}}


def mounted(name: str) -> Json:
    return {"volumeMounts": [{"name": name, "mountPath": "/scripts"}]}


def waiting(node: Node, space: str) -> None:
    """Return when the pod's first step runs and has said that it finds nobody."""
    node.reach(space, "web", lambda pod: "running" in states(pod).get("wait", {}).get("state", {}))
    until(lambda: "connection refused" in node.log(space, "web", "wait"), "it waits", seconds=60)


def test_migrations_run_once_the_database_is_there(
    installed: Release, space: str, postgres: Database, tool: Images
) -> None:
    """It starts late; each step ran once, one after the other, and the rows are there."""
    host = postgres.named(space)
    url = f"postgres://app:correct-horse@{host}:5432/shop?sslmode=disable"
    steps = [
        wait_for(host, timeout="2m"),
        step("goose", tool("goose"), "-dir", "/scripts", "postgres", url, "up", **mounted("jugs")),
        step(
            "migrate",
            tool("golang-migrate"),
            *("-source", "file:///scripts", "-database", url, "up"),
            **mounted("cups"),
        ),
    ]
    volumes = [
        scripts(installed, space, "jugs", {"00001_jugs.sql": JUGS}),
        scripts(installed, space, "cups", {"1_cups.up.sql": CUPS}),
    ]

    node = run(
        installed,
        space,
        [policy(space, "shop", *steps, volumes=volumes)],
        pod(space, "true", restart="OnFailure"),
    )
    waiting(node, space)
    postgres.start()
    done = node.reach(space, "web", nodes.succeeded, seconds=120)

    found = [states(done)[name] for name in ("wait", "goose", "migrate", "app")]
    assert [0] * 4 == [one["restartCount"] for one in found]
    ends = [one["state"]["terminated"] for one in found]
    assert [0] * 4 == [end["exitCode"] for end in ends]
    assert all(a["finishedAt"] <= b["startedAt"] for a, b in itertools.pairwise(ends))
    assert [("7", "8")] == postgres.query("select jugs.id, cups.id from jugs, cups")


def test_a_wait_that_is_over_says_for_what(
    installed: Release, space: str, postgres: Database
) -> None:
    """At its deadline: its own exit code, and a last line in the status of the pod."""
    host = postgres.named(space)

    node = run(
        installed,
        space,
        [policy(space, "shop", wait("--timeout", "2s", f"postgres://{host}:5432"), volumes=[])],
        pod(space, "true"),
    )
    done = node.reach(space, "web", ended)

    end = states(done)["wait"]["state"]["terminated"]
    assert 210 == end["exitCode"]
    assert f"postgres://{host}:5432: connection refused" in end["message"]


def test_the_recipe_that_is_over_says_for_what(
    installed: Release, space: str, postgres: Database
) -> None:
    """With the status that the policy gives it, and every target that was missing."""
    host = postgres.named(space)
    recipe = wait_for(host, timeout="2s", exitCode=75)
    recipe["waitFor"].append({"dns": {"host": "nobody.invalid"}})

    node = run(installed, space, [policy(space, "shop", recipe)], pod(space, "true"))
    done = node.reach(space, "web", ended)

    end = states(done)["wait"]["state"]["terminated"]
    assert 75 == end["exitCode"]
    assert f"postgres://{host}:5432/shop: connection refused" in end["message"]
    assert "dns://nobody.invalid: " in end["message"]


def test_a_wait_that_logs_in_ends_when_its_user_is_let_in(
    installed: Release, space: str, postgres: Database
) -> None:
    """The server takes connections, the user comes later; user and password are a Secret's."""
    postgres.start()
    host = postgres.named(space)
    held = {name: {"secret": {"name": "ledger", "key": name}} for name in ("user", "password")}
    recipe = wait_for(host, timeout="2m")
    recipe["waitFor"][0]["postgres"]["login"] = held
    metadata = {"name": "ledger", "namespace": space}
    data = {"user": "ledger", "password": "battery-staple"}
    installed.node.api.ensure(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
    )

    node = run(installed, space, [policy(space, "shop", recipe, volumes=[])], pod(space, "true"))
    said = 'password authentication failed for user "…"'
    node.reach(space, "web", lambda pod: "running" in states(pod).get("wait", {}).get("state", {}))
    until(lambda: said in node.log(space, "web", "wait"), "it waits", seconds=60)
    postgres.query("create role ledger login password 'battery-staple'")
    node.reach(space, "web", nodes.succeeded, seconds=60)

    told = node.log(space, "web", "wait")
    assert f"postgres://{host}:5432/shop: ready after" in told
    assert ("ledger" in told, "battery" in told) == (False, False)


def test_a_database_that_died_has_what_was_committed(postgres: Database) -> None:
    """So a migration that was killed half-way can be looked at, and run again."""
    postgres.start()
    postgres.query("create table cups (id integer); insert into cups values (1)")
    postgres.kill()

    postgres.start()

    assert [("1",)] == postgres.query("select id from cups")
