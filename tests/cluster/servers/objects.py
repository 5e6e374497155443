"""An object store that speaks S3: rclone's, over a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import programs
from tests.cluster.nodes import Node
from tests.cluster.servers import server

PORT = 9000
NAME = "store"
ACCESS, SECRET = "initject-tests", "correct-horse-battery"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; what is in `folder` are its objects."""

    server: server.Server
    folder: Path
    name: str = "models"

    def start(self) -> None:
        """Start the store; returns when it answers."""
        self.server.start()

    def named(self, space: str) -> str:
        """Give it a name in a namespace; the URL of the store."""
        return f"http://{self.server.named(space)}:{PORT}"


@contextmanager
def prepared(node: Node) -> Iterator[Bucket]:
    """A store with one empty bucket, not started yet."""
    with server.home(NAME) as home:
        folder = home / "served" / "models"
        folder.mkdir(parents=True)
        where = f"--addr={server.HOST}:{PORT}"
        keys = f"--auth-key={ACCESS},{SECRET}"
        rclone = [str(programs.program("rclone")), "serve", "s3", "--config=", where, keys]

        # It remembers what was not there a moment ago, unless told otherwise.
        command = [*rclone, "--dir-cache-time=0s", str(folder.parent)]
        one = server.Server(node, NAME, PORT, home, command)
        with server.ending(one):
            yield Bucket(one, folder)
