"""Our replica's own Lease: that we are here, and how far we have compiled.

Renewed every few seconds, and at once when something new is in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote

from webhook.cluster import lease
from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.lease import Lease, Leases
from webhook.cluster.reflector import Key, Reflector, Watcher
from webhook.cluster.verdict import Position

log = logging.getLogger("webhook.cluster")

SOONEST = 0.2  # seconds between two announcements; a guess: a burst of changes is told in a few
AGAIN = 1.0  # seconds after a failure, a guess: the others soon hear that we are back
_NOT_FOUND = 404


def path(namespace: str, name: str = "") -> str:
    """Of the Leases of a namespace, or of one."""
    top = f"/apis/coordination.k8s.io/v1/namespaces/{quote(namespace, safe='')}/leases"
    return f"{top}/{quote(name, safe='')}" if name else top


class Presence:
    """Keeps our Lease, and follows those of all replicas.

    `compiled` tells how far we are; `heard` is called when a Lease has changed. `clock` tells Unix
    time, for people to read; `pulse` measures.
    """

    def __init__(
        self,
        api: Api,
        watcher: Watcher,
        leases: Leases,
        namespace: str,
        *,
        compiled: Callable[[], Position],
        heard: Callable[[], None],
        clock: Callable[[], float],
        pulse: Callable[[], float],
    ) -> None:
        self.leases = leases
        self._api = api
        self._namespace = namespace
        self._compiled = compiled
        self._clock = clock
        self._news = asyncio.Event()
        self._heard = heard
        self._failing = False

        async def make(objects: Sequence[Json]) -> list[Lease]:
            return [Lease(one, pulse()) for one in objects]

        collection = f"{path(namespace)}?{lease.selector(leases.leader)}"
        self.reflector = Reflector(
            "leases",
            collection,
            api,
            watcher,
            news="resourceVersion",
            make=make,
            changed=self._take,
        )

    def announce(self) -> None:
        """Something new is in force: tell it soon."""
        self._news.set()

    async def follow(self) -> None:
        """Renew and announce; never ends."""
        while True:
            self._news.clear()
            await self._renew()
            await asyncio.sleep(SOONEST)
            every = AGAIN if self._failing else lease.RENEW
            wait = every * random.uniform(0.8, 1) - SOONEST  # noqa: S311  # no secret
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), wait)

    async def leave(self) -> None:
        """Delete our Lease: nobody need wait for us any more. Raises ApiError."""
        try:
            await self._api.write("DELETE", path(self._namespace, self.leases.own))
        except ApiError as error:
            if error.code != _NOT_FOUND:  # who stops before it was ready has none
                raise

    async def forget(self) -> None:
        """Delete the Leases of replicas that are gone for good. Raises ApiError."""
        for one in self.leases.forgotten():
            version = one.object["metadata"]["resourceVersion"]
            body = {"preconditions": {"resourceVersion": version}}
            with contextlib.suppress(ConflictError):
                await self._api.write("DELETE", path(self._namespace, one.name), body)
                log.info("replica forgotten", extra={"replica": one.holder})

    async def _renew(self) -> None:
        own = self.leases.own
        try:
            patch = lease.renewal(self._compiled(), self._clock())
            try:
                await self._api.write("PATCH", path(self._namespace, own), patch)
            except ApiError as error:
                if error.code != _NOT_FOUND:
                    raise
                await self._create(patch)
        except ApiError as error:
            if not self._failing:
                log.warning("lease not renewed", extra={"lease": own, "error": str(error)})
            self._failing = True
        else:
            self._failing = False

    async def _create(self, patch: Json) -> None:
        leases = self.leases
        new = lease.body(leases.own, leases.leader, leases.replica, self._clock())
        new["metadata"].update(patch["metadata"])
        await self._api.write("POST", path(self._namespace), new)

    def _take(self, held: Mapping[Key, Lease]) -> None:
        self.leases.hear({name: one for (_, name), one in held.items()})
        self._heard()
