"""Images of the tools that recipes run, as archives: made here, for no registry can be reached.

The programs are those of recipes.sh. Nothing but the program is in an image of one: no shell that a
recipe could come to need.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests import needs
from tests.cluster import image
from tests.cluster.nodes import Node

FOLDER = needs.CACHE / "recipes"
STATIC = {"goose": "goose", "golang-migrate": "migrate", "rclone": "rclone", "oras": "oras"}


def local(tool: str) -> str:
    """The name that a tool's image has here."""
    return f"localhost/{tool}:1"


def program(name: str) -> Path:
    """One that recipes.sh has built."""
    return needs.file(FOLDER / name, how="make cluster builds it")


def archive(tool: str, folder: Path) -> Path:
    """The image of a tool, whose entry point it is, in a file below `folder`."""
    name = STATIC[tool]
    out = folder / f"{tool}.tar"
    image.write(local(tool), out, {f"bin/{name}": str(program(name))}, [], entrypoint=[name])
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
