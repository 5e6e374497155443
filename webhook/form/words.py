"""How a value that an author wrote is named in a finding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def kind(value: Any) -> str:
    """`the number 3`, `a list`: what stands there instead of what should."""
    match value:
        case None:
            return "empty (null)"
        case bool():
            return f"the boolean {yaml(value)}"
        case int() | float():
            return f"the number {value}"
        case str():
            return "a string"
        case list():
            return "a list"
        case _:
            return "a map"


def yaml(value: bool | int | float) -> str:
    """A boolean or number as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


_WORD = "write it in quotes (YAML takes yes, no, on, off, y and n for booleans too)"


def quoted(value: Any) -> str:
    """The advice for a boolean or number where a string is wanted, else nothing."""
    if isinstance(value, bool):  # which word it was is not known any more
        return _WORD
    return f'write it in quotes: "{value}"' if isinstance(value, (int, float)) else ""


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The word of `known` that was most likely meant, upper and lower case aside."""
    import difflib  # 2 ms, and only needed when something is wrong

    by_lower = {word.lower(): word for word in known}
    close = difflib.get_close_matches(text.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def meant(text: str, known: Iterable[str]) -> str:
    """The advice for a word that is not among `known`: the nearest one, or all of them."""
    words = tuple(known)
    near = nearest(text, words)
    if near:
        return f"did you mean {near}?"
    return f"use {words[0]}" if len(words) == 1 else f"use one of {', '.join(words)}"
