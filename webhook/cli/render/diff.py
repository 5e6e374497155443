"""A unified diff in the colours of a terminal."""

from __future__ import annotations

import difflib

import click


def unified(before: str, after: str, *, names: tuple[str, str]) -> str:
    """The diff of two texts, empty if they are equal, coloured."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), *names
    )
    return coloured("".join(lines))


def coloured(diff: str) -> str:
    """A unified diff with its lines coloured; click drops the colours where they do not belong."""
    return "".join(_line(line) for line in diff.splitlines(keepends=True))


def _line(line: str) -> str:
    if line.startswith(("---", "+++")):
        return _style(line, bold=True)
    if line.startswith("@@"):
        return _style(line, fg="cyan")
    if line.startswith("+"):
        return _style(line, fg="green")
    if line.startswith("-"):
        return _style(line, fg="red")
    return line


def _style(line: str, *, fg: str | None = None, bold: bool | None = None) -> str:
    text = line.removesuffix("\n")
    return click.style(text, fg=fg, bold=bold) + line[len(text) :]
