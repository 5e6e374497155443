"""Which application answers which path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI

from webhook.server import health
from webhook.server.answer import Answer, Application
from webhook.server.post import Post
from webhook.telemetry.instruments import MUTATE, VALIDATE


class Front:
    """The HTTPS port: reviews go straight to where they are answered, the rest to FastAPI, which
    knows no path.

    FastAPI's routing alone would cost more than a whole decision.
    """

    def __init__(self, mutate: Post, validate: Post) -> None:
        self._posts = {MUTATE: mutate, VALIDATE: validate}
        self._rest = _application()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one HTTP request."""
        await self._posts.get(scope["path"], self._rest)(scope, receive, send)

    def at_once(self, scope: Any, body: bytes) -> Answer | Application:
        """The same for a request all of which is here (`Post.at_once`)."""
        post = self._posts.get(scope["path"])
        return self._rest if post is None else post.at_once(scope, body)


def side(
    not_ready: Callable[[], str],
    ages: Callable[[], Mapping[str, float]],
    metrics: Callable[[], tuple[str, bytes]],
) -> Application:
    """The health port."""
    application = _application()
    application.include_router(health.router(not_ready, ages, metrics))
    return application


def _application() -> FastAPI:
    # No pages of its own, and no redirects: they would repeat what a client sent in a header.
    return FastAPI(openapi_url=None, redirect_slashes=False)
