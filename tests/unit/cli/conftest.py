"""A small world for the verbs: policies, manifests, and a run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from webhook.cli import main

POLICY = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: database}
spec:
  match:
    podSelector: {matchLabels: {app: checkout}}
  steps:
    - name: wait
      container: {image: registry.example.com/tools/wait:1.4}
"""

DEPLOYMENT = """\
# The comment of an injected document may go.
apiVersion: apps/v1
kind: Deployment
metadata: {name: checkout, namespace: payments}
spec:
  futureField: {kept: true}
  template:
    metadata:
      labels: {app: checkout}
    spec:
      containers:
        - name: app
          image: registry.example.com/app:1.0
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: checkout, namespace: payments}
spec: {ports: [{port: 80}]}
"""

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: payments}
spec:
  containers:
    - {name: app, image: "registry.example.com/app:1.0"}
"""


@dataclass(frozen=True)
class Ran:
    """The status and what was printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class World:
    """A folder with files, and `initject` run on them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def write(self, name: str, text: str) -> str:
        """A file; its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def run(self, *arguments: str) -> Ran:
        """`initject` with these arguments, and what it printed."""
        self._capsys.readouterr()
        status = main.run(arguments)
        captured = self._capsys.readouterr()
        return Ran(status, captured.out, captured.err)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> World:
    """An empty folder."""
    return World(tmp_path, capsys)


@pytest.fixture
def preview(world: World) -> Callable[..., Ran]:
    """`initject preview` with the policy above, or another, of the texts given as files."""

    def run(*texts: str, policy: str = POLICY, options: tuple[str, ...] = ()) -> Ran:
        path = world.write("policies/database.yaml", policy)
        files = [world.write(f"{n}.yaml", text) for n, text in enumerate(texts)]
        return world.run("preview", "--policies", path, *options, *files)

    return run
