"""The reflector against an API server that answers as it is told (tests/cluster has a real one)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from webhook.cluster.api import ApiError, Event, GoneError, Json, Listed
from webhook.cluster.reflector import Key, Reflector

Answer = list[Event] | Exception


def thing(name: str, version: int, **metadata: object) -> Json:
    named = {"name": name, "uid": name, "resourceVersion": str(version), "generation": version}
    return {"metadata": {**named, **metadata}}


@dataclass
class Script:
    """Answers lists and watches in turn; afterwards each watch ends at once."""

    lists: list[Listed | Exception]
    watches: list[Answer] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    heard: int = 0
    failed: int = 0
    made: list[str] = field(default_factory=list)
    values: Mapping[Key, str] = field(default_factory=dict)

    async def all(self, path: str) -> Listed:
        self.asked.append("list")
        answer = self.lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, path: str, version: str, seconds: float) -> AsyncGenerator[list[Event]]:
        self.asked.append(f"watch {version}")
        answer = self.watches.pop(0) if self.watches else []
        yield []
        if isinstance(answer, Exception):
            raise answer
        if answer:
            yield answer

    async def make(self, objects: Sequence[Json]) -> list[str]:
        names = [f"{one['metadata']['name']}@{one['metadata']['generation']}" for one in objects]
        self.made += names
        return names

    def source_heard(self, source: str) -> None:
        self.heard += 1

    def source_failed(self, source: str) -> None:
        self.failed += 1

    def changed(self, values: Mapping[Key, str]) -> None:
        self.values = values


def follow(script: Script, seconds: float = 0.0) -> None:
    """Follow until everything of the script was asked for, or for some seconds."""

    async def scenario() -> None:
        reflector: Reflector[str] = Reflector(
            "things",
            "/things",
            script,
            script,
            news="generation",
            make=script.make,
            changed=script.changed,
        )
        following = asyncio.create_task(reflector.follow())
        if seconds:
            await asyncio.sleep(seconds)
        else:
            await until(lambda: not script.lists and not script.watches)
            await asyncio.sleep(0.01)
        following.cancel()

    asyncio.run(scenario())


def until(condition: Callable[[], bool]) -> Awaitable[None]:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.01)

    return asyncio.wait_for(wait(), 10)


def test_a_watch_goes_on_where_the_last_one_ended() -> None:
    """Additions, changes, deletions and bookmarks move the version on; nothing is listed again."""
    script = Script(
        [Listed([thing("a", 1), thing("b", 2)], "2")],
        [
            [Event("ADDED", thing("c", 3)), Event("MODIFIED", thing("a", 4))],
            [Event("DELETED", thing("b", 5)), Event("BOOKMARK", thing("", 9))],
            [],
        ],
    )
    follow(script)

    assert ["list", "watch 2", "watch 4", "watch 9"] == script.asked[:4]
    assert {("", "a"): "a@4", ("", "c"): "c@3"} == script.values


def test_what_is_forgotten_is_listed_again_and_only_news_is_made() -> None:
    """After a 410 what was deleted meanwhile is gone, and what is as before is kept as it is."""
    script = Script(
        [
            Listed([thing("a", 1), thing("b", 1)], "2"),
            Listed([thing("a", 1, resourceVersion="7"), thing("c", 8)], "8"),
        ],
        [GoneError("HTTP 410: too old", 410), []],
    )
    follow(script)

    assert ["list", "watch 2", "list", "watch 8"] == script.asked[:4]
    assert {("", "a"): "a@1", ("", "c"): "c@8"} == script.values
    assert ["a@1", "b@1", "c@8"] == script.made
    assert 0 == script.failed


def test_a_failure_keeps_what_is_known() -> None:
    """It is counted, and the watch goes on from the same version."""
    script = Script([Listed([thing("a", 1)], "1")], [ApiError("refused"), ApiError("refused"), []])
    follow(script)

    assert ["list", "watch 1", "watch 1", "watch 1"] == script.asked[:4]
    assert {("", "a"): "a@1"} == script.values
    assert 2 == script.failed


def test_within_one_batch_the_last_event_of_an_object_counts() -> None:
    """An object that came and went at once is never made."""
    script = Script(
        [Listed([], "1")],
        [[Event("ADDED", thing("a", 2)), Event("DELETED", thing("a", 3))]],
    )
    follow(script)

    assert {} == script.values
    assert [] == script.made


@pytest.mark.parametrize("gone", [False, True], ids=["watches-end-at-once", "always-gone"])
def test_an_api_server_that_ends_everything_at_once_is_asked_a_few_times_only(gone: bool) -> None:
    """Pauses grow whatever the end of an attempt was: there is no busy loop."""
    lists: list[Listed | Exception] = [Listed([], str(number)) for number in range(1000)]
    watches: list[Answer] = [GoneError("HTTP 410: too old", 410)] * 1000 if gone else []
    script = Script(lists, watches)
    follow(script, 1.5)

    assert 2 < len(script.asked) < 20
