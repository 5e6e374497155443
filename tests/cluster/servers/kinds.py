"""Servers of the kinds that can be waited for: those that the runner is tested with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from tests.cluster.nodes import Node
from tests.cluster.servers import server
from tests.runner import places, real

# A server without a user who may come from a pod lets nobody ask.
SOMEBODY = ["CREATE USER app IDENTIFIED BY 'correct-horse'"]
# Of each kind its usual port. For PostgreSQL there is a database with data, in `postgres`.
KINDS: dict[str, tuple[int, Callable[[places.Place], places.Program]]] = {
    "grpc": (9090, real.etcd),
    "kafka": (9092, real.kafka),
    "mongodb": (27017, real.mongodb),
    "mysql": (3306, partial(real.mariadb, statements=SOMEBODY)),
    "rabbitmq": (5672, real.rabbitmq),
    "redis": (6379, real.redis),
}


@contextmanager
def prepared(node: Node, kind: str) -> Iterator[server.Server]:
    """A server of a kind with a name of its own, not started yet."""
    port, program = KINDS[kind]
    with places.place(server.HOST, port, partial(node.inside, places.free_port)) as place:
        made = program(place)
        one = server.Server(
            node,
            kind,
            port,
            place.folder,
            made.command,
            user=made.user,
            environment=made.environment,
        )
        with server.ending(one):
            yield one
