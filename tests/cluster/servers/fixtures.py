"""Tools and servers as fixtures. No server is started: a test does that when it wants to.

Each is of one test: nothing is left in it by another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from ssl import SSLContext

import pytest

from tests import needs
from tests.cluster import programs
from tests.cluster.nodes import Node
from tests.cluster.servers import files as fileserver
from tests.cluster.servers import kinds
from tests.cluster.servers import objects as objectstore
from tests.cluster.servers import postgres as postgresql
from tests.cluster.servers import sftp as sftpserver
from tests.cluster.servers import ssh as sshserver
from tests.cluster.servers.database import Database
from tests.cluster.servers.files import Files
from tests.cluster.servers.objects import Bucket
from tests.cluster.servers.server import HOST, Server
from tests.cluster.servers.sftp import Folder
from tests.cluster.servers.ssh import Repositories
from tests.runner import stand

Standing = Callable[..., AbstractContextManager[stand.Stand]]


@pytest.fixture(scope="session")
def tool(node: Node, tmp_path_factory: pytest.TempPathFactory) -> programs.Images:
    """The image of a tool on the node, by the tool's name: `tool("goose")`."""
    needs.own_cluster()
    folder = tmp_path_factory.mktemp("tools")
    return programs.Images(node, lambda name: programs.archive(name, folder))


@pytest.fixture(scope="session")
def postgres_data() -> Iterator[Path]:
    """What PostgreSQL servers begin with."""
    needs.root()
    with postgresql.template() as data:
        yield data


@pytest.fixture
def postgres(node: Node, postgres_data: Path) -> Iterator[Database]:
    """A database on PostgreSQL."""
    needs.own_cluster()
    with postgresql.prepared(node, postgres_data) as database:
        yield database


@pytest.fixture
def files(node: Node) -> Iterator[Files]:
    """A server of files, git repositories and artifacts."""
    needs.own_cluster()
    with fileserver.prepared(node) as server:
        yield server


@pytest.fixture
def bucket(node: Node) -> Iterator[Bucket]:
    """A bucket of an object store."""
    needs.own_cluster()
    with objectstore.prepared(node) as found:
        yield found


@pytest.fixture
def sftp(node: Node) -> Iterator[Folder]:
    """A folder of an SFTP server."""
    needs.own_cluster()
    with sftpserver.prepared(node) as found:
        yield found


@pytest.fixture
def server(node: Node) -> Iterator[Callable[[str], Server]]:
    """A server that can be waited for, by its kind: `server("kafka")`."""
    needs.own_cluster()
    with ExitStack() as stack:
        yield lambda kind: stack.enter_context(kinds.prepared(node, kind))


@pytest.fixture
def standing(node: Node) -> Standing:
    """A server that says what the test tells it to: `with standing(8080, talk):`."""
    needs.own_cluster()

    def standing(
        port: int, talk: stand.Talk, tls: SSLContext | None = None
    ) -> AbstractContextManager[stand.Stand]:
        return stand.standing(talk, tls, (HOST, port), node.inside)

    return standing


@pytest.fixture
def ssh(node: Node) -> Iterator[Repositories]:
    """A server of git repositories over SSH."""
    needs.own_cluster()
    with sshserver.prepared(node) as found:
        yield found
