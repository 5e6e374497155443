"""An SFTP server: rclone's, over a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import programs
from tests.cluster.nodes import Node
from tests.cluster.servers import server, sshkeys
from tests.cluster.servers.sshkeys import private, public

PORT = 2022
NAME = "sftp"
USER = "shop"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder; `key` lets a user in, and `known` is what a known_hosts file has of the server."""

    server: server.Server
    folder: Path
    key: str
    known: str

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self.server.start()

    def named(self, space: str) -> str:
        """Give it a name in a namespace; that name."""
        return self.server.named(space)


@contextmanager
def prepared(node: Node) -> Iterator[Folder]:
    """A server with an empty folder, not started yet."""
    user, host = sshkeys.new(), sshkeys.new()
    with server.home(NAME) as home:
        folder = home / "served"
        folder.mkdir()
        (home / "host").write_text(private(host))
        (home / "allowed").write_text(f"{public(user)}\n")
        command = [
            *(str(programs.program("rclone")), "serve", "sftp", "--config=", f"--user={USER}"),
            *(f"--addr={server.HOST}:{PORT}", f"--key={home / 'host'}"),
            *(f"--authorized-keys={home / 'allowed'}", "--dir-cache-time=0s", str(folder)),
        ]

        one = server.Server(node, NAME, PORT, home, command)
        with server.ending(one):
            yield Folder(one, folder, private(user), f"[{NAME}]:{PORT} {public(host)}\n")
