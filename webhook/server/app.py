"""Which application answers which path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from webhook.server import health
from webhook.telemetry.instruments import MUTATE, VALIDATE

Application = Callable[[Any, Any, Any], Awaitable[None]]


def front(mutate: Application, validate: Application) -> Application:
    """The HTTPS port: reviews go straight to where they are answered, the rest to FastAPI, which
    knows no path.

    FastAPI's routing alone would cost more than a whole decision.
    """
    rest = _application()

    async def door(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == MUTATE:
            await mutate(scope, receive, send)
        elif scope["path"] == VALIDATE:
            await validate(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return door


def side(not_ready: Callable[[], str], metrics: Callable[[], tuple[str, bytes]]) -> Application:
    """The health port."""
    application = _application()
    application.include_router(health.router(not_ready, metrics))
    return application


def _application() -> FastAPI:
    # No pages of its own, and no redirects: they would repeat what a client sent in a header.
    return FastAPI(openapi_url=None, redirect_slashes=False)
