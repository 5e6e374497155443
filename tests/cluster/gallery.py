"""The gallery behind one webhook: something about the user who creates a pod says which case it is.

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
from typing import Any

import msgspec
import trustme
import uvicorn

from tests.cluster.network import Inside
from webhook import testing
from webhook.inject import decide
from webhook.server.mutate import Mutate
from webhook.store.namespaces import Namespaces
from webhook.store.policies import Policies
from webhook.telemetry import Metrics

BODY_BYTES = 7 * 1024 * 1024


class Gallery:
    """An ASGI application that answers each review with the policies of its case."""

    def __init__(self, cases: dict[str, testing.Asked]) -> None:
        metrics = Metrics("test")
        self._doors = {name: door(asked, metrics) for name, asked in cases.items()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        (name,) = msgspec.json.decode(body)["request"]["userInfo"]["extra"]["case"]

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._doors[name](scope, again, send)


def door(asked: testing.Asked, metrics: Metrics) -> Mutate:
    known = {asked.namespace.name: asked.namespace} if asked.namespace else None
    return Mutate(
        decide.decide,
        Policies(asked.policies),
        Namespaces(known),
        asked.options,
        metrics=metrics,
        body_bytes=BODY_BYTES,
    )


@contextmanager
def listening(application: Any, inside: Inside, ca: trustme.CA) -> Iterator[str]:
    """Serve an application inside the cluster's network, certified by `ca`; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with inside.listen() as sock, served(application, sock, context):
        yield f"https://127.0.0.1:{sock.getsockname()[1]}/mutate"


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
