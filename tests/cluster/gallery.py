"""The gallery behind one webhook: the name of the user who creates a pod says which case it is.

Reading a case's policies takes no restart, no reload and no second configuration this way, and the
pod reaches the API server, and us, exactly as the case has it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn

from webhook import testing
from webhook.inject import decide
from webhook.inject.decision import Decision
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review.request import Request
from webhook.server.mutate import Mutate

USER = "case:"  # prefix of the names of users; the rest is the case's name
BODY_BYTES = 7 * 1024 * 1024


@dataclass(slots=True)
class Meter:
    """Remembers what became of reviews."""

    bugs: int = 0
    decisions: list[Decision] = field(default_factory=list)

    def begin(self) -> None:
        pass

    def end(self, code: int, seconds: float) -> None:
        pass

    def refused(self, field: str) -> None:
        self.bugs += 1

    def decided(self, request: Request, decision: Decision) -> None:
        self.decisions.append(decision)

    def bug(self) -> None:
        self.bugs += 1


@dataclass(frozen=True, slots=True)
class Policies:
    """A store that never changes."""

    policies: PolicySet

    def get(self) -> PolicySet:
        return self.policies


@dataclass(frozen=True, slots=True)
class Namespaces:
    """A store that knows at most one namespace."""

    namespace: Namespace | None

    def get(self, name: str) -> Namespace | None:
        known = self.namespace is not None and self.namespace.name == name
        return self.namespace if known else None


class Gallery:
    """An ASGI application that answers each review with the policies of its case."""

    def __init__(self, cases: dict[str, testing.Asked]) -> None:
        self.meter = Meter()
        self._doors = {name: self._door(asked) for name, asked in cases.items()}

    def _door(self, asked: testing.Asked) -> Mutate:
        return Mutate(
            decide.decide,
            Policies(asked.policies),
            Namespaces(asked.namespace),
            asked.options,
            meter=self.meter,
            body_bytes=BODY_BYTES,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        user = msgspec.json.decode(body)["request"]["userInfo"]["username"]

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._doors[user.removeprefix(USER)](scope, again, send)


@contextmanager
def served(application: Any, sock: socket.socket, context: ssl.SSLContext) -> Iterator[None]:
    """Serve an application over TLS on a listening socket, on a thread of its own."""
    config = uvicorn.Config(application, lifespan="off", log_level="warning", log_config=None)
    config.load()
    config.ssl = context
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
