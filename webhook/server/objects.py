"""Policies and namespaces as objects of the API server: the source of `serve --source cluster`.

Brings the Kubernetes client: imported only where it is used.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Mapping, Sequence

from webhook import chosen
from webhook.cluster.api import Api
from webhook.cluster.namespaces import Watched as Namespaces
from webhook.cluster.policies import State
from webhook.cluster.policies import Watched as Policies
from webhook.cluster.team import Team
from webhook.document.problem import Problem
from webhook.errors import UsageError
from webhook.server.reload import Clock, Follower, keep_following
from webhook.settings import Settings
from webhook.telemetry import Metrics

log = logging.getLogger("webhook.reload")


class Objects:
    """What the cluster holds, as long as this is followed."""

    # What is wrong with one object is told when it is met, and keeps nobody from serving.
    problems: Sequence[Problem] = ()
    errors: Sequence[Problem] = ()

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        clock: Clock,
        pulse: Clock = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._pulse = pulse
        self._heard: dict[str, float] = {}
        self._api = Api(settings.kubeconfig)
        self._policies = Policies(
            self._api, self, self._take, self._seen, defaults=chosen.defaults(settings)
        )
        self._team = self._join(settings, pulse) if settings.replica else None
        self.source = Namespaces(self._api, self, self._count)
        self.policies = self._policies.cell
        self.namespaces = self.source.cell

    def ages(self) -> Mapping[str, float]:
        """How many seconds ago each collection was heard, by a clock that cannot be set."""
        now = self._pulse()
        return {source: now - heard for source, heard in self._heard.items()}

    async def open(self) -> None:
        """Raises UsageError when there are no credentials for the API server."""
        await self._api.open()

    async def loaded(self) -> None:
        """Returns when all that there is has been read once, however long that takes."""
        await self._policies.built.wait()
        await self.source.reflector.listed.wait()
        gc.collect()
        gc.freeze()  # most of it stays: no full collection need look through it

    async def follow(self) -> None:
        """Stay up to date; never ends."""
        async with asyncio.TaskGroup() as group:
            parts: list[Follower] = [self._policies, *self._policies.reflectors.values()]
            for part in (*parts, self.source.reflector):
                group.create_task(keep_following(part))
            await self._policies.built.wait()
            for one in self._team.parts if self._team else ():
                group.create_task(keep_following(one))

    async def close(self) -> None:
        """Leave the others, and the API server."""
        if self._team is not None:
            await self._team.leave()
        await self._api.close()

    def source_heard(self, source: str) -> None:
        """The API server has told something of a collection."""
        self._heard[source] = self._pulse()
        self._metrics.source_heard(source, self._clock())

    def source_failed(self, source: str) -> None:
        """It could not be asked."""
        self._metrics.source_failed(source)

    def leading(self, leading: bool) -> None:
        """Whether we lead."""
        self._metrics.leading(yes=leading)

    def replicas_heard(self, count: int) -> None:
        """So many replicas are alive."""
        self._metrics.replicas_heard(count)

    def status_written(self, result: str) -> None:
        """A status was written, or not."""
        self._metrics.status_written(result)

    def event_written(self, result: str) -> None:
        """An Event was written, or not."""
        self._metrics.event_written(result)

    def statuses_waiting(self, count: int) -> None:
        """So many statuses are to be written."""
        self._metrics.statuses_waiting(count)

    def _join(self, settings: Settings, pulse: Clock) -> Team:
        if not settings.own_namespace:
            message = "--replica: needs the namespace that this runs in; set --own-namespace"
            raise UsageError(message)
        self._metrics.leading(yes=False)
        return Team(
            self._api,
            self,
            self._policies,
            lease=settings.lease,
            replica=settings.replica,
            namespace=settings.own_namespace,
            clock=self._clock,
            pulse=pulse,
        )

    def _seen(self) -> None:
        if self._team is not None:
            self._team.wake()

    def _count(self) -> None:
        self._metrics.namespaces_known(len(self.namespaces))

    def _take(self, state: State) -> None:
        policies = state.policies.policies
        self._metrics.policies_in_force([policy.key for policy in policies])
        for kind, count in state.out_of_force.items():
            self._metrics.policies_out_of_force(kind, count)
        self._metrics.source_read("policies", self._clock(), errors=0, warnings=0)
        problems = sum(state.out_of_force.values())
        log.info("policies taken over", extra={"policies": len(policies), "problems": problems})
        if self._team is not None:
            self._team.take(state)
