"""Git repositories to fetch from."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def commit(bare: Path, work: Path, files: Mapping[str, str], tag: str) -> None:
    """A bare repository, made of a folder `work` with these files, in one tagged commit."""
    for path, content in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(content)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]
    commands: Sequence[Sequence[str]] = (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", tag],
        ["tag", tag],
        ["clone", "--quiet", "--bare", str(work), str(bare)],
    )
    for command in commands:
        subprocess.run([*git, "-C", str(work), *command], check=True)
