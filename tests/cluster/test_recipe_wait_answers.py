"""Pods that wait for servers that answer wrongly, on a node: until they do not, or give up."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.release import Release
from tests.cluster.servers.fixtures import Standing
from tests.cluster.servers.server import named
from tests.cluster.test_recipe_wait_objects import end, pod, says, waiting
from tests.cluster.test_recipe_wait_servers import (
    only_waits,
    restarts,
    timeless,
    trusting,
)
from tests.cluster.test_running import ended, run, states
from tests.runner import stand, test_http, test_tls

TRUST = {"ca": {"secret": {"name": "trust", "key": "ca.crt"}}}
TARGETS: tuple[Json, ...] = (
    {"http": {"url": "http://auth:8080/healthz"}},
    {"postgres": {"host": "postgres"}},
    {"tls": {"host": "vault", "port": 8443, **TRUST}},
)
# Of each target what its server does wrong.
WRONG = {
    "http://auth:8080/healthz": "status 503",
    "postgres://postgres:5432": "answers, and not as PostgreSQL does",
    "tls://vault:8443": "the certificate is not trusted: "
    "Hostname mismatch, certificate is not valid for 'vault'",
}


@dataclass
class Voice:
    """What a server says, until it is told otherwise."""

    says: bytes

    def __call__(self, client: socket.socket) -> None:
        stand.saying(self.says)(client)


@dataclass
class Servers:
    """Three servers that answer, each wrongly in its own way."""

    auth: Voice
    postgres: Voice
    vault: ssl.SSLContext


@pytest.fixture
def wrong(installed: Release, space: str, standing: Standing) -> Iterator[Servers]:
    servers = Servers(
        auth=Voice(b"HTTP/1.1 503 Not yet\r\n\r\n"),
        postgres=Voice(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        vault=test_tls.server("ledger"),
    )
    installed.node.api.ensure(trusting(space, "Secret"))
    for name, port in {"auth": 8080, "postgres": 5432, "vault": 8443}.items():
        named(installed.node, space, name, port)
    with ExitStack() as there:
        there.enter_context(standing(8080, servers.auth))
        there.enter_context(standing(5432, servers.postgres))
        there.enter_context(standing(8443, stand.silent, servers.vault))
        yield servers


def test_a_pod_does_not_start_before_each_server_answers_as_it_should(
    installed: Release, space: str, wrong: Servers
) -> None:
    """Not by a server that is down, not by another service on the port, nor by another's name."""
    node = run(installed, space, [waiting(space, *TARGETS, timeout="2m")], pod(space))
    for name, reason in WRONG.items():
        says(node, space, "web", f"{name}: not ready: {reason}")
    wrong.auth.says = test_http.FINE
    says(node, space, "web", "http://auth:8080/healthz: ready after ")
    test_tls.CA.issue_cert("vault").configure_cert(wrong.vault)
    says(node, space, "web", "tls://vault:8443: ready after ")
    assert only_waits(node, space)
    wrong.postgres.says = b"R\0\0\0\x08\0\0\0\x05"
    done = node.reach(space, "web", nodes.succeeded, seconds=30)

    assert f"initject wait: ready after …: {', '.join(WRONG)}" == timeless(end(done)["message"])
    assert (0, 0) == (end(done)["exitCode"], restarts(done))


@pytest.mark.usefixtures("wrong")
def test_a_wait_that_gives_up_says_of_each_server_what_is_wrong(
    installed: Release, space: str
) -> None:
    """In the pod's status, with a status of its own; a pod that is never restarted has failed."""
    nobody = {"tcp": {"host": "198.18.0.1", "port": 7001}}
    rules = waiting(space, *TARGETS, nobody, timeout="3s")

    node = run(installed, space, [rules], pod(space))
    done = node.reach(space, "web", ended)

    reasons = {**WRONG, "tcp://198.18.0.1:7001": "connection refused"}
    each = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    assert f"initject wait: gave up after …, not ready: {each}" == timeless(end(done)["message"])
    assert ("Failed", 210, 0) == (done["status"]["phase"], end(done)["exitCode"], restarts(done))
    assert {"waiting"} == set(states(done)["app"]["state"])
