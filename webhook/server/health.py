"""What a kubelet and a Prometheus ask: alive, ready, the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Response


def router(
    not_ready: Callable[[], str],
    ages: Callable[[], Mapping[str, float]],
    metrics: Callable[[], tuple[str, bytes]],
) -> APIRouter:
    """The three routes.

    `not_ready` gives the reason why no review should be sent here, or nothing; `ages` how many
    seconds ago each source was heard; `metrics` gives content type and body.
    """
    routes = APIRouter()

    @routes.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> Response:
        """The process serves: nothing that another replica would do better fails this."""
        return _line("ok")

    @routes.api_route("/readyz", methods=["GET", "HEAD"])
    async def readyz() -> Response:
        """Reviews may be sent here: however old what is known is, another would not do better."""
        reason = not_ready()
        if reason:
            return _line(reason, 503)
        heard = [f"{source} heard {int(age)} s ago" for source, age in sorted(ages().items())]
        return _line("\n".join(["ok", *heard]))

    @routes.api_route("/metrics", methods=["GET", "HEAD"])
    async def numbers() -> Response:
        """All metrics in Prometheus' text format."""
        kind, body = metrics()
        return Response(body, headers={"content-type": kind})

    return routes


def _line(text: str, status: int = 200) -> Response:
    return Response(f"{text}\n", status, headers={"content-type": "text/plain; charset=utf-8"})
