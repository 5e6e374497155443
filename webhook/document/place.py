"""Where a character of a scalar's value stands in the text that it was read from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml.nodes import ScalarNode

_ESCAPE_LENGTH = {"x": 4, "u": 6, "U": 10}
_LINE = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a text; both count from 1."""

    line: int
    column: int


def of_character(text: str, scalar: ScalarNode, offset: int) -> tuple[int, int] | None:
    """Line and column, from 0, of character `offset` of the scalar's value within `text`.

    Exact for every style unless escapes stand in a quoted text of several lines; None where the
    place cannot be told.
    """
    start, end = scalar.start_mark, scalar.end_mark
    source = text[start.index : end.index]
    if scalar.style in ("|", ">"):
        return _in_block(source, scalar, offset)
    if start.line == end.line:
        return start.line, start.column + _in_line(source, scalar.style, offset)
    return _aligned([part.strip() for part in _pieces(source, scalar)], source, scalar, offset)


def _in_line(source: str, style: str | None, offset: int) -> int:
    """How far into `source` (quotes included) the character stands."""
    if style not in ("'", '"'):
        return offset
    position = 1
    for _ in range(offset):
        position += _written_length(source, style, position)
    return min(position, len(source) - 1)


def _written_length(source: str, style: str, position: int) -> int:
    if style == "'" and source.startswith("''", position):
        return 2
    if style == '"' and source.startswith("\\", position):
        return _ESCAPE_LENGTH.get(source[position + 1 : position + 2], 2)
    return 1


def _pieces(source: str, scalar: ScalarNode) -> list[str]:
    lines = _LINE.split(source)
    if scalar.style in ("'", '"'):
        lines[0] = lines[0][1:]
        lines[-1] = lines[-1].rstrip()[:-1]
    return lines


def _in_block(source: str, scalar: ScalarNode, offset: int) -> tuple[int, int] | None:
    header, *lines = _LINE.split(source)
    first = next((line for line in lines if line.strip(" ")), "")
    indicator = re.search(r"[1-9]", header.partition("#")[0])
    indent = len(first) - len(first.lstrip(" "))
    if indicator is not None:
        # The indentation counts from the parent's, which the text of the scalar does not show; the
        # value's own first line does.
        value = next((line for line in scalar.value.split("\n") if line.strip(" ")), "")
        indent -= len(value) - len(value.lstrip(" "))
    return _aligned(["", *(line[indent:] for line in lines)], source, scalar, offset)


def _aligned(
    pieces: list[str], source: str, scalar: ScalarNode, offset: int
) -> tuple[int, int] | None:
    """Find the written lines one after another in the value; folding only changes what is between.

    `pieces` are the lines of `source` as they may stand in the value.
    """
    value, position = scalar.value, 0
    lines = _LINE.split(source)
    for number, piece in enumerate(pieces):
        if not piece:
            continue
        found = value.find(piece, position)
        if found < 0 or value[position:found].strip():
            return None
        if offset < found + len(piece) or number == len(pieces) - 1:
            column = lines[number].rindex(piece) + max(0, offset - found)
            return scalar.start_mark.line + number, column + _shift(scalar, number)
        position = found + len(piece)
    return None


def _shift(scalar: ScalarNode, number: int) -> int:
    """The first line of the source starts where the scalar does; all others at the margin."""
    return scalar.start_mark.column if number == 0 else 0
