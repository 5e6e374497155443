"""Who is there, judged by what was heard here and by no other clock."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.cluster import lease
from webhook.cluster.lease import Lease, Leases

START = 1_000_000.0


class Pulse:
    """A clock of ours that goes on as we say."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class World:
    """Leases as the API server tells of them, and what our replica, `a`, makes of it."""

    def __init__(self) -> None:
        self.pulse = Pulse()
        self.leases = Leases("initject", "a", self.pulse)
        self.held: dict[str, Lease] = {}

    def renew(self, *holders: str, at: float = 0.0) -> None:
        """News of these; `at` is what the clock on their wall says."""
        for holder in holders:
            body = lease.body(f"initject-{holder}", "initject", holder, at)
            body["metadata"] |= lease.renewal({"things": "7"}, at)["metadata"]
            self.held[f"initject-{holder}"] = Lease(body, self.pulse())
        self.leases.hear(dict(self.held))

    def wait(self, seconds: float, *renewing: str) -> None:
        """Time passes, in which these renew their Leases as they should."""
        end = self.pulse.now + seconds
        while self.pulse.now < end:
            self.pulse.now = min(end, self.pulse.now + lease.RENEW)
            self.renew(*renewing)


@pytest.fixture
def world() -> World:
    return World()


def test_a_replica_that_renews_is_live_whatever_its_clock_says(world: World) -> None:
    """Clocks on walls may be years apart, and jump."""
    for at in (0.0, 4e9, 1.7e9, 12.0):
        world.renew("a", "b", at=at)
        world.pulse.now += lease.RENEW

    assert {"a", "b"} == set(world.leases.replicas())
    assert {"things": "7"} == world.leases.replicas()["b"]


def test_a_replica_that_is_silent_counts_for_the_time_of_its_lease(world: World) -> None:
    """From the moment at which we heard of it last."""
    world.renew("a", "b")
    world.wait(lease.DURATION - 1, "a")
    assert {"a", "b"} == set(world.leases.replicas())

    world.wait(2, "a")

    assert {"a"} == set(world.leases.replicas())


def test_who_does_not_hear_itself_takes_nobody_for_dead(world: World) -> None:
    """After an outage of two minutes the others have their whole time again."""
    world.renew("a", "b")
    world.pulse.now += 120
    assert world.leases.deaf

    world.renew("a")
    assert not world.leases.deaf
    assert {"a", "b"} == set(world.leases.replicas())

    world.wait(lease.DURATION + 1, "a")
    assert {"a"} == set(world.leases.replicas())


def test_before_it_has_heard_itself_a_replica_is_deaf(world: World) -> None:
    """It has just started, and knows nothing."""
    assert world.leases.deaf
    world.renew("b")
    assert world.leases.deaf


def test_a_lease_is_forgotten_after_a_long_silence_only(world: World) -> None:
    """Never our own, and never the leader's, which somebody else will take."""
    world.renew("a", "b")
    leader = lease.body("initject", "initject", "b", 0)
    world.held["initject"] = Lease(leader, world.pulse())
    world.wait(lease.FORGET - 1, "a")
    assert [] == world.leases.forgotten()

    world.wait(2, "a")

    assert ["initject-b"] == [one.name for one in world.leases.forgotten()]


@pytest.mark.parametrize("text", ["", "x", "[]", "7", '{"things": 7}', '{"things": null}'])
def test_what_a_lease_says_amiss_is_nothing(text: str) -> None:
    """Anybody with the right can write an annotation."""
    held: dict[str, Any] = {"metadata": {"name": "x", "annotations": {lease.COMPILED: text}}}

    assert {} == Lease(held, 0).compiled
    assert "" == Lease(held, 0).holder


def test_taking_a_lease_counts_and_keeping_it_does_not() -> None:
    """Leaving it lets the next one in at once."""
    first = lease.body("initject", "initject", "a", 10.0)
    kept = lease.held(first, "a", 12.0)
    left = lease.held(kept, "", 13.0)
    taken = lease.held(left, "b", 14.0)

    def told(body: dict[str, Any]) -> tuple[Any, ...]:
        spec = body["spec"]
        return spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]

    assert [("a", 15, 0), ("a", 15, 0), ("", 1, 0), ("b", 15, 1)] == [
        *map(told, (first, kept, left, taken))
    ]
    assert "1970-01-01T00:00:10.000000Z" == kept["spec"]["acquireTime"]
    assert "1970-01-01T00:00:14.000000Z" == taken["spec"]["acquireTime"]
