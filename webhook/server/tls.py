"""The TLS context that is in force, and putting another certificate into it."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from certs.bundle import Bundle
from webhook.errors import UsageError


def context(bundle: Bundle | None, client_ca: Path | None = None) -> ssl.SSLContext:
    """A server's context: TLS 1.2 at least, HTTP/1.1, and client certificates when demanded.

    Without a bundle no handshake succeeds until `replace` has brought one.

    Raises UsageError when OpenSSL refuses the bundle or the clients' CA cannot be read.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Clients keep connections open and resume no sessions; OpenSSL would keep 20,000 of these.
    made.num_tickets = 0
    made.set_alpn_protocols(["http/1.1"])  # the API server asks for h2 on loopback
    if client_ca is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        try:
            made.load_verify_locations(cafile=client_ca)
        except (OSError, ssl.SSLError) as error:
            why = getattr(error, "strerror", None) or "no certificate in it can be read"
            text = f"--client-ca {client_ca}: {why}; give a PEM file of CA certificates"
            raise UsageError(text) from error
    if bundle is not None:
        replace(made, bundle)
    return made


def replace(live: ssl.SSLContext, bundle: Bundle) -> None:
    """Serve `bundle` to every connection made from now on; raises UsageError and changes nothing.

    A pair that OpenSSL refuses halfway would leave a context broken: so it is tried on another
    one, of the same bytes.
    """
    with _file(bundle) as path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)
        except ssl.SSLError as error:
            text = f"the certificate cannot be served: {error.reason or error}"
            raise UsageError(text) from error
        live.load_cert_chain(path)


@contextlib.contextmanager
def _file(bundle: Bundle) -> Iterator[str]:
    """A path from which OpenSSL can read certificate and key: in memory where that is possible."""
    text = bundle.certificate.rstrip() + b"\n" + bundle.key
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("bundle")
        path = f"/proc/self/fd/{handle}"
    else:  # no Linux: a private file, gone at once
        handle, path = tempfile.mkstemp()
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(text)
        yield path
    finally:
        os.close(handle)
        if not path.startswith("/proc/"):
            os.unlink(path)
