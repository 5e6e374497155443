"""Pods created again and again, from a few connections that stay open, and what became of them.

    with creating.pods(api, pod, connections=2) as made:
        …                       whatever is not to disturb it
    assert {(201, "step")} == set(made.outcomes)

A creation costs this process a tenth of what it costs the API server (2 cores: 0.1 and 1.2 ms).
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import httptools
import msgspec

from tests.cluster import keys
from tests.cluster.api import Api, Json, collection
from tests.cluster.registration import until

Outcome = tuple[int, str]  # the status; the names of the steps, or why there is no pod


class Container(msgspec.Struct):
    """What is read of an init container."""

    name: str


class Spec(msgspec.Struct):
    """What is read of a pod's spec."""

    initContainers: list[Container] = []  # noqa: N815 -- Kubernetes' name


class Created(msgspec.Struct):
    """What is read of an answer: a pod, or a Status."""

    spec: Spec = msgspec.field(default_factory=Spec)
    message: str = ""


DECODE = msgspec.json.Decoder(Created).decode


@dataclass(slots=True)
class Made:
    """What has become of the creations so far, how often, and how long each took."""

    answers: list[tuple[Outcome, float]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    working: list[Future[None]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.answers)

    @property
    def outcomes(self) -> Counter[Outcome]:
        return Counter(outcome for outcome, _ in self.answers)

    @property
    def seconds(self) -> list[float]:
        """Of each creation, in the order of their ends."""
        return [seconds for _, seconds in self.answers]

    def reach(self, count: int, *, seconds: float = 1200) -> None:
        """Return when so many have been made."""

        def reached() -> bool:
            for one in self.working:
                if one.done():
                    one.result()
            return self.count >= count

        until(reached, f"{count} creations", seconds=seconds)

    def add(self, answer: Answer, seconds: float) -> None:
        found = DECODE(answer.body)
        names = ",".join(one.name for one in found.spec.initContainers)
        self.answers.append(((answer.code, found.message or names), seconds))


class Answer:
    """An answer as it arrives: what httptools calls."""

    __slots__ = ("body", "code", "done")

    def __init__(self) -> None:
        self.body, self.code, self.done = b"", 0, False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


def asked(line: socket.socket, question: bytes) -> Answer:
    """Send a request and read the whole answer; the line stays open."""
    answer = Answer()
    parser = httptools.HttpResponseParser(answer)
    line.sendall(question)
    while not answer.done:
        got = line.recv(65536)
        if not got:
            message = "the API server closed the connection"
            raise ConnectionError(message)
        parser.feed_data(got)
    answer.code = parser.get_status_code()
    return answer


def question(api: Api, value: Json, *, stored: bool) -> bytes:
    """The request that creates an object: in dry run, or to stay."""
    body = json.dumps(value).encode()
    query = "" if stored else "?dryRun=All"
    login = f"authorization: Bearer {keys.TOKEN}\r\n" if api.ca else ""
    head = (
        f"POST {collection(value)}{query} HTTP/1.1\r\nhost: kubernetes\r\n"
        f"{login}accept: application/json\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connect(api: Api) -> socket.socket:
    """A connection to the API server; to be called on a thread that is inside."""
    url = urllib.parse.urlsplit(api.url)
    assert url.hostname is not None
    line = socket.create_connection((url.hostname, url.port or 443), timeout=60)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if api.ca is None:
        return line
    context = ssl.create_default_context(cafile=str(api.ca))
    return context.wrap_socket(line, server_hostname=url.hostname)


@contextmanager
def pods(
    api: Api,
    pod: Json,
    *,
    connections: int = 2,
    stored: bool = False,
    pause: float = 0,
    most: int | None = None,
) -> Iterator[Made]:
    """Create the pod all the time, `most` times at most on each connection, until the end.

    In dry run, unless `stored`; `pause` seconds after each answer.
    """
    asking = question(api, pod, stored=stored)
    made = Made()

    def create() -> None:
        with connect(api) as line:
            left = most
            while not made.stopped.is_set() and left != 0:
                began = time.perf_counter()
                made.add(asked(line, asking), time.perf_counter() - began)
                left = left - 1 if left is not None else None
                if pause:
                    made.stopped.wait(pause)

    with api.inside.threads(connections) as threads:
        made.working.extend(threads.submit(create) for _ in range(connections))
        try:
            yield made
        finally:
            made.stopped.set()
    for one in made.working:
        one.result()


def every(api: Api, values: Iterable[Json]) -> None:
    """Create each of these objects over one connection; to be called on a thread that is inside."""
    with connect(api) as line:
        for value in values:
            answer = asked(line, question(api, value, stored=True))
            assert answer.code == 201, answer.body
