"""Elections among replicas that share one API server, by a clock that goes as the test says."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from webhook.cluster import election, lease
from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.election import Election
from webhook.cluster.lease import Lease, Leases


class Server:
    """What is needed of an API server: Leases, with a condition on each write."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.version = 0
        self.held: dict[str, Json] = {}
        self.away = False
        self.writes = 0

    async def write(self, method: str, path: str, body: Json) -> Json:
        if self.away:
            msg = "refused"
            raise ApiError(msg)
        self.writes += 1
        name = body["metadata"]["name"]
        old = self.held.get(name)
        given = body["metadata"].get("resourceVersion")
        there = old["metadata"]["resourceVersion"] if old else None
        if given != there:
            msg = "HTTP 409"
            raise ConflictError(msg, 409)
        self.version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self.version)}
        self.held[name] = {**body, "metadata": metadata}
        return self.held[name]


class Replica:
    """One that takes part; `wall` is the clock on its wall, `deaf` when it hears nothing."""

    def __init__(self, name: str, server: Server, wall: float = 0.0) -> None:
        self.server = server
        self.wall = wall
        self.told: list[bool] = []
        self.leases = Leases("initject", name, lambda: server.now)
        self.seen: dict[str, tuple[str, float]] = {}
        self.election = Election(
            cast("Api", server),
            self.leases,
            "initject",
            changed=self.told.append,
            clock=lambda: self.wall + server.now,
            pulse=lambda: server.now,
        )

    def hear(self, deaf: bool = False) -> None:
        """What the watch tells, our own Lease included."""
        if deaf:
            return
        own = lease.body(self.leases.own, "initject", self.leases.replica, 0)
        held = {self.leases.own: Lease(own, self.server.now)}
        for name, body in self.server.held.items():
            version = body["metadata"]["resourceVersion"]
            if self.seen.get(name, ("", 0.0))[0] != version:
                self.seen[name] = version, self.server.now
            held[name] = Lease(body, self.seen[name][1])
        self.leases.hear(held)
        self.election.heard()

    async def turn(self) -> None:
        """One turn of its loop."""
        following = asyncio.create_task(self.election.follow())
        for _ in range(10):
            await asyncio.sleep(0)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def run(server: Server, seconds: float, *replicas: Replica) -> list[str]:
    """Who leads at the end; never do two of them."""
    end = server.now + seconds
    leading: list[str] = []
    while server.now < end:
        server.now += election.RETRY
        for one in replicas:
            one.hear(deaf=server.away)
            await one.turn()
            leading = [r.leases.replica for r in replicas if r.election.leading]
            assert len(leading) <= 1, leading
    return leading


def test_one_of_several_leads_and_goes_on_leading() -> None:
    """Its clock on the wall may be years off, and jump."""
    server = Server()
    a, b = Replica("a", server, wall=-1e8), Replica("b", server, wall=1e9)

    async def scenario() -> None:
        assert ["a"] == await run(server, 60, a, b)
        a.wall, b.wall = 1e9, -1e8
        assert ["a"] == await run(server, 60, a, b)

    asyncio.run(scenario())
    assert ([True], []) == (a.told, b.told)


def test_when_the_leader_is_silent_another_one_leads_after_its_time() -> None:
    """Not before: it might be leading still."""
    server = Server()
    a, b = Replica("a", server), Replica("b", server)

    async def scenario() -> None:
        await run(server, 10, a, b)
        assert [] == await run(server, lease.DURATION - 2, b)
        assert ["b"] == await run(server, 6, b)

    asyncio.run(scenario())
    assert not a.election.leading


def test_a_leader_that_leaves_is_followed_at_once() -> None:
    """Nobody waits for a time to pass."""
    server = Server()
    a, b = Replica("a", server), Replica("b", server)

    async def scenario() -> None:
        await run(server, 10, a, b)
        await a.election.leave()
        assert ["b"] == await run(server, election.RETRY, b)

    asyncio.run(scenario())
    assert [True, False] == a.told


def test_without_the_api_server_nobody_leads_and_afterwards_one_does() -> None:
    """The leader stops before anybody could think it gone."""
    server = Server()
    a, b = Replica("a", server), Replica("b", server)

    async def scenario() -> None:
        await run(server, 10, a, b)
        server.away = True
        assert [] == await run(server, 120, a, b)
        server.away = False
        assert 1 == len(await run(server, lease.DURATION + 6, a, b))

    asyncio.run(scenario())


def test_of_two_that_try_at_once_one_leads() -> None:
    """Each write has a condition."""
    server = Server()
    a, b = Replica("a", server), Replica("b", server)

    async def scenario() -> None:
        server.now += 1
        for one in (a, b):
            one.hear()
        await asyncio.gather(a.turn(), b.turn())
        assert a.election.leading
        assert not b.election.leading

    asyncio.run(scenario())


@pytest.mark.parametrize("started", [False, True])
def test_a_replica_that_hears_nothing_takes_no_part(started: bool) -> None:
    """It cannot know who leads; if it led, it lets go."""
    server = Server()
    a = Replica("a", server)

    async def scenario() -> None:
        if started:
            await run(server, 10, a)
        server.now += lease.DEAF + 1
        await a.turn()
        assert not a.election.leading

    asyncio.run(scenario())
    assert (1 if started else 0) == len(server.held)
