"""Our own authority: keys in a Secret, trusted by the API server, and the leaf in the live context.

Every replica does the same, and none is elected: the Secret takes one writer at a time, and a
configuration is repaired only from the state in which it was read. While the API server is away,
what is in force stays. Brings the Kubernetes client: imported only where it is used.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import lifetime
from certs.bundle import Bundle
from certs.lifetime import Keys, Step, Terms
from certs.rotator import Rotator, Spread, Turn
from webhook.cluster.api import Api, ApiError
from webhook.cluster.keys import Secret
from webhook.cluster.registration import Configuration, Registration
from webhook.server.reload import Certificate, Clock, keep_following
from webhook.settings import Settings
from webhook.telemetry import Metrics

log = logging.getLogger("webhook.certificates")

# Between two turns that wrote something or failed: doubled from the first to the last, so that a
# fight with somebody who writes other things is a slow one. Guesses: healed within seconds.
FIRST_GAP, LAST_GAP = 0.1, 5.0
LOOK = 3600.0  # seconds after which it is looked again without news; a guess
DAY = timedelta(days=1)


class Own:
    """The certificate of an authority of our own, as long as this is followed."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._api = Api(settings.kubeconfig)
        self._certificate = Certificate(
            None,
            metrics,
            clock,
            folder=None,
            client_ca=Path(settings.client_ca) if settings.client_ca else None,
            poll=settings.certificate_seconds,
        )
        self.context: ssl.SSLContext = self._certificate.context
        self._bell = asyncio.Event()
        secret, namespace = settings.certificate_secret or "", settings.own_namespace
        self._secret = Secret(self._api, self, namespace, secret, self._bell.set)
        self._registration = Registration(
            self._api, self, settings.webhook_configuration, self._bell.set
        )
        self._terms = terms(settings)
        self._rotator = Rotator(self._secret, self._terms, self._now)
        self._spread = Spread(settings.propagation_seconds)
        self._leaf: Bundle | None = None
        self._trusted = asyncio.Event()
        self._problem = ""

    async def open(self) -> None:
        """Raises UsageError when there are no credentials for the API server."""
        await self._api.open()

    async def loaded(self) -> None:
        """Returns when we serve a leaf that the API server trusts, or has not been told of us."""
        await self._trusted.wait()

    async def close(self) -> None:
        """Leave the API server."""
        await self._api.close()

    async def follow(self) -> None:
        """Do what is due whenever something has changed or the time has come; never ends."""
        async with asyncio.TaskGroup() as group:
            for part in (self._secret.reflector, *self._registration.reflectors):
                group.create_task(keep_following(part))
            await self._turns()

    async def _turns(self) -> None:
        """One turn after the other; a bell or the time begins the next."""
        gap = FIRST_GAP
        while True:
            self._bell.clear()
            try:
                calm, pause = await self._turn()
            except ApiError as error:
                self._say(str(error))
                calm, pause = False, LAST_GAP
            else:
                self._say("")
            gap = FIRST_GAP if calm else min(2 * gap, LAST_GAP)
            try:
                async with asyncio.timeout(pause * random.uniform(1, 1.1)):  # noqa: S311
                    await self._bell.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(gap * random.uniform(0.5, 1))  # noqa: S311  # no secret

    async def _turn(self) -> tuple[bool, float]:
        """Whether all was well, and after how many seconds to look again.

        First what is registered is read, then the Secret: so a configuration that we repair, and
        that nobody has touched meanwhile, is never newer than what we know.
        """
        seen = await self._registration.read()
        turn = await self._rotator.turn(self._leaf, lambda ca: self._spread_over(seen, ca))
        self._tell(turn)
        leaf = turn.keys.leaf
        assert leaf is not None  # a turn's promise
        if self._leaf is None or self._leaf.certificate != leaf.certificate:
            self._certificate.take(leaf)
        self._leaf = leaf
        repaired = [await self._repair(one, leaf.ca) for one in seen]
        if _trusts(seen, turn.keys):
            self._trusted.set()
        calm = turn.step is Step.NOTHING and not any(repaired)
        pause = self._pause(turn.keys)
        return calm, pause if calm else min(pause, LAST_GAP)

    def _spread_over(self, seen: Sequence[Configuration], ca: x509.Certificate) -> bool:
        """Whether every API server must have heard of a CA by now."""
        text = _pem(ca)
        trusted = all(hook.trusts(text) for one in seen for hook in one.hooks)
        state = (text, *((one.uid, one.generation) for one in seen))
        return self._spread.over(state, trusted=trusted, now=_counter())

    def _pause(self, keys: Keys) -> float:
        due = lifetime.until(keys, self._terms, self._now()).total_seconds()
        if keys.successor is not None:
            due = min(due, self._spread.left(_counter()))
        return min(max(due, 1.0), LOOK)

    async def _repair(self, seen: Configuration, bundle: bytes) -> bool:
        reasons = await self._registration.repair(seen, bundle)
        for reason in reasons:
            self._metrics.ca_bundle_repaired(seen.plural, reason)
        if reasons:
            log.info("caBundle repaired", extra={"configuration": seen.path, "was": reasons[0]})
        return any(hook.ill(bundle) for hook in seen.hooks)

    def _tell(self, turn: Turn) -> None:
        if turn.faults:
            self._certificate.failed("; ".join(turn.faults))
        if turn.step is not Step.NOTHING:
            self._metrics.keys_changed(turn.step.value)
            log.info("keys changed", extra={"step": turn.step.value})
        self._metrics.authorities({_name(ca): _expiry(ca) for ca in turn.keys.trusted})

    def _say(self, problem: str) -> None:
        """What keeps us from looking after keys and registration, once."""
        if problem:
            self._metrics.source_failed("certificates")
        if problem and problem != self._problem:
            extra = {"problem": problem}
            log.error("certificates not looked after; what is in force stays", extra=extra)
        if self._problem and not problem:
            log.info("certificates looked after again")
        self._problem = problem

    def _now(self) -> datetime:
        """By the clock of who judges our certificates."""
        return datetime.fromtimestamp(self._api.now(), UTC)

    def source_heard(self, source: str) -> None:
        """The API server has told something of a collection."""
        self._metrics.source_heard(source, self._clock())

    def source_failed(self, source: str) -> None:
        """It could not be asked."""
        self._metrics.source_failed(source)


def terms(settings: Settings) -> Terms:
    """What is to be issued: for every name by which a Service is reached."""
    service, namespace = settings.service, settings.own_namespace
    short = f"{service}.{namespace}.svc"
    names = (short, f"{short}.cluster.local", f"{service}.{namespace}", service)
    return Terms(names, settings.leaf_days * DAY, settings.ca_days * DAY)


def _trusts(seen: Sequence[Configuration], keys: Keys) -> bool:
    """Whether each webhook trusts who signed our leaf; true when there is none."""
    signers = [_pem(one) for one in lifetime.signers(keys)]
    hooks = [hook for one in seen for hook in one.hooks]
    return all(any(hook.trusts(one) for one in signers) for hook in hooks)


def _counter() -> float:
    """Seconds on a clock that never jumps."""
    return asyncio.get_running_loop().time()


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _name(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:x}"[:16]


def _expiry(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()
