"""What is in the images of tools that are more than one static program, as entries of an image."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests import needs

CORE = Path("/usr/lib/git-core")


def git() -> dict[str, str]:
    """What git-sync calls, of Debian's git and ssh, with a shell.

    One program speaks HTTP and HTTPS.
    """
    programs = {
        "bin/git": needs.program("git", how="apt-get install git"),
        "bin/ssh": needs.program("ssh", how="apt-get install openssh-client"),
        f"{CORE}/git-remote-https": str(CORE / "git-remote-http"),
    }
    return {**linked(programs), "bin/busybox": "/bin/busybox", "bin/sh": "@busybox"}


def java(runtime: Path, jars: Path, folder: str) -> dict[str, str]:
    """A Java runtime as /jre, and jars in a folder."""
    files = {
        f"jre/{path.relative_to(runtime)}": str(path)
        for part in ("bin", "conf", "lib")
        for path in (runtime / part).rglob("*")
        if path.is_file()
    }
    return {**linked(files), **{f"{folder}/{jar.name}": str(jar) for jar in jars.iterdir()}}


def linked(entries: Mapping[str, str]) -> dict[str, str]:
    """Entries, and the libraries of the machine that programs and libraries among them need."""
    own = {Path(source).name for source in entries.values()}
    found = (path for path in libraries(entries.values()) if Path(path).name not in own)
    every = {**entries, **{path: path for path in sorted(found)}}
    return {place.lstrip("/"): str(Path(source).resolve()) for place, source in every.items()}


def libraries(files: Iterable[str]) -> set[str]:
    """What the dynamic linker loads for those of the files that are linked with anything."""
    listed = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False)
    return set(re.findall(r"^\t(?:\S+ => )?(/\S+) \(", listed.stdout, re.MULTILINE))
