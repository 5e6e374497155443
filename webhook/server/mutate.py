"""`POST /mutate`: one review in, one answer out, as a raw ASGI application."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from webhook.errors import ReviewError
from webhook.inject.decision import Decision, Options
from webhook.policy.namespace import Namespace
from webhook.review import codec, response
from webhook.review.request import Request
from webhook.server import record
from webhook.telemetry import Metrics

if TYPE_CHECKING:
    from webhook.policy.index import PolicySet

log = logging.getLogger("webhook.server.mutate")

JSON = b"application/json"
BUG = (
    "Initject failed on this review because of a bug of its own; the failurePolicy of the "
    "webhook configuration decides what becomes of the object"
)
DEADLINE = 10.0  # the API server's default `timeoutSeconds`
MARGIN = 0.9  # of the deadline for reading a namespace; the rest is for deciding and answering
# What Go's time.Duration prints and reads: "10s", "1m30s", "1.5s", "300ms".
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{0,9})?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

Headers = tuple[tuple[bytes, bytes], ...]
Answer = tuple[int, Headers, bytes]

_IS_JSON = (b"content-type", JSON)
_IS_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_CLOSE = (b"connection", b"close")


class Decide(Protocol):
    """`webhook.inject.decide.decide`, or a stand-in."""

    def __call__(
        self,
        request: Request,
        policies: PolicySet,
        namespace: Namespace | None,
        options: Options,
    ) -> Decision:
        """The decision about one request."""


class Policies(Protocol):
    """The policies in force: `webhook.store.policies`, or a stand-in."""

    def get(self) -> PolicySet:
        """The set in force now."""


class Namespaces(Protocol):
    """The namespaces that are known now: `webhook.store.namespaces`, or a stand-in."""

    def get(self, name: str) -> Namespace | None:
        """What is known of a namespace, without waiting."""


class Source(Protocol):
    """Where a namespace that is not known yet can be asked for: a cluster, where there is one."""

    async def read(self, name: str) -> Namespace | None:
        """The namespace, or None when there is none; may take as long as it likes."""


class Mutate:
    """The ASGI application. Everything that it needs comes in here."""

    def __init__(
        self,
        decide: Decide,
        policies: Policies,
        namespaces: Namespaces,
        options: Options,
        *,
        metrics: Metrics,
        body_bytes: int,
        source: Source | None = None,
    ) -> None:
        self._decide = decide
        self._policies = policies
        self._namespaces = namespaces
        self._options = options
        self._metrics = metrics
        self._body_bytes = body_bytes
        self._source = source
        self._all_need_labels = options.inject == "opt-in"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        began = time.perf_counter()
        self._metrics.begin()
        status = 499  # the client went away: nobody is answered, but it is counted
        try:
            answer = self._refuse(scope) or await self._read(scope, receive)
            if answer is None:
                return
            status, headers, body = answer
            length = (b"content-length", b"%d" % len(body))
            await send(
                {"type": "http.response.start", "status": status, "headers": [*headers, length]}
            )
            await send({"type": "http.response.body", "body": body})
        finally:
            self._metrics.end(status, time.perf_counter() - began)

    def _refuse(self, scope: Any) -> Answer | None:
        """What can be said from the headers alone."""
        if scope["method"] != "POST":
            return _error(405, "only POST is served here", (b"allow", b"POST"))
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"")
        if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
            return _error(415, "the content type must be application/json")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return _error(415, "a compressed body is not read")
        if int(headers.get(b"content-length", 0)) > self._body_bytes:
            return self._too_large()
        return None

    async def _read(self, scope: Any, receive: Any) -> Answer | None:
        """Take the body, then decide; None when the client has gone."""
        message = await receive()
        body: bytes | bytearray = message.get("body", b"")
        if message.get("more_body"):
            body = bytearray(body)
            while message.get("more_body") and len(body) <= self._body_bytes:
                message = await receive()
                body += message.get("body", b"")
        if message["type"] != "http.request":
            return None
        if len(body) > self._body_bytes:
            return self._too_large()
        self._metrics.received(len(body))
        return await self._answer(body, scope)

    def _too_large(self) -> Answer:
        return _error(413, f"a review has at most {self._body_bytes} bytes", _CLOSE)

    async def _answer(self, body: bytes | bytearray, scope: Any) -> Answer:
        try:
            request = codec.decode(body)
        except ReviewError as error:
            self._metrics.refused(error.field)
            log.info("review refused", extra={"field": error.field, "reason": str(error)})
            return _error(400, str(error))
        try:
            policies = self._policies.get()
            namespace = self._namespaces.get(request.namespace)
            needed = self._all_need_labels or policies.needs_namespace
            if namespace is None and self._source is not None and needed:
                reading = self._ask(self._source, request, scope)
                namespace = await asyncio.create_task(reading)  # time-outs exist in tasks only
            decision = self._decide(request, policies, namespace, self._options)
            answer = _encode(request.uid, decision)
            record.record(self._metrics, request, decision)
        except Exception:
            self._metrics.bug()
            log.exception("review failed", extra={"uid": request.uid})
            return _error(500, BUG)
        return 200, (_IS_JSON,), answer

    async def _ask(self, source: Source, request: Request, scope: Any) -> Namespace | None:
        """One read of a namespace, within the request's deadline; None when it fails."""
        seconds = deadline(scope["query_string"]) * MARGIN
        try:
            async with asyncio.timeout(seconds):
                return await source.read(request.namespace)
        except Exception as error:  # whatever it is, the policies' `onError` is the answer to it
            why = type(error).__name__
            log.warning("namespace not read", extra={"namespace": request.namespace, "error": why})
            return None


def deadline(query: bytes) -> float:
    """The seconds that `?timeout=10s` allows (a Go duration); the default when there is none."""
    for part in query.split(b"&"):
        if part.startswith(b"timeout="):
            text = part[8:].decode("utf-8", "replace").replace("%C2%B5", "µ")
            pieces = _DURATION.findall(text)
            if pieces and "".join(map("".join, pieces)) == text:
                return sum(float(number) * _UNITS[unit] for number, unit in pieces)
    return DEADLINE


def _encode(uid: str, decision: Decision) -> bytes:
    notes: Mapping[str, Any] = {"warnings": decision.warnings, "audit": decision.audit}
    if not decision.allowed:
        return response.denied(uid, decision.message, **notes)
    if decision.patch:
        return response.patched(uid, decision.patch, **notes)
    return response.allowed(uid, **notes)


def _error(status: int, what: str, *headers: tuple[bytes, bytes]) -> Answer:
    return status, (_IS_TEXT, *headers), response.errored(what)
