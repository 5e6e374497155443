"""All replicas together: each says how far it is, one of them writes what that comes to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from webhook.cluster.api import Api, ApiError
from webhook.cluster.election import Election
from webhook.cluster.lease import Leases
from webhook.cluster.policies import State, Watched
from webhook.cluster.presence import Presence
from webhook.cluster.reflector import Watcher
from webhook.cluster.report import Report, Teller
from webhook.cluster.verdict import Position

log = logging.getLogger("webhook.cluster")

# Seconds for leaving: whoever does not manage to is found gone soon enough. A guess.
LEAVING = 2.0


class Audience(Watcher, Teller, Protocol):
    """Who wants to know how it goes: telemetry."""

    def leading(self, leading: bool) -> None:
        """Whether we lead."""

    def replicas_heard(self, count: int) -> None:
        """So many replicas are alive, ourselves included."""


class Part(Protocol):
    """What runs as long as we serve."""

    async def follow(self) -> None:
        """Never ends."""


class Team:
    """Our part in it; to be followed from the moment that policies are in force here."""

    def __init__(
        self,
        api: Api,
        audience: Audience,
        policies: Watched,
        *,
        lease: str,
        replica: str,
        namespace: str,
        clock: Callable[[], float],
        pulse: Callable[[], float],
    ) -> None:
        self._audience = audience
        self._replicas: Mapping[str, Position] = {}
        self._leases = Leases(lease, replica, pulse)
        self._presence = Presence(
            api,
            audience,
            self._leases,
            namespace,
            compiled=lambda: policies.compiled,
            heard=self._heard,
            clock=clock,
            pulse=pulse,
        )
        self._election = Election(
            api, self._leases, namespace, changed=self._changed, clock=clock, pulse=pulse
        )
        self._report = Report(
            api, policies, self._presence, self._election, audience, clock=clock, pulse=pulse
        )
        self.parts: Sequence[Part] = (
            self._presence.reflector,
            self._presence,
            self._election,
            self._report,
        )

    def take(self, state: State) -> None:
        """Something new is in force here."""
        self._presence.announce()
        self._report.take(state.verdicts)

    def wake(self) -> None:
        """Objects were read: their statuses may be other ones."""
        self._report.wake()

    async def leave(self) -> None:
        """Say that we go, in a bounded time, and whatever happens."""
        for farewell in (self._election.leave, self._presence.leave):
            try:
                async with asyncio.timeout(LEAVING):
                    await farewell()
            except (ApiError, TimeoutError) as error:
                log.warning("lease not given back", extra={"error": str(error)})

    def _heard(self) -> None:
        replicas = self._leases.replicas()
        self._audience.replicas_heard(len(replicas))
        self._election.heard()
        if replicas != self._replicas:  # most of the time it is a mere sign of life
            self._replicas = replicas
            self._report.wake()

    def _changed(self, leading: bool) -> None:
        self._audience.leading(leading)
        self._report.wake()
