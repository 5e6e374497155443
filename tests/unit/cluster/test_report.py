"""The leader's writing, against an API server that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from webhook.cluster import report
from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.election import Election
from webhook.cluster.policies import Watched, judge
from webhook.cluster.presence import Presence
from webhook.cluster.report import Report
from webhook.cluster.verdict import Id, Judged, Position, Stored, Verdict
from webhook.document.problem import Problem
from webhook.recipes.defaults import Defaults

KIND = "ClusterInitPolicy"


@dataclass
class World:
    """What a report knows of the world, and what it wrote; `refuse` are answers to come."""

    leading: bool = True
    stored: dict[Id, Stored] = field(default_factory=dict)
    compiled: Position = field(default_factory=dict)
    written: list[tuple[str, str, Json]] = field(default_factory=list)
    refuse: list[ApiError] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    waiting: int = 0
    ahead: float = 0.0  # seconds that our clock is ahead of the loop's
    replica: str = "a"
    deaf: bool = False

    @property
    def leases(self) -> World:
        return self

    async def write(self, method: str, path: str, body: Json) -> Json:
        if self.refuse:
            raise self.refuse.pop(0)
        self.written.append((method, path, body))
        name = path.removesuffix("/status").rpartition("/")[2]
        return {"metadata": {"name": name}, "status": body.get("status")}

    def saw(self, kind: str, one: Json) -> None:
        name = one["metadata"]["name"]
        old = self.stored[Id(kind, "", name)]
        version = str(int(old.version) + 1)
        self.stored[Id(kind, "", name)] = Stored(old.uid, old.generation, version, one["status"])

    def replicas(self) -> Mapping[str, Position]:
        return {}

    async def forget(self) -> None:
        pass

    def status_written(self, result: str) -> None:
        self.results.append(result)

    def event_written(self, result: str) -> None:
        self.results.append(f"event {result}")

    def statuses_waiting(self, count: int) -> None:
        self.waiting = count

    def statuses(self) -> list[tuple[str, str]]:
        """Name and Ready of what was written, in order."""
        return [
            (path.split("/")[-2], body["status"]["conditions"][0]["status"])
            for _, path, body in self.written
            if path.endswith("/status")
        ]

    def events(self) -> list[str]:
        return [body["reason"] for _, path, body in self.written if path.endswith("/events")]


def judged(name: str, *, wrong: str = "", generation: int = 1) -> Judged:
    steps = [{"name": "step", "container": {"image": "registry.example.com/a:1"}}]
    metadata = {"name": name, "uid": name, "generation": generation, "resourceVersion": "7"}
    one = judge(KIND, {"metadata": metadata, "spec": {"steps": steps}}, Defaults())
    if not wrong:
        return one
    return Judged(None, (Problem("", 0, 0, "spec", wrong),), name, generation, "7", 1)


def verdicts(
    *all_: Judged, needed: Position | None = None, since: float = 0.0
) -> dict[Id, Verdict]:
    return {
        Id(KIND, "", one.uid): Verdict(one, "", needed or {}, since + number / 1000)
        for number, one in enumerate(all_)
    }


def run(world: World, *turns: tuple[Callable[[Report], None], Callable[[], bool]]) -> None:
    """Let a report write: each step, then what is to come of it, then a while for too much."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        one = Report(
            cast("Api", world),
            cast("Watched", world),
            cast("Presence", world),
            cast("Election", world),
            world,
            clock=lambda: 0.0,
            pulse=lambda: loop.time() + world.ahead,
        )
        following = asyncio.create_task(one.follow())
        for step, holds in turns:
            step(one)
            async with asyncio.timeout(30):
                while not holds():
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
        following.cancel()

    asyncio.run(scenario())


def take(found: Mapping[Id, Verdict]) -> Callable[[Report], None]:
    return lambda one: one.take(found)


def known(*all_: Judged) -> dict[Id, Stored]:
    return {Id(KIND, "", one.uid): Stored(one.uid, one.generation, "7", {}) for one in all_}


def test_what_is_new_is_written_first_and_once() -> None:
    """Somebody may wait for it; what is there is left alone."""
    policies = [judged("a"), judged("b"), judged("c")]
    world = World(stored=known(*policies))

    run(world, (take(verdicts(*policies)), lambda: len(world.statuses()) >= 3), (wake, always))

    assert [("c", "True"), ("b", "True"), ("a", "True")] == world.statuses()
    assert [] == world.events()


def wake(one: Report) -> None:
    one.wake()


def always() -> bool:
    return True


