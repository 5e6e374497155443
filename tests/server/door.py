"""A real door in this process: the listener on a thread, with a decision that a test chooses."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from uvicorn.config import Config

from certs.authority import Authority
from certs.bundle import Bundle
from webhook.inject.decision import Decision, Options
from webhook.policy.namespace import Namespace
from webhook.recipes.defaults import Defaults
from webhook.review.request import Request
from webhook.server import app, drain, tls
from webhook.server.answer import Application
from webhook.server.limits import Connection, Limits
from webhook.server.mutate import Mutate, Source
from webhook.server.validate import Validate
from webhook.telemetry import Metrics

LOCAL = ("localhost", "127.0.0.1")
AUTHORITY = Authority.create(datetime.now(UTC), name="test CA")


def bundle(*names: str) -> Bundle:
    """A fresh pair of the test CA."""
    return AUTHORITY.issue(names or LOCAL, datetime.now(UTC), timedelta(days=1))


def client_bundle() -> Bundle:
    """A client's pair of the test CA."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    own = x509.load_pem_x509_certificate(AUTHORITY.certificate)
    signer = load_pem_private_key(AUTHORITY.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Bundle(made.public_bytes(Encoding.PEM), pem)


def review(**request: Any) -> bytes:
    """A review of a small pod."""
    pod = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "x"}]}}
    whole = {
        "uid": "u-1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "shop",
        "operation": "CREATE",
        "object": pod,
        **request,
    }
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": whole}
    ).encode()


ADD = {"op": "add", "path": "/metadata/annotations", "value": {"seen": "yes"}}


def inject(request: Request, policies: Any, namespace: Any, options: Any) -> Decision:
    """A decision that adds one annotation, by the name that the pod has."""
    return Decision(patch=(ADD,), pod=request.object)


@dataclass
class Policies:
    """A policy set that says only whether it needs namespaces."""

    needs_namespace: bool = False

    def get(self) -> Any:
        return self


@dataclass
class Namespaces:
    """Namespaces that are known."""

    known: dict[str, Namespace] = field(default_factory=dict)

    def get(self, name: str) -> Namespace | None:
        return self.known.get(name)


@dataclass
class Door:
    """A running door."""

    host: str
    port: int
    metrics: Metrics
    listener: drain.Listener
    loop: asyncio.AbstractEventLoop
    context: ssl.SSLContext | None
    closed: list[str]

    @property
    def url(self) -> str:
        return f"{'https' if self.context else 'http'}://{self.host}:{self.port}/mutate"

    def counted(self, name: str, **labels: str) -> float:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a coroutine function on the door's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(function(*arguments), self.loop).result(30)

    def connect(self, *, secure: bool = True) -> socket.socket:
        """A raw connection, with TLS where the door speaks it."""
        plain = socket.create_connection((self.host, self.port), timeout=20)
        if not secure or self.context is None:
            return plain
        return client_context().wrap_socket(plain, server_hostname="localhost")


def client_context(client: Bundle | None = None) -> ssl.SSLContext:
    """A client that trusts the test CA, and shows a certificate when given one."""
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    if client is not None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(client.certificate + client.key)
            file.flush()
            context.load_cert_chain(file.name)
    return context


@contextlib.contextmanager
def opened(
    decide: Callable[..., Decision] = inject,
    *,
    limits: Limits | None = None,
    policies: Policies | None = None,
    options: Options | None = None,
    source: Source | None = None,
    secure: bool = True,
    client_ca: Path | None = None,
    application: Application | None = None,
) -> Iterator[Door]:
    """A door that serves until the block ends."""
    limits = limits or Limits()
    metrics = Metrics("test")
    closed: list[str] = []
    mutate = Mutate(
        decide,
        policies or Policies(),
        Namespaces(),
        options or Options(),
        metrics=metrics,
        body_bytes=limits.body_bytes,
        source=source,
    )
    validate = Validate(Defaults(), metrics=metrics, body_bytes=limits.body_bytes)
    served = application or app.Front(mutate, validate)
    config = Config(served, log_config=None, lifespan="off", ws="none", proxy_headers=False)
    config.load()
    context = tls.context(bundle(), client_ca) if secure else None
    listener = drain.Listener(
        drain.bind("127.0.0.1", 0, "--port"),
        lambda state, loop: Connection(config, state, limits, loop, closed.append),
        tls=context,
        handshake=limits.handshake,
        flush=limits.flush,
    )
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host, port = listener.address
    door = Door(host, port, metrics, listener, loop, context, closed)
    try:
        door.call(listener.start)
        yield door
    finally:
        door.call(listener.stop, 2.0)
        door.call(_cancel_all)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _cancel_all() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.05)


def answer(raw: socket.socket, seconds: float = 20) -> bytes:
    """All that comes until the other side closes."""
    raw.settimeout(seconds)
    got = b""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while part := raw.recv(65536):
            got += part
    return got
