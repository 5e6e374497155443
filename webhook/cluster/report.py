"""What the leader writes: the status of each policy, and Events when one goes out of force.

What is there already is never written: our own write comes back as a change of the object, and
would go round for ever. Nothing here is in the way of a review, and all of it can fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote

from webhook.cluster import notice, verdict
from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.election import Election
from webhook.cluster.lease import Leases
from webhook.cluster.policies import PATHS, Watched
from webhook.cluster.presence import Presence
from webhook.cluster.verdict import Id, Position, Ready, Stored, Verdict

log = logging.getLogger("webhook.cluster")

PACE = 0.05  # seconds between two writes: 20 a second at most, so that a first start is no storm
# After so many all is looked at again, so that what is new need not wait for a long queue; what is
# new comes first, for somebody may wait for it. A guess.
ROUND = 10
TICK = 1.0  # seconds; how soon it is seen that a replica has gone silent
SETTLE = 0.02  # seconds in which news comes together; a guess
# Seconds until a status says that replicas are behind: most are there in a fraction of one, and it
# would be a write more for each policy. A guess.
PATIENCE = 2.0
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0  # seconds after a failure; guesses
REFUSED = 300.0  # seconds until a status that the API server does not take is tried again; a guess
SLICE = 200  # policies looked at between two turns of the event loop: about a millisecond
FORGET_EVERY = 15.0  # seconds between two looks for Leases to delete
_NOT_FOUND, _INVALID = 404, (400, 413, 422)


class Teller(Protocol):
    """Who wants to know how it goes: telemetry."""

    def status_written(self, result: str) -> None:
        """A status was written: success, conflict or failure."""

    def event_written(self, result: str) -> None:
        """An Event was written: success, failure, or left out since there were too many."""

    def statuses_waiting(self, count: int) -> None:
        """So many statuses are not yet what they should be."""


class Report:
    """Writes as long as `election` says that we lead. `clock` tells Unix time, `pulse` measures."""

    def __init__(
        self,
        api: Api,
        policies: Watched,
        presence: Presence,
        election: Election,
        teller: Teller,
        *,
        clock: Callable[[], float],
        pulse: Callable[[], float],
    ) -> None:
        self._api = api
        self._policies = policies
        self._presence = presence
        self._leases: Leases = presence.leases
        self._election = election
        self._teller = teller
        self._clock = clock
        self._pulse = pulse
        self._verdicts: Mapping[Id, Verdict] = {}
        self._news = asyncio.Event()
        self._refused: dict[Id, tuple[Verdict, float]] = {}
        self._out: set[Id] = set()
        self._counts: dict[str, int] = {}
        self._allowed = notice.Allowance(notice.BURST, notice.PER_SECOND, pulse)
        self._forgotten = pulse()
        # What was looked at last, and whether something in it depends on the time.
        self._known: Mapping[str, Position] = {}
        self._early = True

    def take(self, verdicts: Mapping[Id, Verdict]) -> None:
        """What became of all policies."""
        self._verdicts = verdicts
        self.wake()

    def wake(self) -> None:
        """Something has changed: look again."""
        self._news.set()

    async def follow(self) -> None:
        """Write what is not yet there; never ends."""
        pause = FIRST_PAUSE
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), TICK)
            await asyncio.sleep(SETTLE)
            news = self._news.is_set()
            self._news.clear()
            if not self._election.leading:
                self._stop()
                continue
            try:
                await self._forget()
                if news or self._early or self._known != self._replicas():
                    await self._round()
                pause = FIRST_PAUSE
            except ApiError as error:
                log.warning("status not written", extra={"error": str(error)})
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE)

    def _stop(self) -> None:
        """Others write now: what we remember of our own writing is worth nothing later."""
        self._out.clear()
        self._counts.clear()
        self._refused.clear()
        self._early = True
        self._teller.statuses_waiting(0)

    async def _forget(self) -> None:
        """Now and then, the Leases of the dead. Raises ApiError."""
        if self._pulse() - self._forgotten > FORGET_EVERY:
            self._forgotten = self._pulse()
            await self._presence.forget()

    async def _round(self) -> None:
        """Some of what is to be written. Raises ApiError when it makes no sense to go on."""
        waiting = await self._waiting()
        self._teller.statuses_waiting(len(waiting))
        waiting.sort(key=lambda key: -self._verdicts[key].since)
        for key in waiting[:ROUND]:
            if not self._election.leading:
                return
            began = self._pulse()
            await self._write(key)
            await asyncio.sleep(max(0.0, PACE - (self._pulse() - began)))
        if len(waiting) > ROUND:
            self.wake()

    async def _waiting(self) -> list[Id]:
        """The policies whose status is not what it should be."""
        verdicts = self._verdicts
        self._out &= verdicts.keys()
        found, replicas = [], self._replicas()
        self._known, self._early = replicas, False
        for number, key in enumerate(verdicts):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            if self._wanted(key, replicas) is not None:
                found.append(key)
        return [key for key in found if key in self._verdicts]

    def _replicas(self) -> Mapping[str, Position]:
        """How far the live replicas are; of ourselves we know best."""
        return {**self._leases.replicas(), self._leases.replica: self._policies.compiled}

    def _wanted(self, key: Id, replicas: Mapping[str, Position]) -> tuple[Ready, Json] | None:
        """The status to write; None when it is there, or when it is too early to say."""
        found, stored = self._verdicts.get(key), self._policies.stored.get(key)
        if found is None or stored is None:
            return None
        judged = found.judged
        if (stored.uid, stored.generation) != (judged.uid, judged.generation):
            return None
        if self._leases.deaf or self._held_back(key, found):
            self._early = True
            return None
        ready = verdict.ready(found, stored, replicas)
        if ready.status == "False":
            self._remember(key, stored)
        if ready.reason == verdict.BEHIND and self._pulse() - found.since < PATIENCE:
            self._early = True
            return None
        status = verdict.status(found, stored, ready, _time(self._clock()))
        return None if status is None else (ready, status)

    def _remember(self, key: Id, stored: Stored) -> None:
        """That it is told already that a policy is out of force: its return is news."""
        if stored.condition.get("status") == "False":
            self._out.add(key)

    def _held_back(self, key: Id, found: Verdict) -> bool:
        """Whether the API server has refused this status not long ago."""
        refused, until = self._refused.get(key, (None, 0.0))
        return refused is found and self._pulse() < until

    async def _write(self, key: Id) -> None:
        wanted, stored = self._wanted(key, self._replicas()), self._policies.stored.get(key)
        if wanted is None or stored is None:
            return
        ready, status = wanted
        patch = {"metadata": {"resourceVersion": stored.version}, "status": status}
        try:
            answer = await self._api.write("PATCH", f"{_path(key)}/status", patch)
        except ConflictError:
            self._teller.status_written("conflict")  # the watch brings what is there now
        except ApiError as error:
            if error.code == _NOT_FOUND:
                self._teller.status_written("conflict")
                return
            self._teller.status_written("failure")
            if error.code not in _INVALID:
                raise
            self._refused[key] = (self._verdicts[key], self._pulse() + REFUSED)
            extra = {"policy": str(key), "error": str(error)}
            log.warning("status refused by the API server", extra=extra)
        else:
            self._teller.status_written("success")
            self._policies.saw(key.kind, answer)
            await self._tell(key, stored, ready)

    async def _tell(self, key: Id, before: Stored, ready: Ready) -> None:
        """An Event when a policy has gone out of force, is wrong in another way, or is back."""
        was = before.condition
        self._remember(key, before)
        if ready.status == "False":
            self._out.add(key)
            news = (was.get("status"), was.get("message")) != ("False", ready.message)
        else:
            news = ready.status == "True" and key in self._out
        if ready.status == "True":
            self._out.discard(key)
        if news:
            await self._send(key, before, ready)

    async def _send(self, key: Id, stored: Stored, ready: Ready) -> None:
        if not self._allowed.take():
            self._teller.event_written("left_out")
            return
        event = notice.event(key, stored, ready, self._leases.replica, self._clock())
        name = event["metadata"]["name"]
        count = self._counts[name] = self._counts.get(name, 0) + 1
        try:
            try:
                await self._api.write("POST", notice.path(key), event)
            except ConflictError:
                patch = notice.again(max(count, 2), self._clock())
                await self._api.write("PATCH", notice.path(key, name), patch)
        except ApiError as error:
            self._teller.event_written("failure")
            log.warning("event not written", extra={"policy": str(key), "error": str(error)})
        else:
            self._teller.event_written("success")


def _path(key: Id) -> str:
    top, _, plural = PATHS[key.kind].rpartition("/")
    scope = f"/namespaces/{quote(key.namespace, safe='')}" if key.namespace else ""
    return f"{top}{scope}/{plural}/{quote(key.name, safe='')}"


def _time(at: float) -> str:
    """Unix time as meta/v1 Time."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
