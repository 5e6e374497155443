"""Starting the programs of a cluster and waiting for them. Runs as process 1 of its namespaces."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import keys


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the cluster's programs come from (`bin`, else the machine's own) and live."""

    bin: Path
    folder: Path

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def start(self, name: str, *arguments: str) -> None:
        """Start a program that lives as long as the cluster; its output goes to logs/NAME.log."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        own = self.bin / name
        with (logs / f"{name}.log").open("ab") as log:
            subprocess.Popen(
                [str(own) if own.exists() else name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}:/usr/sbin:/sbin"},
            )

    def api(self, path: str) -> str | None:
        """What the API server answers to a GET, or None."""
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        return get(f"https://127.0.0.1:{keys.PORT}{path}", context)


def get(url: str, context: ssl.SSLContext | None = None) -> str | None:
    """The body of an answer, or None while there is none."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {keys.TOKEN}"})
    try:
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:
            body: bytes = answer.read()
            return body.decode()
    except OSError:
        return None


def wait(what: str, condition: Callable[[], bool], *, seconds: float) -> None:
    """Return when `condition` holds; end the cluster's start when it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            message = f"{what} is not ready after {seconds:.0f} s; see the logs"
            raise SystemExit(message)
        time.sleep(0.05)
