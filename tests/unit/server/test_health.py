"""What the health port says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from webhook.server import app


def asked(path: str, not_ready: str, ages: Mapping[str, float]) -> tuple[int, str]:
    """Status and body."""

    async def scenario() -> tuple[int, str]:
        side = app.side(lambda: not_ready, lambda: ages, lambda: ("text/plain", b"numbers"))
        transport = httpx.ASGITransport(app=side)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            answer = await client.get(path)
        return answer.status_code, answer.text

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("ages", "lines"),
    [
        ({}, ["ok"]),
        (
            {"namespaces": 12.7, "clusterinitpolicies": 0.2},
            ["ok", "clusterinitpolicies heard 0 s ago", "namespaces heard 12 s ago"],
        ),
    ],
    ids=["files", "cluster"],
)
def test_who_is_ready_says_how_old_its_knowledge_is(
    ages: Mapping[str, float], lines: list[str]
) -> None:
    """A line for each source that must be heard; however old, it stays ready."""
    assert (200, "".join(f"{line}\n" for line in lines)) == asked("/readyz", "", ages)


def test_who_is_not_ready_says_why_alone() -> None:
    """The reason is the whole answer."""
    assert (503, "draining\n") == asked("/readyz", "draining", {"namespaces": 1.0})
