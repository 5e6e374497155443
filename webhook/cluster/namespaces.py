"""What is known of the cluster's namespaces: a watched cell of labels and annotations alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from webhook.cluster.api import Api, Json
from webhook.cluster.reflector import Key, Reflector, Watcher
from webhook.policy.namespace import Namespace
from webhook.store.namespaces import Namespaces

PATH = "/api/v1/namespaces"


class Watched:
    """Keeps a cell up to date, and reads what it does not hold yet.

    `taken` is called after each change.
    """

    def __init__(self, api: Api, watcher: Watcher, taken: Callable[[], None]) -> None:
        self.cell = Namespaces()
        self.reflector = Reflector(
            "namespaces",
            PATH,
            api,
            watcher,
            news="resourceVersion",
            make=_make,
            changed=self._replace,
        )
        self._taken = taken
        self._api = api
        self._reading: dict[str, asyncio.Task[Namespace | None]] = {}

    async def read(self, name: str) -> Namespace | None:
        """A namespace that may be a moment old; None when there is none. Raises ApiError.

        Who asks for the same one meanwhile shares the answer.
        """
        reading = self._reading.get(name)
        if reading is None:
            reading = asyncio.create_task(self._read(name))
            self._reading[name] = reading
            reading.add_done_callback(lambda task: self._end(name, task))
        return await asyncio.shield(reading)

    async def _read(self, name: str) -> Namespace | None:
        found = await self._api.get(f"{PATH}/{quote(name, safe='')}")
        return None if found is None else _namespace(found)

    def _end(self, name: str, task: asyncio.Task[Namespace | None]) -> None:
        del self._reading[name]
        if not task.cancelled():
            task.exception()  # told to whoever still waits

    def _replace(self, held: Mapping[Key, Namespace]) -> None:
        self.cell.replace({namespace.name: namespace for namespace in held.values()})
        self._taken()


async def _make(objects: Sequence[Json]) -> list[Namespace]:
    return [_namespace(one) for one in objects]


def _namespace(one: Json) -> Namespace:
    metadata = one["metadata"]
    return Namespace(
        metadata["name"], metadata.get("labels") or {}, metadata.get("annotations") or {}
    )
