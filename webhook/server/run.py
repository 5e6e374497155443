"""The composition root: settings, clock, files, certificate and both ports become one server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from uvicorn.config import Config

import webhook
from certs import files as folders
from certs.authority import Authority
from certs.bundle import Bundle, CertificateError
from webhook import chosen
from webhook.errors import UsageError
from webhook.inject.decide import decide
from webhook.server import app, drain
from webhook.server.answer import Application
from webhook.server.limits import Connection, Limits
from webhook.server.mutate import Mutate
from webhook.server.reload import Authored, Certificate, keep_following
from webhook.server.validate import Validate
from webhook.settings import Settings
from webhook.telemetry import Metrics, set_up_logs

if TYPE_CHECKING:
    from webhook.server.objects import Objects
    from webhook.server.own import Own

log = logging.getLogger("webhook.server")

Say = Callable[[str], None]

# Only the CA's certificate: its key and the server's exist in memory alone.
SELF_SIGNED_CA = Path(".local/self-signed/ca.crt")
SELF_SIGNED_NAMES = ("localhost", "127.0.0.1", "::1")
SELF_SIGNED_LIFETIME = timedelta(days=365)
# In seconds: a thread that checks policies leaves the CPU to a review within this time; Python's
# own 5 ms would be its longest part. Measured beside checks without end, a review takes 1.8 ms
# instead of 8.2 (the median; alone 0.5).
SWITCH = 0.0005
ALONE = 1.0  # seconds without any connection after which Ctrl-C has nobody left to wait for


def serve(settings: Settings, *, say: Say) -> int:
    """Serve until a signal; the exit status. `say` prints a line to the person who started us.

    1 when the policies have errors or need what is not there. Raises UsageError when a port, a
    certificate or a file of settings cannot be used.
    """
    set_up_logs(settings.log_level, settings.log_format)
    metrics = Metrics(webhook.__version__)
    authored = _authored(settings, metrics)
    for problem in authored.problems:
        say(str(problem) if problem.severity == "error" else f"{problem} (warning)")
    if authored.errors:
        say(f"initject: not started: {_count(len(authored.errors), 'error')} in the policies")
        return 1
    _raise_file_limit()
    sys.setswitchinterval(SWITCH)
    with contextlib.ExitStack() as stack:
        host = settings.health_host or settings.host
        doors = stack.enter_context(drain.bind(settings.host, settings.port, "--port"))
        side = stack.enter_context(drain.bind(host, settings.health_port, "--health-port"))
        certificate = _certificate(settings, metrics, say)
        server = Server(settings, metrics, authored, certificate, doors, side)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(server.run(say))


class Server:
    """Both ports, and the order in which they start and stop."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        authored: Authored | Objects,
        certificate: Certificate | Own,
        doors: socket.socket,
        side: socket.socket,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._authored = authored
        self._certificate = certificate
        self._not_ready = "starting"
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._limits = _limits(settings)
        validate = Validate(
            chosen.defaults(settings), metrics=metrics, body_bytes=self._limits.body_bytes
        )
        front = app.Front(self._mutate(), validate)
        self._main = self._listener(front, doors, certificate.context)
        health = app.side(lambda: self._not_ready, authored.ages, self._numbers)
        self._side = self._listener(health, side, None)

    async def run(self, say: Say) -> int:
        """Serve until a signal has come and what was asked is answered; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signals.put_nowait, number)
        await self._authored.open()
        await self._certificate.open()
        await self._side.start()
        followers = [
            asyncio.create_task(keep_following(source))
            for source in (self._authored, self._certificate)
        ]
        opening = asyncio.create_task(self._open(say))
        followers.append(opening)
        signalled = asyncio.create_task(self._signals.get())
        await asyncio.wait({opening, signalled}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            opening.result()
        first = await signalled
        opening.cancel()
        stopping = asyncio.create_task(self._stop(first))
        again = asyncio.create_task(self._signals.get())
        await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*followers, stopping, again):
            task.cancel()
        self._main.abort()
        self._side.abort()
        await self._certificate.close()
        await self._authored.close()
        return 0 if stopping.done() and not stopping.cancelled() else 128 + first

    async def _open(self, say: Say) -> None:
        """Answer from the moment that all policies are known: before, each answer were wrong."""
        await self._authored.loaded()
        await self._certificate.loaded()
        await self._main.start()
        self._ready("")
        say(self._greeting())

    async def _stop(self, first: signal.Signals) -> None:
        """Not ready, every answer the last of its connection, then no more connections.

        On SIGTERM the whole time is waited, for new connections come as long as some node has not
        heard that we leave. On SIGINT a person waits: when no client has been there for a second,
        it is over.
        """
        self._ready("draining")
        log.info("draining", extra={"signal": first.name, "seconds": self._settings.drain_seconds})
        self._main.drain()
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.drain_seconds
        alone = loop.time()
        while loop.time() < end:
            if self._main.connections:
                alone = loop.time()
            if first is signal.SIGINT and loop.time() - alone > ALONE:
                break
            await asyncio.sleep(0.05)
        await self._main.stop(self._settings.grace_seconds)
        log.info("stopped")

    def _ready(self, not_ready: str) -> None:
        self._not_ready = not_ready
        self._metrics.ready(yes=not not_ready)

    def _mutate(self) -> Mutate:
        return Mutate(
            decide,
            self._authored.policies,
            self._authored.namespaces,
            chosen.options(self._settings),
            metrics=self._metrics,
            body_bytes=self._limits.body_bytes,
            source=self._authored.source,
        )

    def _listener(
        self, application: Application, sock: socket.socket, tls: ssl.SSLContext | None
    ) -> drain.Listener:
        config = Config(
            application, log_config=None, lifespan="off", ws="none", proxy_headers=False
        )
        config.load()
        limits = self._limits
        return drain.Listener(
            sock,
            lambda state, loop: Connection(config, state, limits, loop, _closed),
            tls=tls,
            handshake=limits.handshake,
            flush=limits.flush,
        )

    def _numbers(self) -> tuple[str, bytes]:
        body, kind = self._metrics.render()
        return kind, body

    def _greeting(self) -> str:
        policies = _count(len(self._authored.policies.get().policies), "policy", "policies")
        return (
            f"initject: ready on {_url('https', self._main.address)} "
            f"({policies}, inject {self._settings.inject}, "
            f"health on {_url('http', self._side.address)})"
        )


def _authored(settings: Settings, metrics: Metrics) -> Authored | Objects:
    if settings.source == "files":
        return Authored(settings, metrics, time.time)
    from webhook.server.objects import Objects  # brings the Kubernetes client, half a second

    return Objects(settings, metrics, time.time)


def _limits(settings: Settings) -> Limits:
    return Limits(
        body_bytes=settings.max_body_bytes,
        header_bytes=settings.max_header_bytes,
        handshake=settings.handshake_seconds,
        header=settings.header_seconds,
        body=settings.body_seconds,
        idle=settings.idle_seconds,
    )


def _certificate(settings: Settings, metrics: Metrics, say: Say) -> Certificate | Own:
    if settings.certificate_secret:
        from webhook.server.own import Own  # brings the Kubernetes client, half a second

        return Own(settings, metrics, time.time)
    folder = Path(settings.cert_dir) if settings.cert_dir else None
    try:
        bundle = folders.read(folder) if folder else _self_signed(settings.host, say)
    except CertificateError as error:
        raise UsageError(str(error)) from error
    return Certificate(
        bundle,
        metrics,
        time.time,
        folder=folder,
        client_ca=Path(settings.client_ca) if settings.client_ca else None,
        poll=settings.certificate_seconds,
    )


def _self_signed(host: str, say: Say) -> Bundle:
    """A pair for this machine by a CA that is forgotten at once; its certificate is left behind."""
    now = datetime.now(UTC)
    authority = Authority.create(now, name="initject self-signed", lifetime=SELF_SIGNED_LIFETIME)
    names = [*SELF_SIGNED_NAMES, *filter(None, [host])]
    bundle = authority.issue(names, now, SELF_SIGNED_LIFETIME)
    try:
        SELF_SIGNED_CA.parent.mkdir(parents=True, exist_ok=True)
        SELF_SIGNED_CA.write_bytes(bundle.ca)
    except OSError as error:
        say(f"initject: {SELF_SIGNED_CA} cannot be written: {error.strerror}; nobody can trust us")
    else:
        say(f"initject: self-signed, until it stops; clients trust it by {SELF_SIGNED_CA}")
    return bundle


def _raise_file_limit() -> None:
    """Each connection is an open file: take what the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _closed(reason: str) -> None:
    log.debug("connection closed", extra={"reason": reason})


def _url(scheme: str, address: tuple[str, int]) -> str:
    host, port = address
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
