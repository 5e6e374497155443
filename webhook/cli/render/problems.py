"""Problems for people: one line each, and a last line that counts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import click

from webhook.document.problem import Problem


def line(problem: Problem) -> str:
    """`file:line:column: field: what; advice`, a warning marked as such, with terminal colours."""
    at = f":{problem.line}:{problem.column}" if problem.line else ""  # none: the file as a whole
    place = click.style(f"{problem.file}{at}:", bold=True)
    mark = click.style("warning: ", fg="yellow") if problem.severity == "warning" else ""
    name = click.style(f"{problem.field}: ", fg="cyan") if problem.field else ""
    what = problem.what if mark else click.style(problem.what, fg="red")
    advice = f"; {problem.advice}" if problem.advice else ""
    return f"{place} {mark}{name}{what}{advice}"


def plain(problem: Problem) -> dict[str, Any]:
    """A problem as JSON."""
    return asdict(problem)


def split(problems: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """The errors and the warnings."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for problem in problems:
        (errors if problem.severity == "error" else warnings).append(problem)
    return errors, warnings


def summary(policies: int, problems: Sequence[Problem]) -> str:
    """The last line: `3 errors and 1 warning in 2 files` or `12 policies, no problems`."""
    errors, warnings = split(problems)
    if not problems:
        return f"{count(policies, 'policy', 'policies')}, no problems"
    parts = [count(len(errors), "error")] if errors else []
    parts += [count(len(warnings), "warning")] if warnings else []
    files = len({problem.file for problem in problems})
    return f"{' and '.join(parts)} in {count(files, 'file')}"


def count(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
