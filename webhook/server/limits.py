"""What one connection may cost: sizes and times, enforced below ASGI.

uvicorn's httptools protocol bounds neither headers nor slow senders nor pipelined requests; this
subclass does.
"""

from __future__ import annotations

import asyncio
import math
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from webhook.server.answer import AtOnce
from webhook.server.cycle import Cycle, Flow, begin, target

OBJECT_BYTES = 3 * 1024 * 1024  # the API server's own limit of a request (MaxRequestBodyBytes)
ENVELOPE_BYTES = 1024 * 1024  # what stands around the objects in a review: always far less
BODY_BYTES = 2 * OBJECT_BYTES + ENVELOPE_BYTES  # a review holds `object` and `oldObject`


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. The times are guesses, but for those with a source."""

    body_bytes: int = BODY_BYTES
    header_bytes: int = 64 * 1024  # the API server sends less than 1 KiB
    handshake: float = 10.0  # the API server gives up a TLS handshake after 10 s, too
    header: float = 10.0
    body: float = 30.0  # no webhook may have a longer `timeoutSeconds`: nobody waits any more
    idle: float = 120.0  # the API server keeps idle connections for 90 s: it must be the first
    linger: float = 2.0  # after a refusal: time for the client to see it before the line is cut
    flush: float = 5.0  # after closing: time for the last bytes to leave
    pipelined: int = 64  # requests that wait for the one before them; the API server sends none


class _TooLargeError(Exception):
    """The header is over its limit."""


class _TooManyError(Exception):
    """More requests wait than may."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with our limits.

    `deadline` is the loop's time after which `expire` closes the connection; a periodic look at all
    connections is cheaper than a timer for each request. `closed` hears why we close one.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        closed: Callable[[str], None],
    ) -> None:
        super().__init__(config, server_state, {}, loop)
        self.limits = limits
        self.most = limits.header_bytes
        self.closed = closed
        self.at_once: AtOnce | None = getattr(self.app, "at_once", None)
        self.now = loop.time
        self.deadline = self.now() + limits.idle
        self.blocked = math.inf  # the deadline of a client that does not read
        self.closing = False  # the next answer is the last
        self.deaf = False  # what still comes in is thrown away
        self.unstarted: Cycle | None = None  # waits for the end of what the parser is fed with
        self.in_header = False
        self.receiving = False  # a message has begun and not ended
        self.chunk = 0
        self.received = 0
        self.size = 0
        self.constant: Any = {}  # of every scope
        self.latest = b"", "", b""  # the last one, with its path and query: most ask for the same

    # what the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection, its TLS handshake done."""
        super().connection_made(transport)
        self.flow = Flow(transport, self.pipeline)
        self.constant = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "root_path": "",
        }

    def connection_lost(self, exc: Exception | None) -> None:
        """The end. The last request and its connection know each other: apart, both are freed now,
        and 70 KB that TLS holds (measured), not at the next full collection."""
        super().connection_lost(exc)
        self.cycle = self.unstarted = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse what it refuses."""
        if self.deaf:
            return
        self.chunk = len(data)
        if self.in_header:
            self.received += self.chunk
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade()
        except httptools.HttpParserError as error:
            too_large = isinstance(error.__context__, _TooLargeError)
            self.refuse(431 if too_large else 400)
        else:
            if self.in_header and self.received > self.limits.header_bytes:
                self.refuse(431)
        cycle, self.unstarted = self.unstarted, None
        if cycle is not None:
            self._start(cycle)

    def _start(self, cycle: Cycle) -> None:
        """Run the application: at once when all of the request is here, else beside the reading."""
        if cycle.more_body:
            self._start_asgi_task(cycle, self.app)
            return
        application = self.app
        if self.at_once is not None and cycle.can_be_answered_at_once:
            application = cycle.answer(self.at_once)
            if application is None:
                return
        rest = begin(cycle.run_asgi(application))
        if rest is not None:
            task = self.loop.create_task(rest)
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    def expire(self, now: float) -> None:
        """Close the connection when it is past its deadline, cut it when it does not go."""
        if now <= self.deadline and now <= self.blocked:
            return
        if self.transport.is_closing():
            self.transport.abort()
            return
        self.closed(self._late(now))
        self.close()

    def _late(self, now: float) -> str:
        if now > self.blocked:
            return "slow_reader"
        if self.receiving:
            return "slow_header" if self.in_header else "slow_body"
        return "idle"

    def close(self) -> None:
        """Close, after what was written has left."""
        self.deaf = True
        self.deadline = self.now() + self.limits.flush
        self.transport.close()

    def pause_writing(self) -> None:
        """Answers pile up: the client has as long to read them as it has to send a body."""
        self.blocked = self.now() + self.limits.body
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read."""
        self.blocked = math.inf
        super().resume_writing()

    def finish(self) -> None:
        """Close after the last answer.

        While the client is still sending, closing would reset the connection and could take the
        answer with it: then only stop listening, for a moment.
        """
        self.pipeline.clear()
        if self.receiving or self.deaf:
            self.deaf = True
            self.deadline = self.now() + self.limits.linger
            self.loop.call_later(self.limits.linger, self.close)
            self.flow.resume_reading()
        else:
            self.close()

    def idle(self, now: float) -> float:
        """For how many seconds nothing has been asked; 0 while something is."""
        if self.receiving or (self.cycle is not None and not self.cycle.response_complete):
            return 0.0
        return now - (self.deadline - self.limits.idle)

    # what the parser says

    def on_message_begin(self) -> None:
        """A first byte of a request."""
        self.in_header = self.receiving = True
        self.received = self.chunk
        self.size = 0
        self.url = b""
        self.headers = []
        self.deadline = self.now() + self.limits.header

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self.url += url
        if len(self.url) > self.most:
            raise _TooLargeError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after the body."""
        if self.in_header:
            self.headers.append((name.lower(), value))
            if self.received <= self.most:  # so no header in it can be longer
                return
        self._weigh(name, value)

    def _weigh(self, name: bytes, value: bytes) -> None:
        """Count a header that came with so much else that the sum may be too large."""
        if self.size:
            self.size += len(name) + len(value) + 4
        else:
            headers = self.headers if self.in_header else [*self.headers, (name, value)]
            self.size = len(self.url) + sum(len(n) + len(v) + 4 for n, v in headers)
        if self.size > self.most:
            raise _TooLargeError

    def on_headers_complete(self) -> None:
        """The request's application starts, or waits for the one before it."""
        if len(self.pipeline) >= self.limits.pipelined:
            raise _TooManyError
        self.in_header = False
        self.deadline = self.now() + self.limits.body
        if self.url != self.latest[0]:
            path, query = target(self.url)
            self.latest = self.url, urllib.parse.unquote(path) if "%" in path else path, query
        parser = self.parser
        version = parser.get_http_version()
        scope: Any = {
            **self.constant,
            "http_version": version,
            "headers": self.headers,
            "method": parser.get_method().decode("ascii"),
            "path": self.latest[1],
            "raw_path": self.url,
            "query_string": self.latest[2],
        }
        self.scope = scope
        earlier = self.cycle
        cycle = Cycle(
            scope,
            self.transport,
            self.flow,
            self.logger,
            self.server_state.default_headers,
            self.on_response_complete,
        )
        cycle.keep_alive = version != "1.0" and parser.should_keep_alive()
        if b"expect" in dict(self.headers):
            cycle.waiting_for_100_continue = _is_expected(self.headers)
        cycle.connection = self
        self.cycle = cycle
        if earlier is None or earlier.response_complete:
            self.unstarted = cycle
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """A part of the body: kept until the application asks for it."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        if cycle is not self.unstarted:  # nobody waits for the body of one that has not started
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """All of a request is here: what follows is another one."""
        self.receiving = False
        self.chunk = 0
        cycle = self.cycle
        if cycle.response_complete:
            self.deadline = self.now() + self.limits.idle
            return
        self.deadline = math.inf
        cycle.more_body = False
        if cycle is self.unstarted:
            cycle.whole = True
        else:
            cycle.message_event.set()

    # what the application does

    def on_response_complete(self) -> None:
        """An answer is written: the next request of the pipeline, or wait for one."""
        if self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self.receiving:
            self.deadline = self.now() + self.limits.idle
        self.flow.resume_reading()

    # refusals below ASGI

    def refuse(self, status: int) -> None:
        """Answer a request that is not worth an application, and close."""
        self.closed("header_too_large" if status == 431 else "bad_request")
        cycle = self.cycle
        if self.in_header or cycle is None:
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False  # answer what was asked before, then close
                self.deaf = True
                return
        elif self.pipeline or cycle.response_started:
            self.close()
            return
        else:
            cycle.disconnected = True
            cycle.message_event.set()
        text = STATUS_LINE[status][9:-2] + b"\n"
        self.transport.write(
            b"%bcontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b" % (STATUS_LINE[status], len(text), text)
        )
        self.receiving = True
        self.finish()

    def _ignore_upgrade(self) -> None:
        """An upgrade that nobody offered is ignored (RFC 9110, 7.8), and the line not reused.

        httptools takes no body after such a header, so a request that has one is refused.
        """
        names = {name for name, _ in self.headers}
        if names & {b"content-length", b"transfer-encoding"}:
            self.refuse(400)
            return
        self.deaf = True
        self.receiving = False
        self.cycle.keep_alive = self.cycle.more_body = False
        self.cycle.message_event.set()


def _is_expected(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a client waits for `100 Continue` before it sends the body."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)
