"""`initject serve` as a process of its own, as a user starts it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from certs import files
from tests.server import door

POLICY = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: %s}
spec:
  match: {podSelector: {matchLabels: {app: web}}}
  steps: [{name: %s, container: {image: "registry.example.com/tools/wait:1.0"}}]
"""
POD = {
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "registry.example.com/web:1"}]},
}
READY = re.compile(r"initject: ready on (https://\S+) \(.*, health on (http://\S+)\)")


@dataclass
class Served:
    """A running process and all that it has written."""

    process: subprocess.Popen[str]
    folder: Path
    lines: list[str] = field(default_factory=list)
    url: str = ""
    health: str = ""
    listener: threading.Thread | None = None

    def listen(self) -> None:
        """Collect its lines, for as long as it writes."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def close(self) -> None:
        """Take in the rest of what an ended process has written."""
        assert self.listener is not None
        assert self.process.stderr is not None
        self.listener.join(10)
        self.process.stderr.close()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its log lines."""
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def logged(self, message: str) -> bool:
        return any(record["message"] == message for record in self.records)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def steps(self, client: httpx.Client) -> list[str]:
        """The names of the init containers that a pod gets now."""
        answer = client.post(
            f"{self.url}/mutate",
            content=door.review(object=POD),
            headers={"content-type": "application/json"},
        ).json()["response"]
        return names(answer)

    def count(self, metric: str) -> float:
        """A sample of /metrics, as it is written there."""
        for line in httpx.get(f"{self.health}/metrics").text.splitlines():
            if line.startswith(metric + " "):
                return float(line.rpartition(" ")[2])
        return 0.0


def names(answer: dict[str, Any]) -> list[str]:
    import base64

    patch = json.loads(base64.b64decode(answer.get("patch", "W10=")))
    added = [op["value"] for op in patch if op["path"].startswith("/spec/initContainers")]
    flat = [item for value in added for item in (value if isinstance(value, list) else [value])]
    return [container["name"] for container in flat]


def started(folder: Path, *arguments: str, **environment: str) -> Served:
    """The process, whatever becomes of it."""
    command = [sys.executable, "-m", "webhook", "serve", *arguments]
    process = subprocess.Popen(
        command,
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **environment},
    )
    served = Served(process, folder)
    served.listener = threading.Thread(target=served.listen)
    served.listener.start()
    return served


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Served]:
    """A ready server on free ports, with the policies of `folder/policies`."""
    policies = folder / "policies"
    if not policies.exists():
        policies.mkdir()
        (policies / "a.yaml").write_text(POLICY % ("first", "first"))
    files.write(folder / "certs", door.bundle())
    usual = ["--cert-dir", "certs", "--policies", "policies", "--port", "0", "--health-port", "0"]
    usual += ["--reload-seconds", "0.1", "--drain-seconds", "0.5", "--log-format", "json"]
    served = started(folder, *usual, *arguments, **environment)
    try:
        wait_until(lambda: bool(READY.search(served.text)) or served.process.poll() is not None)
        found = READY.search(served.text)
        assert found, served.text
        served.url, served.health = found.groups()
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait()
        served.close()


def client() -> httpx.Client:
    return httpx.Client(verify=door.client_context(), timeout=20)


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "this has not happened in time"
        time.sleep(0.02)
