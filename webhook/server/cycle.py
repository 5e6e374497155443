"""One request and its answer below ASGI: fewer writes, no task where nothing waits.

uvicorn's own writes an answer's head and body apart (two TLS records) and makes a task for each
request; together they cost a tenth of a review.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator, Iterable, Sized
from functools import cached_property
from typing import Any, Protocol

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from webhook.server.answer import Application, AtOnce

_START = "http.response.start"
CLOSE = (b"connection", b"close")  # the only value of that header that any application here sends


class Connection(Protocol):
    """What an answer says to its connection."""

    closing: bool  # whether this answer is to be the last

    def finish(self) -> None:
        """Close; the last answer is written."""


class Cycle(RequestResponseCycle):
    """One request and its answer; an answer in one piece leaves in one write.

    Every application here sends headers that it made itself, so they are not searched again for
    line breaks.
    """

    connection: Connection
    held: Any = None
    whole = False  # all of the request was here before the application was asked

    def __init__(
        self,
        scope: Any,
        transport: asyncio.Transport,
        flow: FlowControl,
        logger: logging.Logger,
        default_headers: list[tuple[bytes, bytes]],
        on_response: Callable[..., None],
    ) -> None:
        # As uvicorn's, but for the event and what is never used here.
        self.scope = scope
        self.transport = transport
        self.flow = flow
        self.logger = logger
        self.default_headers = default_headers
        self.on_response = on_response
        self.access_log = self.disconnected = self.waiting_for_100_continue = False
        self.body = bytearray()
        self.keep_alive = self.more_body = True
        self.response_started = self.response_complete = False
        self.chunked_encoding = None
        self.expected_content_length = 0

    @cached_property
    def message_event(self) -> asyncio.Event:  # type: ignore[override]
        """Rings when there is something to receive; made when somebody waits, or would have to."""
        return asyncio.Event()

    async def receive(self) -> Any:
        """The body, at once when it is here: most are, and need not be waited for."""
        if not self.whole or self.disconnected:
            return await super().receive()
        self.whole = False
        return {"type": "http.request", "body": bytes(self.body), "more_body": False}

    async def send(self, message: Any) -> None:
        """Hold back the head until the body comes."""
        held = self.held
        if held is None and not self.response_started and message["type"] == _START:
            self.held = message
            return
        self.held = None
        if self.connection.closing:
            self.keep_alive = False
        if held is None:
            await super().send(message)
        elif message.get("more_body") or self.flow.write_paused or self.disconnected:
            await super().send(held)
            await super().send(message)
        else:
            self._whole(held["status"], held["headers"], message.get("body", b""))

    @property
    def can_be_answered_at_once(self) -> bool:
        """Whether all of the request is here, and nothing hinders writing."""
        return self.whole and not self.disconnected and not self.flow.write_paused

    def answer(self, at_once: AtOnce) -> Application | None:
        """Write the answer to a request all of which is here; an application when that waits."""
        answer = at_once(self.scope, bytes(self.body))
        if not isinstance(answer, tuple):
            return answer
        if self.connection.closing:
            self.keep_alive = False
        self._whole(*answer)
        return None

    def _whole(self, status: int, more: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        self.response_started = self.response_complete = True
        headers = [*self.default_headers, *more]
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append(CLOSE)
        if self.scope["method"] == "HEAD":
            body = b""
        lines = b"\r\n".join(map(b": ".join, headers))
        self.transport.write(b"%b%b\r\n\r\n%b" % (STATUS_LINE[status], lines, body))
        if "message_event" in self.__dict__:
            self.message_event.set()
        if self.keep_alive:
            self.on_response()
        else:
            self.connection.finish()


class Flow(FlowControl):
    """Reads nothing more while requests wait: uvicorn goes on reading after each answer, so that
    a client that sends faster than we answer could fill the memory."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read on, if nothing waits."""
        if not self._waiting:
            super().resume_reading()


def begin(coroutine: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Run a coroutine until it has to wait; what is left of it then is for a task.

    Most reviews never wait, so they need no task (Python 3.12 calls this an eager one). Until it
    waits for the first time, there is no current task: `asyncio.timeout` needs one of its own.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration:
        return None
    return _rest(coroutine, waits_for)


async def _rest(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
    await _Rest(coroutine, waits_for)


class _Rest:
    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = self._coroutine.throw(error)
                else:
                    waits_for = self._coroutine.send(value)
        except StopIteration:
            return


def target(url: bytes) -> tuple[str, bytes]:
    """Path and query of a request's target, which may be absolute or `*`."""
    if url[:1] == b"/":
        path, _, query = url.partition(b"?")
        return path.decode("ascii"), query
    parsed = httptools.parse_url(url)
    return (parsed.path or b"/").decode("ascii"), parsed.query or b""
