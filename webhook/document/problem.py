"""What is wrong with something an author wrote, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]


def field(path: Path) -> str:
    """`("spec", "steps", 0, "name")` as a reader writes it: `spec.steps[0].name`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "a").replace("-", "a").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong at `path` inside a value whose own place is not known here.

    `what` is a clause without a full stop, `advice` another (`what; advice` reads as a sentence).
    `offset` is a 0-based character inside the scalar at `path` (for a fault inside an expression).
    """

    path: Path
    what: str
    advice: str = ""
    severity: Severity = "error"
    offset: int = 0

    def under(self, path: Path) -> Finding:
        """The same finding, seen from the value that holds `path`."""
        return Finding(path + self.path, self.what, self.advice, self.severity, self.offset)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file. `line` and `column` count from 1; 0 means unknown.

    `file` is empty for what never was one.
    """

    file: str
    line: int
    column: int
    field: str
    what: str
    advice: str = ""
    severity: Severity = "error"

    @property
    def cause(self) -> str:
        """`what; advice`."""
        return f"{self.what}; {self.advice}" if self.advice else self.what

    def __str__(self) -> str:
        at = f":{self.line}:{self.column}" if self.line else ""  # none: the file as a whole
        return ": ".join(filter(None, (f"{self.file}{at}", self.field, self.cause)))
