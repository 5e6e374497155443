"""Pods that wait for servers, on a node: every kind of them, late, dying, and one of several."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.servers.fixtures import Standing
from tests.cluster.servers.server import Server, named
from tests.cluster.test_recipe_wait_objects import end, pod, says, waiting
from tests.cluster.test_running import run, states
from tests.runner import stand, test_http, test_tls
from webhook.runner import schemes

REAL = ("grpc", "mysql", "mongodb", "rabbitmq", "kafka")
TRUST = {"ca": {"configMap": {"name": "trust", "key": "ca.crt"}}}


def every(space: str) -> dict[str, Json]:
    """A target of each kind that is a server, by the name that its lines have."""
    search = f"search.{space}.svc.cluster.local"
    return {
        "tcp://ledger:7000": {"tcp": {"host": "ledger", "port": 7000}},
        "tls://vault:8443": {"tls": {"host": "vault", "port": 8443, **TRUST}},
        f"dns://{search}": {"dns": {"host": search}},
        "http://auth:8080/healthz": {"http": {"url": "http://auth:8080/healthz", "body": "UP"}},
        "grpc://grpc:9090": {"grpc": {"host": "grpc", "port": 9090}},
        "postgres://postgres:5432/shop": {"postgres": {"host": "postgres", "database": "shop"}},
        "mysql://mysql:3306": {"mysql": {"host": "mysql"}},
        "mongodb://mongodb": {"mongodb": {"host": "mongodb"}},
        "rabbitmq://rabbitmq": {"rabbitmq": {"host": "rabbitmq"}},
        "kafka://kafka": {"kafka": {"host": "kafka"}},
        "redis://redis:6379": {"redis": {"host": "redis"}},
    }


def trusting(space: str, kind: str = "ConfigMap") -> Json:
    """An object `trust` that holds the CA of the tests' servers."""
    held = {"ConfigMap": "data", "Secret": "stringData"}[kind]
    metadata = {"name": "trust", "namespace": space}
    pem = test_tls.CA.cert_pem.bytes().decode()
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, held: {"ca.crt": pem}}


def restarts(pod: Json) -> int:
    found: int = states(pod).get("wait", {}).get("restartCount", 0)
    return found


def only_waits(node: Node, space: str) -> bool:
    """Whether the step of the pod runs, for the first time, and nothing else has."""
    pod = node.pod(space, "web")
    assert 0 == restarts(pod)
    found = states(pod)
    return [{"running"}, {"waiting"}] == [set(found[name]["state"]) for name in ("wait", "app")]


def timeless(message: str) -> str:
    """What a step said last, without the time in it."""
    return re.sub(r"after [0-9ms.]+", "after …", message)


def test_a_pod_starts_once_servers_of_every_kind_are_there(
    installed: Release,
    space: str,
    postgres: Database,
    server: Callable[[str], Server],
    standing: Standing,
) -> None:
    """By one step, which names them all; two are there before it, the others come later."""
    node, targets = installed.node, every(space)
    assert {*schemes.SCHEMES.values()} - {"object"} == {
        kind for one in targets.values() for kind in one
    }
    redis, *others = (server(kind) for kind in ("redis", *REAL))
    installed.apply(trusting(space))
    for name, port in {"ledger": 7000, "vault": 8443, "auth": 8080, "postgres": 5432}.items():
        named(node, space, name, port)
    for one in (redis, *others):
        one.named(space)

    with ExitStack() as there:
        there.enter_context(standing(7000, stand.silent))
        there.enter_context(standing(8443, stand.silent, test_tls.server("vault")))
        run(installed, space, [waiting(space, *targets.values(), timeout="4m")], pod(space))
        early, late = list(targets)[:2], list(targets)[2:]
        for name in late:
            says(node, space, "web", f"{name}: not ready: ")
        for one in (*others, postgres.server):
            one.launch()
        there.enter_context(standing(8080, stand.saying(test_http.FINE)))
        named(node, space, "search", 9200)
        for name in (*early, *late[:-1]):
            says(node, space, "web", f"{name}: ready after ")
        assert only_waits(node, space)
        redis.start()
        done = node.reach(space, "web", nodes.succeeded, seconds=30)

    step, app = end(done), states(done)["app"]["state"]["terminated"]
    assert (0, 0) == (step["exitCode"], restarts(done))
    assert f"initject wait: ready after …: {', '.join(targets)}" == timeless(step["message"])
    assert step["finishedAt"] <= app["startedAt"]


def test_a_server_that_dies_while_it_is_awaited_may_come_back(
    installed: Release, space: str, postgres: Database
) -> None:
    """It is there and lets the user not in yet, it is gone, and there again: the step sees each."""
    postgres.start()
    held = {"user": {"value": "ledger"}, "password": {"secret": {"name": "ledger", "key": "word"}}}
    target = {"postgres": {"host": postgres.named(space), "database": "shop", "login": held}}
    metadata = {"name": "ledger", "namespace": space}
    data = {"word": "battery-staple"}
    installed.node.api.ensure(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}
    )
    name = "postgres://postgres:5432/shop"

    node = run(installed, space, [waiting(space, target, timeout="2m")], pod(space))
    says(node, space, "web", f"{name}: not ready: password authentication failed")
    postgres.kill()
    says(node, space, "web", f"{name}: not ready: connection refused")
    postgres.start()
    assert only_waits(node, space)
    postgres.query("create role ledger login password 'battery-staple'")
    done = node.reach(space, "web", nodes.succeeded, seconds=60)

    assert f"initject wait: ready after …: {name}" == timeless(end(done)["message"])
    assert 0 == restarts(done)


def test_a_step_that_gave_up_runs_again_until_the_server_is_there(
    installed: Release, space: str, server: Callable[[str], Server]
) -> None:
    """Where the pod is restarted on failure: with a run for each time that it gave up."""
    redis = server("redis")
    target = {"redis": {"host": redis.named(space)}}
    rules = waiting(space, target, timeout="3s", exitCode=75)

    node = run(installed, space, [rules], pod(space, restart="OnFailure"))
    again = node.reach(space, "web", lambda one: 0 < restarts(one))
    redis.start()
    done = node.reach(space, "web", nodes.succeeded, seconds=90)

    before = states(again)["wait"]["lastState"]["terminated"]
    gave_up = "initject wait: gave up after …, not ready: redis://redis:6379: connection refused"
    assert (75, gave_up) == (before["exitCode"], timeless(before["message"]))
    assert "initject wait: ready after …: redis://redis:6379" == timeless(end(done)["message"])


def test_with_any_the_first_that_is_there_suffices(
    installed: Release, space: str, server: Callable[[str], Server]
) -> None:
    """The other is never there, and the last line does not name it."""
    redis = server("redis")
    nobody = {"tcp": {"host": "nobody.invalid", "port": 7000}}
    targets = ({"redis": {"host": redis.named(space)}}, nobody)

    node = run(installed, space, [waiting(space, *targets, mode="any", timeout="2m")], pod(space))
    for name in ("redis://redis:6379", "tcp://nobody.invalid:7000"):
        says(node, space, "web", f"{name}: not ready: ")
    assert only_waits(node, space)
    redis.start()
    done = node.reach(space, "web", nodes.succeeded, seconds=30)

    assert "initject wait: ready after …: redis://redis:6379" == timeless(end(done)["message"])
    assert 0 == restarts(done)
