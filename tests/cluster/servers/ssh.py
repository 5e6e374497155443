"""A server of git repositories over SSH: OpenSSH's, for a user who may do nothing but fetch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import needs
from tests.cluster.nodes import Node
from tests.cluster.servers import repositories, server, sshkeys

PORT = 22
NAME = "git"
USER = "git"
CONFIGURATION = """\
ListenAddress {address}
HostKey {home}/host
AuthorizedKeysFile {home}/allowed
StrictModes no
UsePAM no
PidFile none
AuthenticationMethods publickey
SetEnv GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*
"""
# In its own mounts it has an empty /run for itself, and the user whom this machine does not have.
START = """\
mount -t tmpfs none /run
mkdir /run/sshd
mount --bind "$1/passwd" /etc/passwd
exec "$2" -D -e -f "$1/configuration"
"""


@dataclass(frozen=True, slots=True)
class Repositories:
    """Repositories; `key` lets the user in, `known` is what a known_hosts file has of the server.

    `folder` is where they are: theirs is the path in a URL.
    """

    server: server.Server
    folder: Path
    key: str
    known: str

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self.server.start()

    def url(self, space: str, name: str) -> str:
        """The address of a repository for the pods of a namespace."""
        return f"ssh://{USER}@{self.server.named(space)}{self.folder}/{name}.git"

    def repository(self, name: str, files: Mapping[str, str], tag: str) -> None:
        """A repository with one tagged commit, in which are these files."""
        repositories.commit(self.folder / f"{name}.git", self.folder / name, files, tag)


@contextmanager
def prepared(node: Node) -> Iterator[Repositories]:
    """A server without repositories, not started yet."""
    needs.root()
    program = needs.program("sshd", how="apt-get install openssh-server")
    shell = needs.program("git-shell", how="apt-get install git")
    user, host = sshkeys.new(), sshkeys.new()
    with server.home(NAME) as home:
        home.chmod(0o755)
        folder = home / "served"
        folder.mkdir()
        files = {
            "configuration": CONFIGURATION.format(address=f"{server.HOST}:{PORT}", home=home),
            "allowed": f"restrict {sshkeys.public(user)}\n",
            "host": sshkeys.private(host),
            "passwd": f"{Path('/etc/passwd').read_text()}{USER}:*:9999:9999::{home}:{shell}\n",
        }
        for name, text in files.items():
            (home / name).write_text(text)
        (home / "host").chmod(0o600)
        command = ["sh", "-euc", START, "start", str(home), program]

        def answers() -> bool:
            connect = ["bash", "-c", f"exec 3<>/dev/tcp/{server.HOST}/{PORT}; head -c 4 <&3"]
            return one.attempt(*connect).stdout == "SSH-"

        one = server.Server(node, NAME, PORT, home, command, answers)
        with server.ending(one):
            known = f"{NAME} {sshkeys.public(host)}\n"
            yield Repositories(one, folder, sshkeys.private(user), known)
