"""A copy of one collection of the API server that stays up to date, whatever happens to either.

List, watch from there, and watch on from the last version that was told; when that is forgotten
(410), list again. What cannot be read now is tried again later, and what is known stays.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Generic, Literal, Protocol, TypeVar

from webhook.cluster.api import ApiError, Event, GoneError, Json, Listed

log = logging.getLogger("webhook.cluster")

# A watch that is quiet cannot be told from a dead connection, so it is renewed; in between, so
# that not all collections and replicas do it at once. With the grace of `api`, a dead one is found
# out as soon as client-go does it (by pings, 30 s and 15 s); a request each half minute is nothing.
WATCH_SECONDS = (20.0, 30.0)
# Between two attempts: doubled from the first to the last, each time a part between half and all.
FIRST_PAUSE, LAST_PAUSE = 0.2, 3.0  # guesses: back within seconds after an outage of any length
STEADY = 2.0  # seconds that an attempt must have lasted for the next one to be a first again

Value = TypeVar("Value")
Key = tuple[str, str]  # namespace (empty where there is none), name
Revision = tuple[str, str]


class Api(Protocol):
    """What is needed of `webhook.cluster.api`."""

    async def all(self, path: str) -> Listed:
        """Everything in a collection."""

    def watch(self, path: str, version: str, seconds: float) -> AsyncGenerator[list[Event]]:
        """What changes in it."""


class Watcher(Protocol):
    """Who wants to know how it goes: telemetry."""

    def source_heard(self, source: str) -> None:
        """The API server has told something: what is known is that fresh."""

    def source_failed(self, source: str) -> None:
        """It could not be asked."""


class Reflector(Generic[Value]):
    """Keeps `values` by key; `make` turns objects into them, one for each, in order.

    An object is made again when the field `news` of its metadata is another. `changed` is called
    after each change, with the new mapping; old ones stay as they are. `seen` is told of each
    object that was read, changed or not, and of the keys that are gone.
    """

    def __init__(
        self,
        name: str,
        path: str,
        api: Api,
        watcher: Watcher,
        *,
        news: Literal["generation", "resourceVersion"],
        make: Callable[[Sequence[Json]], Awaitable[Sequence[Value]]],
        changed: Callable[[Mapping[Key, Value]], None],
        seen: Callable[[Iterable[Json], Iterable[Key]], None] = lambda there, gone: None,
    ) -> None:
        self.name = name
        self.listed = asyncio.Event()
        self.touched = ""  # the version at which the last object was listed, changed or deleted
        self._path = path
        self._api = api
        self._watcher = watcher
        self._news = news
        self._make = make
        self._changed = changed
        self._seen = seen
        self._version = ""
        self._held: dict[Key, tuple[Revision, Value]] = {}
        self._failing = False

    @property
    def version(self) -> str:
        """Up to which resource version the values are those of the API server."""
        return self._version

    async def follow(self) -> None:
        """Stay up to date; never ends."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            await self._attempt()
            if loop.time() - began >= STEADY:
                pause = FIRST_PAUSE
                continue
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311  # no secret
            pause = min(2 * pause, LAST_PAUSE)

    async def _attempt(self) -> None:
        """List if need be, and watch until that ends."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
        except GoneError:
            self._version = ""
        except ApiError as error:
            self._watcher.source_failed(self.name)
            if not self._failing:
                self._failing = True
                extra = {"source": self.name, "error": str(error)}
                log.warning("source not read; what is known stays", extra=extra)

    def _heard(self) -> None:
        self._watcher.source_heard(self.name)
        if self._failing:
            self._failing = False
            log.info("source read again", extra={"source": self.name})

    async def _list(self) -> None:
        found = await self._api.all(self._path)
        held = await self._made(found.objects)
        self._version = self.touched = found.version
        self._seen(found.objects, self._held.keys() - held.keys())
        self._take(held)
        self._heard()
        self.listed.set()

    async def _watch(self) -> None:
        seconds = random.uniform(*WATCH_SECONDS)  # noqa: S311  # no secret
        async with aclosing(self._api.watch(self._path, self._version, seconds)) as watching:
            async for events in watching:
                if events:
                    await self._apply(events)
                self._heard()
        self._heard()

    async def _apply(self, events: Sequence[Event]) -> None:
        last = {_key(e.object): e for e in events if e.kind != "BOOKMARK"}
        there = [e.object for e in last.values() if e.kind != "DELETED"]
        gone = {key for key, event in last.items() if event.kind == "DELETED"}
        made = await self._made(there)
        # Nobody runs in between: whoever looks sees values and their version together.
        self._version = events[-1].version
        if last:
            self.touched = [e.version for e in events if e.kind != "BOOKMARK"][-1]
            self._seen(there, gone)
            self._take({key: v for key, v in (self._held | made).items() if key not in gone})

    async def _made(self, objects: Iterable[Json]) -> dict[Key, tuple[Revision, Value]]:
        """The values of objects; those of which nothing has changed are the ones we have."""
        found = {_key(one): one for one in objects}
        known = self._held
        new = {
            key: one
            for key, one in found.items()
            if key not in known or known[key][0] != self._revision(one)
        }
        made = await self._make(list(new.values())) if new else ()
        fresh = {
            key: (self._revision(one), value)
            for (key, one), value in zip(new.items(), made, strict=True)
        }
        return {key: fresh[key] if key in fresh else known[key] for key in found}

    def _revision(self, one: Json) -> Revision:
        metadata = one["metadata"]
        return metadata["uid"], str(metadata[self._news])

    def _take(self, held: dict[Key, tuple[Revision, Value]]) -> None:
        if held != self._held or not self.listed.is_set():
            self._held = held
            self._changed({key: value for key, (_, value) in held.items()})


def _key(one: Json) -> Key:
    metadata = one["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
