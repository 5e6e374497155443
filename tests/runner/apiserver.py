"""An API server for the runner: it lists and watches what a test puts there, and can be hostile.

What it answers is as the real one answers; that the real one does so is tested on a node.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.runner import stand

Json = dict[str, Any]

TOKEN = "t0ken-of-the-pod"
USER = "system:serviceaccount:shop:default"
RESOURCES = {
    "/apis/cert-manager.io/v1": [
        {"name": "certificates/status", "kind": "Certificate", "namespaced": True},
        {"name": "certificates", "kind": "Certificate", "namespaced": True},
        {"name": "clusterissuers", "kind": "ClusterIssuer", "namespaced": False},
    ]
}


@dataclass
class Server:
    """A running one. `port` is where, `asked` is every request line in its order.

    `denied` are verbs that are forbidden, `tokens` those that are accepted. `forget` has a watch
    answered with 410; `body` is said in place of any answer to a list.
    """

    folder: Path
    context: ssl.SSLContext
    port: int = 0
    asked: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    forget: bool = False
    cut: bool = False
    body: bytes = b""
    status: int = 200
    _there: dict[str, dict[str, Json]] = field(default_factory=dict)
    _events: list[tuple[str, Json]] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _over: bool = False

    def put(self, path: str, name: str, **more: Any) -> None:
        """An object of a collection is there, or is changed."""
        with self._news:
            version = str(len(self._events) + 1)
            metadata = {"name": name, "resourceVersion": version, "generation": 1}
            kind = "MODIFIED" if name in self._there.get(path, {}) else "ADDED"
            self._there.setdefault(path, {})[name] = {"metadata": metadata, **more}
            self._events.append((kind, self._there[path][name]))
            self._news.notify_all()

    def remove(self, path: str, name: str) -> None:
        """It is there no more."""
        with self._news:
            self._events.append(("DELETED", self._there[path].pop(name)))
            self._news.notify_all()

    def end(self) -> None:
        """Let every watch end."""
        with self._news:
            self._over = True
            self._news.notify_all()

    def listed(self, path: str, name: str) -> Json:
        """As a list with a selector for a name."""
        with self._news:
            items = [one for key, one in self._there.get(path, {}).items() if key == name]
            return {"metadata": {"resourceVersion": str(len(self._events))}, "items": items}

    def changes(self, name: str, since: int) -> Iterator[tuple[str, Json]]:
        """What changes from a version on; a bookmark first."""
        yield "BOOKMARK", {"metadata": {"resourceVersion": str(since)}}
        while True:
            with self._news:
                while len(self._events) <= since and not self._over and not self.cut:
                    self._news.wait(20)
                if self._over or self.cut:
                    return
                event = self._events[since]
            since += 1
            if event[1]["metadata"]["name"] == name:
                yield event

    def watches(self) -> int:
        return sum("watch=true" in line for line in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Discovery, a list or a watch."""
        one = self.server.one
        one.asked.append(self.path)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        verb = "watch" if "watch" in query else "list"
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in one.tokens:
            self._answer(401, {"kind": "Status", "message": "Unauthorized"})
        elif one.status != 200:
            self._answer(one.status, {"kind": "Status", "message": "go away"})
        elif parts.path in RESOURCES:
            self._answer(200, {"resources": RESOURCES[parts.path]})
        elif not query:
            self._answer(404, {"kind": "Status", "message": "not found"})
        elif verb in one.denied:
            message = f'jobs.batch is forbidden: User "{USER}" cannot {verb} resource "jobs"'
            self._answer(403, {"kind": "Status", "message": message})
        elif one.body and verb == "list":
            self._raw(one.body)
        else:
            name = query["fieldSelector"].removeprefix("metadata.name=")
            self._found(verb, parts.path, name, query)

    def _found(self, verb: str, path: str, name: str, query: dict[str, str]) -> None:
        if verb == "list":
            self._answer(200, self.server.one.listed(path, name))
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.server.one.forget:
            self._event("ERROR", {"kind": "Status", "code": 410})
        else:
            for kind, found in self.server.one.changes(name, int(query["resourceVersion"])):
                self._event(kind, found)
        if not self.server.one.cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _event(self, kind: str, found: Json) -> None:
        line = json.dumps({"type": kind, "object": found}).encode() + b"\n"
        for piece in (line[:7], line[7:]):  # a line may come in pieces
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()

    def _answer(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _raw(self, body: bytes) -> None:
        """A body without an end, of the same bytes again and again."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(64 * 1024 * 1024 // len(body)):
                self.wfile.write(body)
        self.close_connection = True


class _Listener(ThreadingHTTPServer):
    one: Server
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is none."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """One under TLS; `folder` gets what the kubelet mounts: token, CA and namespace."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    folder.mkdir(exist_ok=True)
    authority.cert_pem.write_to_path(folder / "ca.crt")
    (folder / "token").write_text(TOKEN)
    (folder / "namespace").write_text("shop")
    listener = _Listener(("127.0.0.1", 0), _Handler)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    listener.one = Server(folder, context, listener.server_address[1])
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield listener.one
    finally:
        listener.one.end()
        listener.shutdown()
        thread.join()
        listener.server_close()


@contextlib.contextmanager
def answering(like: Server, answer: bytes) -> Iterator[int]:
    """The port of one that says the same bytes to whoever asks, known by `like`'s certificate."""
    with stand.standing(stand.saying(answer), like.context) as found:
        yield found.port
