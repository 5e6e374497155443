"""YAML that cannot be read, said so that an author can mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml.error import MarkedYAMLError, YAMLError

# What YAML allows in a text (YAML 1.2, rule 1 [c-printable]).
UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault at a character of the text; `line` and `column` count from 0."""

    index: int
    line: int
    column: int
    what: str
    advice: str


_INDENT = "check the indentation of this line and of those above it; spaces only, no tabs"
_QUOTED = "close the quote, or put another quote around a text that contains one"

# By what libyaml says of the fault: our words, and what to do.
_COLON = "mapping values are not allowed in this context"
_KEY = "did not find expected key"
_SAYINGS: dict[str, tuple[str, str]] = {
    _KEY: ("the line does not fit in with those above", _INDENT),
    "could not find expected ':'": (
        "a key without `:`",
        "write `key: value`, with a space after the `:`",
    ),
    "did not find expected '-' indicator": (
        "the line is no further entry of the list above",
        _INDENT,
    ),
    "block sequence entries are not allowed in this context": (
        "a list entry where none can stand",
        "begin the list on a line of its own",
    ),
    "did not find expected ',' or ']'": ("a `[` that is not closed", "write `]` at its end"),
    "did not find expected ',' or '}'": ("a `{` that is not closed", "write `}` at its end"),
    "found unexpected end of stream": ("a quote that is not closed", _QUOTED),
    "found unexpected document indicator": ("a quote that is not closed", _QUOTED),
    "found unknown directive name": ("a line that starts with `%`", "quote the value"),
    "did not find expected <document start>": (
        "something after the end of the document",
        "write `---` before a new document, else check the indentation",
    ),
    "did not find expected node content": (
        "a value is missing or starts with a character that YAML reserves",
        "quote the value",
    ),
    "found unknown escape character": (
        "an escape that YAML does not know",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    "found a tab character where an indentation space is expected": (
        "a tab in the indentation",
        "indent with spaces",
    ),
    "found undefined alias": ("an alias without anchor", "quote the value if it starts with `*`"),
    "exceeded maximum nesting depth": ("nested too deeply", "write it flatter"),
}
_CANNOT_START = "found character that cannot start any token"


def unprintable(text: str) -> Fault | None:
    """The first character that no YAML may contain."""
    match = UNPRINTABLE.search(text)
    if match is None:
        return None
    line = text.count("\n", 0, match.start())
    column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
    what = f"a character that YAML does not allow (U+{ord(match[0]):04X})"
    return Fault(match.start(), line, column, what, "remove it, or write it as an escape in quotes")


def fault(error: YAMLError, text: str) -> Fault:
    """What libyaml found wrong with `text`."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return Fault(len(text), 0, 0, str(error).partition("\n")[0], "")
    mark = error.problem_mark
    what, advice = _told(error.problem or "", text, mark.index)
    place = mark
    if what.endswith("not closed") and error.context_mark is not None:
        place = error.context_mark  # where it was opened says more than where the text ends
    return Fault(mark.index, place.line, place.column, what, advice)


def _told(problem: str, text: str, index: int) -> tuple[str, str]:
    line = text[text.rfind("\n", 0, index) + 1 : index]
    if problem == _COLON:
        return _second_colon(line)
    if problem == _CANNOT_START:
        return _cannot_start(text[index : index + 1])
    if problem == _KEY and re.search(r":.*['\"]\s*$", line):
        return "something after a closing quote", _QUOTED
    return _SAYINGS.get(problem, (problem, _INDENT))


def _second_colon(line: str) -> tuple[str, str]:
    """A `: ` that nothing expects: `line` is what stands before it."""
    if ": " in line:
        return "a second `: ` in one line", "quote the value"
    advice = "check the indentation of this line, and that the one above is `key: value`"
    return "a key where the value of the line above goes on", advice


def _cannot_start(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab where YAML wants spaces", "indent with spaces"
    return f"no value can start with `{character}`", "quote the value"