@pytest.mark.parametrize("world", [World(leading=False), World(deaf=True)], ids=["led", "deaf"])
def test_who_does_not_lead_or_hears_nothing_writes_nothing(world: World) -> None:
    """It cannot know what all of them have come to."""
    world.stored = known(judged("a"))
    run(world, (take(verdicts(judged("a"))), always), (wake, always))

    assert [] == world.written


def test_a_status_of_an_object_that_has_changed_is_not_written() -> None:
    """What became of its last generation is no news of this one."""
    world = World(stored=known(judged("a", generation=2), judged("b")))

    run(world, (take(verdicts(judged("a"), judged("b"))), lambda: bool(world.statuses())))

    assert [("b", "True")] == world.statuses()


@pytest.mark.parametrize(
    "error", [ConflictError("HTTP 409", 409), ApiError("HTTP 404", 404)], ids=["409", "404"]
)
def test_a_conflict_is_looked_at_again_when_there_is_news(error: ApiError) -> None:
    """The watch brings what is there now."""
    world = World(stored=known(judged("a")), refuse=[error])

    run(
        world,
        (take(verdicts(judged("a"))), lambda: world.results == ["conflict"]),
        (wake, lambda: len(world.results) > 1),
    )

    assert ["conflict", "success"] == world.results


def test_a_status_that_the_api_server_refuses_holds_up_no_other() -> None:
    """It is tried again much later."""
    policies = [judged("a"), judged("b")]
    world = World(stored=known(*policies), refuse=[ApiError("HTTP 422", 422)])

    def later(one: Report) -> None:
        world.ahead = report.REFUSED + 1
        one.wake()

    run(
        world,
        (take(verdicts(*policies)), lambda: world.results == ["failure", "success"]),
        (wake, lambda: world.statuses() == [("a", "True")]),
        (later, lambda: len(world.statuses()) == 2),
    )

    assert [("a", "True"), ("b", "True")] == world.statuses()


def test_after_a_failure_there_is_a_pause_and_nothing_is_lost() -> None:
    """An API server that is in trouble is not asked without end."""
    world = World(stored=known(judged("a")), refuse=[ApiError("HTTP 500", 500)])

    run(
        world,
        (take(verdicts(judged("a"))), lambda: bool(world.results)),
        (wake, lambda: len(world.results) > 1),
    )

    assert ["failure", "success"] == world.results


def test_a_replica_that_is_behind_for_a_moment_is_no_news() -> None:
    """Most are there in a fraction of a second: one write is enough."""
    world = World(stored=known(judged("a")), compiled={"x": "8"})
    found = verdicts(judged("a"), needed={"x": "9"}, since=float("inf"))

    def catch_up(one: Report) -> None:
        world.compiled = {"x": "9"}

    run(world, (take(found), always), (catch_up, lambda: bool(world.statuses())))

    assert [("a", "True")] == world.statuses()


def test_a_replica_that_stays_behind_is_told() -> None:
    """After a while; and that it has caught up, too."""
    world = World(stored=known(judged("a")), compiled={"x": "8"})

    def catch_up(one: Report) -> None:
        world.compiled = {"x": "9"}

    run(
        world,
        (take(verdicts(judged("a"), needed={"x": "9"})), lambda: len(world.statuses()) == 1),
        (catch_up, lambda: len(world.statuses()) == 2),
    )

    assert [("a", "Unknown"), ("a", "True")] == world.statuses()


def test_an_event_tells_that_a_policy_went_out_of_force_and_that_it_is_back() -> None:
    """Each once, by the one who writes the status."""
    wrong, right = verdicts(judged("a", wrong="is wrong")), verdicts(judged("a"))
    world = World(stored=known(judged("a")))

    run(
        world,
        (take(wrong), lambda: len(world.events()) == 1),
        (take(right), lambda: len(world.events()) == 2),
        (wake, always),
        (take(wrong), lambda: len(world.events()) == 3),
    )

    assert ["False", "True", "False"] == [ready for _, ready in world.statuses()]
    assert ["OutOfForce", "BackInForce", "OutOfForce"] == world.events()


def test_a_flood_of_events_is_cut_off() -> None:
    """Forty wrong policies: so many at once, the rest is counted."""
    policies = [judged(f"p{n}", wrong="is wrong") for n in range(40)]
    world = World(stored=known(*policies))

    run(world, (take(verdicts(*policies)), lambda: len(world.statuses()) == 40))

    left = world.results.count("event left_out")
    assert 40 == len(world.events()) + left
    assert left > 0
