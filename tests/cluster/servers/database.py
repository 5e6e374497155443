"""What tests do with a database, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tests.cluster.servers.server import Server

USER, PASSWORD, NAME = "app", "correct-horse", "shop"


class Client(Protocol):
    """How statements reach a database."""

    def __call__(self, statement: str) -> str:
        """What is printed: a line for each row, with tabs between fields."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database `name` on a server, with a user who may do anything in it."""

    server: Server
    client: Client
    user: str = USER
    password: str = PASSWORD
    name: str = NAME

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def port(self) -> int:
        return self.server.port

    def start(self) -> None:
        """Start it; returns when it takes statements."""
        self.server.start()

    def stop(self) -> None:
        """End it as an administrator does."""
        self.server.stop()

    def kill(self) -> None:
        """End it as a machine ends that loses its power; what was committed stays."""
        self.server.kill()

    def named(self, space: str) -> str:
        """Give it a name in a namespace; that name."""
        return self.server.named(space)

    def query(self, statement: str) -> list[tuple[str, ...]]:
        """The rows that a statement gives, as text."""
        return [tuple(line.split("\t")) for line in self.client(statement).splitlines()]
