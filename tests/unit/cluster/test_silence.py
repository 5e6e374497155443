"""An API server that is slow, and one that says nothing any more, by a clock that runs fast."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from tests.house import tree
from tests.unit.cluster.kubeconfig import kubeconfig
from webhook.cluster import reflector
from webhook.cluster.api import GRACE, PATIENCE, Api, ApiError

Piece = tuple[float, bytes]  # seconds of silence, and what comes then
T = TypeVar("T")

FAST = 20.0  # seconds of the loop in one of ours
LATE = 10.0  # seconds of the loop that a busy machine may be late
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
FOREVER = 3600.0
WATCHED = 20.0


class Selector(selectors.DefaultSelector):
    """Waits for a fraction of the time that it is told."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(timeout if timeout is None else timeout / FAST)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock runs fast."""

    def time(self) -> float:
        return super().time() * FAST


def chunk(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text)


def event(name: str) -> bytes:
    metadata = {"name": name, "resourceVersion": "7"}
    line = {"type": "ADDED", "object": {"metadata": metadata}}
    return json.dumps(line).encode() + b"\n"


def page(*names: str) -> list[bytes]:
    """The answer to a list, in pieces."""
    items = [{"metadata": {"name": name}} for name in names]
    text = json.dumps({"metadata": {"resourceVersion": "7"}, "items": items}).encode()
    return [chunk(text[i : i + 40]) for i in range(0, len(text), 40)]


def ask(
    folder: Path, pieces: Sequence[Piece], call: Callable[[Api], Awaitable[T]]
) -> tuple[T | str, float]:
    """What becomes of a call that is answered in these pieces, and how long it takes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for silence, piece in pieces:
                await asyncio.sleep(silence)
                writer.write(piece)
        finally:
            writer.transport.abort()

    async def scenario() -> tuple[T | str, float]:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        api = Api(kubeconfig(folder, port))
        loop = asyncio.get_running_loop()
        began = loop.time()
        found: T | str
        try:
            found = await call(api)
        except ApiError as error:
            found = str(error)
        took = loop.time() - began
        await api.close()
        server.close()
        return found, took

    with asyncio.Runner(loop_factory=lambda: Loop(Selector())) as runner:
        return runner.run(scenario())


async def listed(api: Api) -> list[str]:
    found = await api.all("/things")
    return [one["metadata"]["name"] for one in found.objects]


def watched(names: list[str]) -> Callable[[Api], Awaitable[list[str]]]:
    """Watches, and notes in `names` what is told, whatever the end is."""

    async def watch(api: Api) -> list[str]:
        async for events in api.watch("/things", "1", WATCHED):
            names.extend(one.object["metadata"]["name"] for one in events)
        return names

    return watch


def test_a_page_that_dribbles_arrives(tmp_path: Path) -> None:
    """It may take longer than a silence may last, for as long as something comes."""
    pieces = [(0.0, HEAD), *((0.8 * PATIENCE, piece) for piece in page("a", "b")), (0.0, END)]
    found, took = ask(tmp_path, pieces, listed)

    assert ["a", "b"] == found
    assert took > 2 * PATIENCE


@pytest.mark.parametrize("head", [b"", HEAD + page("a")[0]], ids=["at-once", "within"])
def test_a_page_that_stops_is_given_up(tmp_path: Path, head: bytes) -> None:
    """Whatever has come before, a connection that says nothing is left."""
    found, took = ask(tmp_path, [(0.0, head), (FOREVER, END)], listed)

    assert "no answer in time" == found
    assert PATIENCE <= took < PATIENCE + LATE


def test_a_watch_that_says_nothing_is_over_a_grace_after_its_time(tmp_path: Path) -> None:
    """A connection that died in silence is found out; what it had told stays told."""
    names: list[str] = []
    pieces = [(0.0, HEAD + chunk(event("a"))), (FOREVER, END)]
    found, took = ask(tmp_path, pieces, watched(names))

    assert (["a"], "no answer in time") == (names, found)
    assert WATCHED + GRACE <= took < WATCHED + GRACE + LATE


def test_what_dribbles_after_the_time_of_a_watch_arrives(tmp_path: Path) -> None:
    """An event that is on its way when the time is over is waited for, however slow the line."""
    names: list[str] = []
    line = event("a")
    dribble = [(0.8 * GRACE, chunk(line[i : i + 25])) for i in range(0, len(line), 25)]
    found, took = ask(tmp_path, [(WATCHED, HEAD), *dribble, (0.0, END)], watched(names))

    assert ["a"] == found
    assert took > WATCHED + 2 * GRACE


def test_the_bounds_are_those_that_are_told() -> None:
    """Whoever looks for them finds the numbers of the code."""
    page = " ".join(tree.text("docs/explanation/failure-policy.md").split())
    longest = reflector.WATCH_SECONDS[1] + GRACE

    assert f"as long as some of it comes every {PATIENCE:.0f} s." in page
    assert f"is left after {longest:.0f} s at most" in page
    assert f"from {reflector.FIRST_PAUSE:g} to {reflector.LAST_PAUSE:g} s" in page
