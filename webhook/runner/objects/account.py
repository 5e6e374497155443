"""Who we are in the cluster: what the kubelet puts into a container.

Sources: Kubernetes documentation, "Accessing the Kubernetes API from a Pod" and "Bound service
account tokens" (a token is replaced before it expires, so it is read for each request).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from webhook.errors import NotReadyError
from webhook.runner.address import Address
from webhook.runner.trust import Trust

FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
MAX_FILE = 64 * 1024  # bytes; a guess: a token has two thousand


@dataclass(frozen=True, slots=True)
class Account:
    """A service account: `server` is the API server, `folder` has the token, CA and namespace."""

    server: Address
    folder: Path

    def token(self) -> str:
        """The token as it is now; raises NotReadyError."""
        return self._read("token")

    def namespace(self) -> str:
        """The namespace of the pod; raises NotReadyError."""
        return self._read("namespace")

    def trust(self) -> Trust:
        """The cluster's own CA; raises NotReadyError."""
        import ssl

        file = self.folder / "ca.crt"
        try:
            return Trust(ssl.create_default_context(cafile=str(file)), self.server.host)
        except OSError as error:  # ssl.SSLError too: a file without certificates
            raise NotReadyError(_unread(file, error)) from None

    def _read(self, name: str) -> str:
        file = self.folder / name
        try:
            with file.open(encoding="ascii") as opened:
                text = opened.read(MAX_FILE).strip()
        except OSError as error:
            raise NotReadyError(_unread(file, error)) from None
        except ValueError:
            text = ""
        if not text.isprintable() or not text:
            msg = f"{file} holds no {name}"
            raise NotReadyError(msg)
        return text


def _unread(file: Path, error: OSError) -> str:
    advice = "; mount a token of the service account there" if not file.parent.is_dir() else ""
    return f"{file} cannot be read: {error.strerror or error}{advice}"


def found(asking: Address, folder: str) -> Account:
    """The account of this container; raises UsageError about `asking` outside of a cluster."""
    host, port = os.environ.get(HOST, ""), os.environ.get(PORT, "443")
    if not host or not port.isdecimal():
        asking.refuse(f"is of a cluster, and there is none here: {HOST} and {PORT} say nothing")
    return Account(Address("https", host, int(port)), Path(folder))
