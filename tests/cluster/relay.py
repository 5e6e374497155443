"""A line to an API server that can be slow, die in silence, and be cut.

    with relay.to(plane.inside, keys.PORT) as line:
        line.rate, line.latency = 4096, 0.5

Bytes are carried as they are: TLS stays between the two ends, which cannot know of the line.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from tests.cluster.network import Inside

T = TypeVar("T")
Ends = tuple[asyncio.StreamWriter, asyncio.StreamWriter]  # to the client, to the server
Parcels = asyncio.Queue[tuple[float, bytes]]  # when bytes arrive, and which; none at the end

PIECE = 256  # bytes that arrive together when the line is slow
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: who closes sends RST


class Line:
    """Lives on the event loop of a thread of its own; a test speaks to it from another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: int) -> None:
        self.port = 0
        self.latency = 0.0  # seconds, each way
        self.rate = 0.0  # bytes a second, each way, for all connections together; 0: no limit
        self.accepted = 0  # connections, ever
        self._loop = loop
        self._target = target
        self._free = {"up": 0.0, "down": 0.0}  # when what was sent before has gone out
        # The last is for connections that are made now; those before are of dead ones, which
        # nobody else holds.
        self._flowing = [_set()]
        self._ends: set[Ends] = set()
        self._cutting: tuple[int, bool] | None = None

    # what a test does to it

    def stall(self) -> None:
        """Take bytes and carry none, of connections old and new; nobody is told."""
        self._call(self._flowing[-1].clear)

    def resume(self) -> None:
        """What was held up arrives, and the line goes on."""
        self._call(self._flowing[-1].set)

    def renew(self) -> None:
        """Connections that are made now are carried again; those before stay dead, and silent."""
        self._call(lambda: self._flowing.append(_set()))

    def cut(self) -> int:
        """Reset every connection, at both ends; how many there were."""
        return self._call(lambda: len([self._cut(ends, reset=True) for ends in [*self._ends]]))

    def cut_after(self, size: int, *, reset: bool) -> None:
        """End the connection on which this byte comes from the server, behind it.

        `reset` sends RST, otherwise FIN. All bytes count that come from now on, of any connection.
        """

        def cutting() -> None:
            self._cutting = size, reset

        self._call(cutting)

    def _call(self, function: Callable[[], T]) -> T:
        async def called() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result()

    # what it does

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Carry what comes to a listening socket."""
        self.port = listening.getsockname()[1]
        return await asyncio.start_server(self._carry, sock=listening)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        flowing = self._flowing[-1]
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        ends = writer, back
        self._ends.add(ends)
        reset = True
        try:
            async with asyncio.TaskGroup() as group:
                for way, source, sink in (("up", reader, back), ("down", there, writer)):
                    parcels: Parcels = asyncio.Queue()
                    group.create_task(self._take(source, parcels))
                    group.create_task(self._give(way, parcels, flowing, ends, sink))
            reset = False
        except* OSError:
            pass  # an end has reset it
        finally:
            self._cut(ends, reset=reset)

    async def _take(self, source: asyncio.StreamReader, parcels: Parcels) -> None:
        more = True
        while more:
            found = await source.read(65536)
            parcels.put_nowait((self._loop.time() + self.latency, found))
            more = bool(found)

    async def _give(
        self,
        way: str,
        parcels: Parcels,
        flowing: asyncio.Event,
        ends: Ends,
        sink: asyncio.StreamWriter,
    ) -> None:
        while True:
            due, found = await parcels.get()
            await asyncio.sleep(due - self._loop.time())
            if not found:
                await flowing.wait()
                sink.write_eof()
                return
            size = PIECE if self.rate else len(found)
            for at in range(0, len(found), size):
                piece = found[at : at + size]
                await self._queue(way, len(piece))
                await flowing.wait()
                if way == "down" and self._cutting and self._cutting[0] <= len(piece):
                    (left, reset), self._cutting = self._cutting, None
                    sink.write(piece[:left])
                    self._cut(ends, reset=reset)
                    return
                if way == "down" and self._cutting:
                    self._cutting = self._cutting[0] - len(piece), self._cutting[1]
                sink.write(piece)
                await sink.drain()

    async def _queue(self, way: str, size: int) -> None:
        """Returns when so many bytes have gone out behind all that came before them."""
        if self.rate:
            now = self._loop.time()
            self._free[way] = max(self._free[way], now) + size / self.rate
            await asyncio.sleep(self._free[way] - now)

    def _cut(self, ends: Ends, *, reset: bool) -> None:
        self._ends.discard(ends)
        for end in ends:
            if reset:
                with suppress(OSError):  # it has ended already
                    sock = end.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.transport.abort()
            else:
                end.close()


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@contextmanager
def to(inside: Inside, target: int) -> Iterator[Line]:
    """A line to a port of the cluster's 127.0.0.1, from another one there."""
    listening = inside.listen()
    loop = asyncio.new_event_loop()
    line = Line(loop, target)
    with inside.threads(1) as thread:
        running = thread.submit(loop.run_forever)
        try:
            server = asyncio.run_coroutine_threadsafe(line.serve(listening), loop).result()
            try:
                yield line
            finally:
                asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            running.result()
            loop.close()
            listening.close()


async def _end(server: asyncio.Server) -> None:
    """Everything else on this loop is over."""
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)  # transports close themselves in a turn of the loop
