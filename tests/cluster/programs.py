"""Images of the tools that recipes run, as archives: made here, for no registry can be reached.

The programs are those of recipes.sh. Nothing is in an image but the program and what it runs on: no
shell that a recipe could come to need. Only git-sync needs git, and that a shell.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests import needs
from tests.cluster import contents, image
from tests.cluster.nodes import Node

FOLDER = needs.CACHE / "recipes"
STATIC = {"goose": "goose", "golang-migrate": "migrate", "rclone": "rclone", "oras": "oras"}
JAVA = {
    "flyway": "org.flywaydb.commandline.Main",
    "liquibase": "liquibase.integration.commandline.LiquibaseCommandLine",
}
# As git-sync's own image has it: ssh asks for a user who has a name.
USERS = {"git-sync": b"git-sync:x:65533:65533::/tmp:/sbin/nologin\n"}


def local(tool: str) -> str:
    """The name that a tool's image has here."""
    return f"localhost/{tool}:1"


def program(name: str) -> Path:
    """One that recipes.sh has made."""
    return needs.file(FOLDER / name, how="make cluster builds it")


def within(tool: str) -> tuple[dict[str, str], list[str]]:
    """What the image of a tool has, and its entry point."""
    if tool in JAVA:
        jars = program(tool) / "lib"
        entries = contents.java(program("jre"), jars, f"{tool}/lib")
        return entries, ["/jre/bin/java", "-cp", f"/{tool}/lib/*", JAVA[tool]]
    if tool == "git-sync":
        return {"git-sync": str(program(tool)), **contents.git()}, ["/git-sync"]
    name = STATIC[tool]
    return {f"bin/{name}": str(program(name))}, [name]


def archive(tool: str, folder: Path) -> Path:
    """The image of a tool, whose entry point it is, in a file below `folder`."""
    out = folder / f"{tool}.tar"
    entries, entrypoint = within(tool)
    users = USERS.get(tool, b"")
    image.write(local(tool), out, entries, [], entrypoint=entrypoint, users=users)
    return out


class Images:
    """The images of a node: each tool's is imported when a test first asks for it."""

    def __init__(self, node: Node, make: Callable[[str], Path]) -> None:
        self._node, self._make = node, make
        self._there: set[str] = set()

    def __call__(self, tool: str, *names: str) -> str:
        """The name of a tool's image on the node, which has it under all of `names` as well."""
        own = local(tool)
        if own not in self._there:
            self._node.load(self._make(tool))
            self._there.add(own)
        for name in set(names) - self._there:
            self._node.tag(own, name)
            self._there.add(name)
        return names[0] if names else own
