"""`grpc` and `grpcs`: the server's own health service says SERVING.

Protocol: "GRPC Health Checking Protocol" (grpc.health.v1) over "gRPC over HTTP2".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from webhook.errors import NotReadyError
from webhook.runner import check, connection
from webhook.runner.address import Address
from webhook.runner.connection import Connection
from webhook.runner.deadline import Deadline

if TYPE_CHECKING:
    from webhook.runner.trust import Trust

SECURE_PORT = 443
MAX_MESSAGE = 1024  # bytes of an answer; a guess: this one has two
MAX_SERVICE = 127  # bytes of a service's name, so that its length is one byte; a guess

_METHOD = "/grpc.health.v1.Health/Check"
_STREAM = 1
_SERVING = 1
_STATES = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_MEANINGS = {"5": "the service is not known", "12": "the server has no health service"}
_OTHER = "answers, and not as gRPC does"


def read(address: Address) -> check.Check:
    """Ready when the service that is the path, or without one the server, is SERVING."""
    secure = address.scheme == "grpcs"
    address.know(*(check.TLS if secure else ()))
    if address.query:
        address.refuse("write the service as the path, and nothing behind it")
    port = address.port or (SECURE_PORT if secure else None)
    if port is None:
        address.refuse("has no port; write one")
    trusted = _trusted(address) if secure else None
    message = _framed(address)
    headers = [
        (":method", "POST"),
        (":scheme", "https" if secure else "http"),
        (":authority", address.place),
        (":path", _METHOD),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", "initject"),
    ]

    def look(deadline: Deadline) -> None:
        with connection.to(address, port, deadline, trusted) as opened:
            try:
                _judge(_ask(opened, headers, message))
            except h2.exceptions.ProtocolError:
                raise NotReadyError(_OTHER) from None

    return look


def _trusted(address: Address) -> Trust | None:
    trusted = check.trust(address, always=True)
    if trusted:
        trusted.context.set_alpn_protocols(["h2"])  # servers of gRPC refuse clients without it
    return trusted


def _framed(address: Address) -> bytes:
    """A HealthCheckRequest: field 1, the service."""
    service = unquote(address.path.strip("/")).encode()
    if len(service) > MAX_SERVICE:
        address.refuse(f"the service has more than {MAX_SERVICE} bytes")
    request = b"\x0a" + bytes([len(service)]) + service if service else b""
    return b"\0" + len(request).to_bytes(4, "big") + request


@dataclass(slots=True)
class _Answer:
    """What has come so far."""

    fields: dict[str, str] = field(default_factory=dict)  # headers and trailers
    body: bytes = b""
    ended: bool = False

    def take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self.fields.update((_text(name), _text(value)) for name, value in event.headers or ())
        elif isinstance(event, h2.events.DataReceived):
            self.body += event.data or b""
            if len(self.body) > MAX_MESSAGE:
                raise NotReadyError(_OTHER)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended = True
        elif isinstance(event, _ENDS):
            msg = "the server ended the call without an answer"
            raise NotReadyError(msg)


_ENDS = (
    h2.events.StreamReset,
    h2.events.ConnectionTerminated,
    h2.events.PushedStreamReceived,  # nothing was asked for that could be pushed
)


def _text(value: str | bytes) -> str:
    return check.sentence(value if isinstance(value, bytes) else value.encode())


def _ask(opened: Connection, headers: Sequence[tuple[str, str]], message: bytes) -> _Answer:
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(_STREAM, headers)
    client.send_data(_STREAM, message, end_stream=True)
    answer = _Answer()
    while not answer.ended:
        if waiting := client.data_to_send():
            opened.sendall(waiting)
        data = opened.some()
        if not data:
            raise NotReadyError(connection.CLOSED)
        for event in client.receive_data(data):
            answer.take(event)
    return answer


def _judge(answer: _Answer) -> None:
    status = answer.fields.get("grpc-status")
    if status is None:
        msg = f"answers with status {answer.fields.get(':status', 'none')}, and not as gRPC does"
        raise NotReadyError(msg)
    if status != "0":
        said = answer.fields.get("grpc-message") or f"gRPC status {status}"
        raise NotReadyError(_MEANINGS.get(status, said))
    message = answer.body[5:]
    if answer.body[:1] != b"\0" or (message and message[:1] != b"\x08") or len(message) == 1:
        raise NotReadyError(_OTHER)
    state = message[1] if message else 0
    if state != _SERVING:
        msg = f"is {_STATES.get(state, state)}"
        raise NotReadyError(msg)
