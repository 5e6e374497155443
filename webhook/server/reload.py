"""What can change while we serve: policies with namespaces, and the certificate.

Each is read once at start, where a fault is the end, and then followed: there a fault keeps what
was in force, and is logged and counted.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from certs import watch as certificates
from certs.bundle import Bundle, CertificateError
from webhook import chosen
from webhook.document.problem import Problem
from webhook.errors import UsageError
from webhook.policy import load
from webhook.policy.load import Loaded
from webhook.server import tls
from webhook.settings import Settings
from webhook.store import files, watch
from webhook.store.files import Sources
from webhook.store.namespaces import Namespaces
from webhook.store.policies import Policies
from webhook.telemetry import Metrics

log = logging.getLogger("webhook.reload")

Clock = Callable[[], float]  # seconds since 1970
RESTART = 5.0  # seconds after which something that died is started again; a guess
SHOWN = 20  # problems in a log line; a guess

UNKNOWN_LABELS = (
    "a Namespace object is needed, since {why}, and there is none; add Namespace objects to the "
    "policies or name them by --namespaces PATH"
)


class Authored:
    """Policies and namespaces from files."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._defaults = chosen.defaults(settings)
        self._paths = (*settings.policies, *settings.namespaces)
        self._sources = files.read(self._paths)
        self.namespaces = Namespaces()
        self.source = None  # nobody can be asked for a namespace that no file holds
        loaded, self.problems = self._load(self._sources)
        self.policies = Policies(loaded.policies)
        if not self.errors:
            self._take(loaded)

    @property
    def errors(self) -> list[Problem]:
        """What kept the first reading out of force; the process must not serve then."""
        return _errors(self.problems)

    def ages(self) -> Mapping[str, float]:
        """Nothing: files are looked at all the time."""
        return {}

    async def open(self) -> None:
        """Nothing: what there is was read already."""

    async def loaded(self) -> None:
        """Nothing, as above."""

    async def close(self) -> None:
        """Nothing: no file is kept open."""

    async def follow(self) -> None:
        """Take every good change of the files into force; never ends."""
        interval = self._settings.reload_seconds
        async for sources in watch.watch(self._paths, self._sources, interval=interval):
            self._sources = sources
            loaded, self.problems = await asyncio.to_thread(self._load, sources)
            self._judge(loaded)

    def _judge(self, loaded: Loaded) -> None:
        if self.errors:
            self._count()
            shown = [str(problem) for problem in self.problems[:SHOWN]]
            log.error("policies not taken over; the last good ones stay", extra={"problems": shown})
            return
        self._take(loaded)
        log.info(
            "policies taken over",
            extra={"policies": len(loaded.policies.policies), "problems": len(self.problems)},
        )

    def _load(self, sources: Sources) -> tuple[Loaded, Sequence[Problem]]:
        loaded = load.load(sources.texts, self._defaults)
        problems = sorted({*sources.problems, *loaded.problems, *self._unknown(loaded)})
        return loaded, problems

    def _unknown(self, loaded: Loaded) -> list[Problem]:
        """In a cluster labels can be asked for; from files they must be there."""
        if loaded.namespaces is not None:
            return []
        needing = next((p.key for p in loaded.policies.policies if p.needs_namespace), "")
        if self._settings.inject == "opt-in":
            why = "--inject opt-in looks at the labels of namespaces"
        elif needing:
            why = f"policy {needing} looks at the labels of namespaces"
        else:
            return []
        what, _, advice = UNKNOWN_LABELS.format(why=why).partition("; ")
        return [Problem(self._paths[0], 0, 0, "", what, advice)]

    def _take(self, loaded: Loaded) -> None:
        self.policies.replace(loaded.policies)
        self.namespaces.replace(loaded.namespaces)
        self._metrics.policies_in_force([policy.key for policy in loaded.policies.policies])
        self._metrics.namespaces_known(len(self.namespaces))
        self._count()
        # What stays until the next change need not be looked through by every full collection.
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def _count(self) -> None:
        errors = len(self.errors)
        warnings = len(self.problems) - errors
        self._metrics.source_read("policies", self._clock(), errors=errors, warnings=warnings)


class Certificate:
    """The certificate of a folder, or one that was made at start, in a live TLS context.

    Without a folder it stays until another is taken over.
    """

    def __init__(
        self,
        bundle: Bundle | None,
        metrics: Metrics,
        clock: Clock,
        *,
        folder: Path | None,
        client_ca: Path | None,
        poll: float,
    ) -> None:
        self.context: ssl.SSLContext = tls.context(bundle, client_ca)
        self._metrics = metrics
        self._clock = clock
        self._folder = folder
        self._poll = poll
        self._bundle = bundle
        if bundle is not None:
            self._said(bundle)

    async def open(self) -> None:
        """Nothing: what there is was read already."""

    async def loaded(self) -> None:
        """Nothing, as above."""

    async def close(self) -> None:
        """Nothing: no file is kept open."""

    async def follow(self) -> None:
        """Serve every good change of the folder; never ends, unless there is no folder."""
        if self._folder is None:
            return
        news = certificates.watch(self._folder, self._bundle, poll=self._poll)
        async for found in news:
            if isinstance(found, CertificateError):
                self.failed(str(found))
            else:
                self.take(found)

    def take(self, found: Bundle) -> None:
        """Serve it from now on; what cannot be served is told, and the last one stays."""
        try:
            tls.replace(self.context, found)
        except UsageError as error:
            self.failed(str(error))
            return
        self._bundle = found
        self._said(found)
        until = found.not_after.isoformat()
        log.info("certificate taken over", extra={"until": until, "names": found.names})

    def failed(self, problem: str) -> None:
        """What was found is of no use."""
        self._metrics.certificate_read(None)
        self._metrics.source_read("certificate", self._clock(), errors=1, warnings=0)
        log.error("certificate not taken over; the last one stays", extra={"problem": problem})

    def _said(self, bundle: Bundle) -> None:
        now = self._clock()
        complaints = bundle.complaints(datetime.fromtimestamp(now, UTC))
        self._metrics.certificate_read(bundle.not_after.timestamp())
        self._metrics.source_read("certificate", now, errors=0, warnings=len(complaints))
        for complaint in complaints:
            log.warning("clients will refuse the certificate", extra={"problem": complaint})


class Follower(Protocol):
    """What can be followed."""

    async def follow(self) -> None:
        """Runs until it is cancelled, or has nothing to follow."""


async def keep_following(follower: Follower) -> None:
    """Follow, and start again after a bug: a dead watch would serve an old state for ever."""
    while True:
        try:
            await follower.follow()
        except Exception:
            log.exception("following failed", extra={"source": type(follower).__name__})
            await asyncio.sleep(RESTART)
        else:
            return


def _errors(problems: Sequence[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]
