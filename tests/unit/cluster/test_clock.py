"""Whose clock counts: the API server's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from tests.unit.cluster.kubeconfig import kubeconfig
from webhook.cluster.api import Api

THEN = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)


async def asked(folder: Path) -> tuple[float, float]:
    """What the time is before and after an API server has answered, whose clock says THEN."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = format_datetime(THEN, usegmt=True)
        head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + b"{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    api = Api(kubeconfig(folder, port))
    before = api.now()
    await api.get("/any")
    after = api.now()
    await api.close()
    server.close()
    await server.wait_closed()
    return before, after


def test_the_time_is_what_the_api_server_says(tmp_path: Path) -> None:
    """It judges our certificates; a clock of ours that is years behind changes nothing."""
    before, after = asyncio.run(asked(tmp_path))

    assert abs(before - datetime.now(UTC).timestamp()) < 60
    assert 0 <= after - THEN.timestamp() < 60
