"""POST of a review: what `/mutate` and `/validate` share, as a raw ASGI application."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable
from time import perf_counter
from typing import Any

from webhook.errors import ReviewError
from webhook.review import codec, response
from webhook.review.request import Request
from webhook.server.answer import Answer, Application
from webhook.telemetry import Metrics

log = logging.getLogger("webhook.server.post")

JSON = b"application/json"
BUG = (
    "Initject failed on this review because of a bug of its own; the failurePolicy of the "
    "webhook configuration decides what becomes of the object"
)
DEADLINE = 10.0  # the API server's default `timeoutSeconds`
# What Go's time.Duration prints and reads: "10s", "1m30s", "1.5s", "300ms".
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{0,9})?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

_IS_JSON = (b"content-type", JSON)
_IS_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_CLOSE = (b"connection", b"close")


class BusyError(Exception):
    """There is no time to answer this review (503); the text says why."""


class Post(ABC):
    """One review in, one answer out: limits, content types, refusals, counts.

    A subclass says what is answered to a review that can be read.
    """

    def __init__(self, path: str, *, metrics: Metrics, body_bytes: int) -> None:
        self._path = path
        self._metrics = metrics
        self._body_bytes = body_bytes

    @abstractmethod
    def _review(
        self, request: Request, body: bytes | bytearray, scope: Any
    ) -> bytes | Awaitable[bytes]:
        """The answer to a review, or something to wait for that gives it; `body` is what the
        review was read from.

        Raises ReviewError for one that cannot be answered, BusyError; all else is a bug.
        """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        began = perf_counter()
        await self._conclude(self._taken(scope, receive), began, send)

    def at_once(self, scope: Any, body: bytes) -> Answer | Application:
        """The answer to a request all of which is here; where that has to be waited for, an
        application that gives it.

        The same as a call, without the coroutines that one takes.
        """
        began = perf_counter()
        answer = self._refuse(scope) or self._answer(body, scope)
        if not isinstance(answer, tuple):
            return self._later(answer, began)
        self._metrics.answered(answer[0], perf_counter() - began, self._path)
        return answer

    def _later(self, waiting: Awaitable[Answer], began: float) -> Application:
        async def conclude(scope: Any, receive: Any, send: Any) -> None:
            await self._conclude(waiting, began, send)

        return conclude

    async def _conclude(self, waiting: Awaitable[Answer | None], began: float, send: Any) -> None:
        self._metrics.begin(self._path)
        status = 499  # the client went away: nobody is answered, but it is counted
        try:
            answer = await waiting
            if answer is None:
                return
            status, headers, body = answer
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            self._metrics.end(status, perf_counter() - began, self._path)

    def _refuse(self, scope: Any) -> Answer | None:
        """What can be said from the headers alone."""
        if scope["method"] != "POST":
            return _error(405, "only POST is served here", (b"allow", b"POST"))
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"")
        if kind != JSON and kind.partition(b";")[0].strip().lower() != JSON:
            return _error(415, "the content type must be application/json")
        coding = headers.get(b"content-encoding")
        if coding is not None and coding.lower() != b"identity":
            return _error(415, "a compressed body is not read")
        if int(headers.get(b"content-length", 0)) > self._body_bytes:
            return self._too_large()
        return None

    async def _taken(self, scope: Any, receive: Any) -> Answer | None:
        """Take the body, then answer; None when the client has gone."""
        if refusal := self._refuse(scope):
            return refusal
        message = await receive()
        body: bytes | bytearray = message.get("body", b"")
        if message.get("more_body"):
            body = bytearray(body)
            while message.get("more_body") and len(body) <= self._body_bytes:
                message = await receive()
                body += message.get("body", b"")
        if message["type"] != "http.request":
            return None
        answer = self._answer(body, scope)
        return answer if isinstance(answer, tuple) else await answer

    def _too_large(self) -> Answer:
        return _error(413, f"a review has at most {self._body_bytes} bytes", _CLOSE)

    def _answer(self, body: bytes | bytearray, scope: Any) -> Answer | Awaitable[Answer]:
        if len(body) > self._body_bytes:
            return self._too_large()
        self._metrics.received(len(body))
        uid = ""
        try:
            request = codec.decode(body)
            uid = request.uid
            answer = self._review(request, body, scope)
        except Exception as error:
            return self._failed(error, uid)
        return _json(answer) if isinstance(answer, bytes) else self._awaited(answer, uid)

    async def _awaited(self, answer: Awaitable[bytes], uid: str) -> Answer:
        try:
            return _json(await answer)
        except Exception as error:
            return self._failed(error, uid)

    def _failed(self, error: Exception, uid: str) -> Answer:
        if isinstance(error, ReviewError):
            self._metrics.refused(error.field)
            log.info("review refused", extra={"field": error.field, "reason": str(error)})
            return _error(400, str(error))
        if isinstance(error, BusyError):
            log.warning("review not answered", extra={"uid": uid, "reason": str(error)})
            return _error(503, str(error))
        self._metrics.bug()
        log.error("review failed", extra={"uid": uid}, exc_info=error)
        return _error(500, BUG)


def deadline(query: bytes) -> float:
    """The seconds that `?timeout=10s` allows (a Go duration); the default when there is none."""
    for part in query.split(b"&"):
        if part.startswith(b"timeout="):
            text = part[8:].decode("utf-8", "replace").replace("%C2%B5", "µ")
            pieces = _DURATION.findall(text)
            if pieces and "".join(map("".join, pieces)) == text:
                return sum(float(number) * _UNITS[unit] for number, unit in pieces)
    return DEADLINE


def _json(body: bytes) -> Answer:
    return 200, (_IS_JSON, (b"content-length", b"%d" % len(body))), body


def _error(status: int, what: str, *headers: tuple[bytes, bytes]) -> Answer:
    body = response.errored(what)
    return status, (_IS_TEXT, *headers, (b"content-length", b"%d" % len(body))), body
