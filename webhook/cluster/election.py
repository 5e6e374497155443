"""Who leads: the one replica that writes what all of them together have come to.

One Lease, taken and kept by whole writes on condition that nobody has written in between. Two that
both believe to lead for a moment do no harm: each write of a status has a condition, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from typing import Literal

from webhook.cluster import lease
from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.lease import Leases
from webhook.cluster.presence import path

log = logging.getLogger("webhook.cluster")

# Seconds, client-go's: how often to try or renew, and after how long without success a leader
# stops, before others may take its place (`lease.DURATION`).
RETRY, DEADLINE = 2.0, 10.0
_NEVER = float("-inf")


class Election:
    """Takes part, if our replica hears the others. `changed` is called with what we are now."""

    def __init__(
        self,
        api: Api,
        leases: Leases,
        namespace: str,
        *,
        changed: Callable[[bool], None],
        clock: Callable[[], float],
        pulse: Callable[[], float],
    ) -> None:
        self._api = api
        self._leases = leases
        self._namespace = namespace
        self._changed = changed
        self._clock = clock
        self._pulse = pulse
        self._renewed = _NEVER
        self._held: Json | None = None
        self._led = self._failing = False
        self._news = asyncio.Event()

    @property
    def leading(self) -> bool:
        """Whether nobody else can be leading now."""
        return self._pulse() - self._renewed < DEADLINE

    def heard(self) -> None:
        """A Lease has changed: where nobody leads any more, do not wait for the next turn."""
        leases = self._leases
        one = leases.get(leases.leader)
        if not (self.leading or leases.deaf) and (one is None or self._free(one)):
            self._news.set()

    async def follow(self) -> None:
        """Take part; never ends."""
        while True:
            self._news.clear()
            try:
                await self._step()
            except ConflictError:  # somebody else has written: hear who
                self._renewed, self._held = _NEVER, None
            except ApiError as error:
                if not self._failing:
                    extra = {"lease": self._leases.leader, "error": str(error)}
                    log.warning("no part in the election", extra=extra)
                self._failing = True
            else:
                self._failing = False
            self._tell()
            wait = RETRY * random.uniform(0.8, 1.2)  # noqa: S311  # no secret
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), wait)

    async def leave(self) -> None:
        """Let somebody else lead at once, if we do. Raises ApiError."""
        old, led = self._held, self.leading
        self._renewed, self._held = _NEVER, None
        self._tell()
        if led and old is not None:
            await self._write("PUT", lease.held(old, "", self._clock()))

    async def _step(self) -> None:
        leases = self._leases
        if leases.deaf:
            await self.leave()
            return
        began = self._pulse()
        known = leases.get(leases.leader)
        mine = self._held if self.leading else None
        if mine is None and known is not None and self._free(known):
            mine = known.object
        if mine is not None:
            self._held = await self._write("PUT", lease.held(mine, leases.replica, self._clock()))
        elif known is None:
            new = lease.body(leases.leader, leases.leader, leases.replica, self._clock())
            self._held = await self._write("POST", new)
        else:
            return
        self._renewed = began

    def _free(self, known: lease.Lease) -> bool:
        """Whether nobody else holds it: nobody at all, we ourselves, or one who is gone."""
        leases = self._leases
        return known.holder in ("", leases.replica) or leases.silent(known) > lease.DURATION

    async def _write(self, method: Literal["PUT", "POST"], body: Json) -> Json:
        name = self._leases.leader if method == "PUT" else ""
        return await self._api.write(method, path(self._namespace, name), body)

    def _tell(self) -> None:
        leading = self.leading
        if leading != self._led:
            self._led = leading
            if leading:
                log.info("leads")
            else:
                log.info("leads no longer")
            self._changed(leading)
