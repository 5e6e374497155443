"""Images of the tools that recipes run, as archives: made here, for no registry can be reached.

The programs are those of recipes.sh. Nothing but the program is in an image of one: no shell that a
recipe could come to need. Only git-sync needs git, with a shell for it and all that both are linked
with.
"""

from __future__ import annotations

import re
import subprocess
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


def git() -> dict[str, str]:
    """What git-sync calls, of Debian's git, as entries of an image."""
    core = Path("/usr/lib/git-core")
    programs = {
        "bin/git": needs.program("git", how="apt-get install git"),
        f"{core}/git-remote-https": str(core / "git-remote-http"),
    }
    linked = subprocess.run(["ldd", *programs.values()], capture_output=True, text=True, check=True)
    libraries = set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(", linked.stdout, re.MULTILINE))
    entries = {**programs, **{path: path for path in sorted(libraries)}}
    found = {place.lstrip("/"): str(Path(source).resolve()) for place, source in entries.items()}
    return {**found, "bin/busybox": "/bin/busybox", "bin/sh": "@busybox"}


def archive(tool: str, folder: Path) -> Path:
    """The image of a tool, whose entry point it is, in a file below `folder`."""
    out = folder / f"{tool}.tar"
    if tool == "git-sync":
        entries = {"git-sync": str(program(tool)), **git()}
        image.write(local(tool), out, entries, [], entrypoint=["/git-sync"])
        return out
    name = STATIC[tool]
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
