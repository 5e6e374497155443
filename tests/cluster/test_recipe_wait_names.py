"""Pods that wait for names, on a node: one that is never there, one that is late, and no answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_network

from tests.cluster import nodes
from tests.cluster.node import POD_CIDR
from tests.cluster.nodes import Node
from tests.cluster.release import Release
from tests.cluster.servers.server import named
from tests.cluster.test_recipe_wait_objects import end, pod, says, waiting
from tests.cluster.test_recipe_wait_servers import only_waits, restarts, timeless
from tests.cluster.test_running import ended, run

UNKNOWN = "the name is not found: Name or service not known"
SILENT = str(next(ip_network(POD_CIDR).hosts()))  # the node's own address among its pods


@contextmanager
def silence(node: Node) -> Iterator[None]:
    """At SILENT, a name server that takes every question and answers none."""
    with node.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((SILENT, 53))
        yield


def test_a_name_that_is_never_there_is_in_the_last_line(installed: Release, space: str) -> None:
    """Whether it is waited for itself, or something that has it."""
    targets = ({"dns": {"host": "nobody"}}, {"kafka": {"host": "nowhere.example.com"}})
    rules = waiting(space, *targets, timeout="2s")

    node = run(installed, space, [rules], pod(space))
    done = node.reach(space, "web", ended)

    each = f"dns://nobody: {UNKNOWN}; kafka://nowhere.example.com: {UNKNOWN}"
    assert f"initject wait: gave up after …, not ready: {each}" == timeless(end(done)["message"])
    assert ("Failed", 210) == (done["status"]["phase"], end(done)["exitCode"])


def test_a_name_server_that_never_answers_does_not_outlast_the_deadline(
    installed: Release, space: str
) -> None:
    """The resolver alone would ask for ten seconds."""
    rules = waiting(space, {"dns": {"host": "ledger"}}, timeout="2s")
    resolver = {"dnsPolicy": "None", "dnsConfig": {"nameservers": [SILENT]}}

    with silence(installed.node):
        node = run(installed, space, [rules], pod(space, **resolver))
        done = node.reach(space, "web", ended)

    step = end(done)
    took = datetime.fromisoformat(step["finishedAt"]) - datetime.fromisoformat(step["startedAt"])
    reason = "looking up the name takes too long"
    gave_up = f"initject wait: gave up after …, not ready: dns://ledger: {reason}"
    assert gave_up == timeless(step["message"])
    assert took.total_seconds() < 5


def test_a_pod_starts_when_a_name_that_it_waits_for_comes_into_being(
    installed: Release, space: str
) -> None:
    """That of a headless Service which is created while the pod waits."""
    name = f"dns://search.{space}.svc"
    rules = waiting(space, {"dns": {"host": f"search.{space}.svc"}}, timeout="2m")

    node = run(installed, space, [rules], pod(space))
    says(node, space, "web", f"{name}: not ready: {UNKNOWN}")
    assert only_waits(node, space)
    named(node, space, "search", 9200)
    done = node.reach(space, "web", nodes.succeeded, seconds=30)

    assert f"initject wait: ready after …: {name}" == timeless(end(done)["message"])
    assert (0, 0) == (end(done)["exitCode"], restarts(done))
