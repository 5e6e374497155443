"""A listening socket that can go away without failing a request.

uvicorn's own server closes idle connections at the first signal, and the API server does not
repeat a POST that it was just writing on one. So a listener first answers everything with
`Connection: close` for a while, and only then stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from uvicorn.server import ServerState

from webhook.errors import UsageError

TICK = 1.0  # how late a deadline may be noticed; bounds are in tens of seconds
BACKLOG = 2048  # uvicorn's default
SETTLED = 0.5  # a connection without a request for so long had none under way when we closed


class Connection(Protocol):
    """What a listener asks of the protocol of a connection."""

    closing: bool

    def expire(self, now: float) -> None:
        """Close when past a deadline."""

    def idle(self, now: float) -> float:
        """Seconds since something was asked."""

    def close(self) -> None:
        """Close once what was written has left."""


Connect = Callable[[ServerState, asyncio.AbstractEventLoop], asyncio.BaseProtocol]


def bind(host: str, port: int, option: str) -> socket.socket:
    """A bound socket; raises UsageError that says which `option` to change when it cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, number, _, address = found[0]
        sock = socket.socket(family, kind, number)
    except OSError as error:
        text = f"cannot listen on {host!r}: {error.strerror or error}; choose another --host"
        raise UsageError(text) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            with contextlib.suppress(OSError):  # `::` then serves IPv4, too, where there is any
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(address)
    except OSError as error:
        sock.close()
        text = f"cannot listen on {host}, port {port}: {error.strerror}; choose another {option}"
        raise UsageError(text) from error
    sock.setblocking(False)
    return sock


class Listener:
    """Serves connections from one socket until it is told to drain, then to stop."""

    def __init__(
        self,
        sock: socket.socket,
        connect: Connect,
        *,
        tls: ssl.SSLContext | None = None,
        handshake: float = 10.0,
        flush: float = 5.0,
    ) -> None:
        self._socket = sock
        self._connect = connect
        self._tls = tls
        self._handshake = handshake
        self._flush = flush
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._draining = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, with the real port where 0 was asked for."""
        host, port = self._socket.getsockname()[:2]
        return host, port

    @property
    def connections(self) -> int:
        """How many connections are open (those still in their TLS handshake do not count)."""
        return len(self._state.connections)

    async def start(self) -> None:
        """Accept connections from now on."""
        loop = asyncio.get_running_loop()
        self._date()

        def connect() -> asyncio.BaseProtocol:
            connection = self._connect(self._state, loop)
            if self._draining:
                connection.closing = True  # type: ignore[attr-defined]
            return connection

        self._server = await loop.create_server(
            connect,
            sock=self._socket,
            backlog=BACKLOG,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake if self._tls else None,
            ssl_shutdown_timeout=self._flush if self._tls else None,
        )
        self._ticking = asyncio.create_task(self._tick())

    def drain(self) -> None:
        """From now on every answer is the last one of its connection."""
        self._draining = True
        for connection in self._connections():
            connection.closing = True

    async def stop(self, patience: float) -> None:
        """Accept nothing more, answer what was asked, at most `patience` seconds long.

        A connection that was made just now may carry a request that has not arrived: it gets half
        a second to.
        """
        self.drain()
        if self._server is not None:
            self._server.close()
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        settle = loop.time() + SETTLED
        while loop.time() < end:
            for connection in self._connections():
                if connection.idle(loop.time()) > SETTLED:
                    connection.close()
            if not self._state.connections and loop.time() > settle:
                break
            await asyncio.sleep(0.05)
        self.abort()

    def abort(self) -> None:
        """Cut every connection."""
        if self._server is not None:
            self._server.close()
        if self._ticking is not None:
            self._ticking.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()

    def _connections(self) -> list[Connection]:
        return list(self._state.connections)  # type: ignore[arg-type]

    async def _tick(self) -> None:
        """Once a second: the date of answers, and the deadlines of connections."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(TICK)
            self._date()
            now = loop.time()
            for connection in self._connections():
                connection.expire(now)

    def _date(self) -> None:
        # RFC 9110, 6.6.1: an origin server with a clock sends a date.
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
