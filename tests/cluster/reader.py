"""Somebody who follows a page: a checkout beside an API server without controllers or nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import needs
from tests.cluster import machine
from tests.cluster import plane as planes
from tests.cluster.api import Api, Json
from tests.house import pages
from tests.house.tree import BIN, CHECKOUT, text


@dataclass(frozen=True, slots=True)
class Reader:
    """A shell in a clone, with kubectl and initject."""

    plane: planes.Plane
    clone: Path

    @property
    def api(self) -> Api:
        return self.plane.api

    def run(self, commands: str) -> str:
        """What commands print that are pasted in the clone; the first that fails is the end."""
        return typed(self.plane.folder, commands, self.clone, self.clone.parent)

    def get(self, path: str) -> Json:
        answer = self.api.ask("GET", path)
        assert answer.code == 200, answer.message
        return answer.body


def typed(cluster: Path, commands: str, where: Path, home: Path) -> str:
    """What commands print that are pasted in a folder, by an administrator of a cluster.

    The first that fails is the end.
    """
    helm = Path(needs.tool("helm")).parent if "helm " in commands else BIN
    environment = {
        "PATH": f"{BIN}:{helm}:{os.environ['PATH']}",
        "HOME": str(home),
        "KUBECONFIG": str(cluster / "kubeconfig"),
    }
    done = subprocess.run(
        machine.inside(cluster, "bash", "-euo", "pipefail", "-c", commands),
        env=environment,
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def of(folder: Path) -> Iterator[Reader]:
    """A reader with a control plane of their own, in a folder that is empty."""
    clone = folder / "clone"
    for name in ("deploy", "examples"):
        shutil.copytree(CHECKOUT / name, clone / name)
    with planes.running(folder / "cluster") as plane:
        yield Reader(plane, clone)


def commands(page: str, *, without: Sequence[str] = ()) -> list[str]:
    """The `sh` blocks of a page, but for lines that say one of these things."""
    blocks = [block.text for block in pages.blocks(text(page)) if block.kind == "sh"]
    return [
        "".join(
            line
            for line in block.splitlines(keepends=True)
            if not any(word in line for word in without)
        )
        for block in blocks
    ]


def written(page: str) -> dict[str, str]:
    """The files that a page has its reader write, each as it is at the end."""
    return {block.name: block.text for block in pages.blocks(text(page)) if block.name}
