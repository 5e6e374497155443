"""What is trusted under TLS, from a target's options. Imported only for targets with TLS."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from webhook.runner.address import Address


@dataclass(frozen=True, slots=True)
class Trust:
    """A client's TLS: whom it trusts, and the name that the certificate must have."""

    context: ssl.SSLContext
    name: str


def read(address: Address) -> Trust:
    """From the options `ca`, `name` and `verify`; raises UsageError."""
    file = address.one("ca")
    try:
        context = ssl.create_default_context(cafile=file or None)
    except OSError as error:  # ssl.SSLError too: a file without certificates
        address.refuse(f"{file} holds no certificates that can be read: {error.strerror or error}")
    if not address.switch("verify", default=True):
        if file:
            address.refuse("with verify=false nothing is trusted or mistrusted; leave out ca")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return Trust(context, address.one("name", address.host))
