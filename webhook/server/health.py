"""What a kubelet and a Prometheus ask: alive, ready, the numbers."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Response


def router(not_ready: Callable[[], str], metrics: Callable[[], tuple[str, bytes]]) -> APIRouter:
    """The three routes.

    `not_ready` gives the reason why no review should be sent here, or nothing; `metrics` gives
    content type and body.
    """
    routes = APIRouter()

    @routes.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> Response:
        """The process serves: nothing that another replica would do better fails this."""
        return _line("ok")

    @routes.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> Response:
        """Reviews may be sent here."""
        reason = not_ready()
        return _line(reason, 503) if reason else _line("ok")

    @routes.api_route("/metrics", methods=["GET", "HEAD"])
    async def numbers() -> Response:
        """All metrics in Prometheus' text format."""
        kind, body = metrics()
        return Response(body, headers={"content-type": kind})

    return routes


def _line(text: str, status: int = 200) -> Response:
    return Response(f"{text}\n", status, headers={"content-type": "text/plain; charset=utf-8"})
