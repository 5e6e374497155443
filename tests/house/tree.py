"""The files of this repository, as git knows them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent  # where the tools of this environment are


def files(*patterns: str) -> list[Path]:
    """What is committed or could be (not ignored), as absolute paths."""
    command = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
        "--",
        *patterns,
    ]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, text=True)
    found = [CHECKOUT / name for name in listed.stdout.split("\0") if name]
    return sorted(path for path in found if path.is_file())


def short(path: Path) -> str:
    """A path as people write it."""
    return path.relative_to(CHECKOUT).as_posix()


def text(name: str) -> str:
    """The text of a file, '' when there is none."""
    path = CHECKOUT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
