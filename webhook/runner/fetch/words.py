"""What is fetched, as it is written: `SOURCE field=value field=value …`.

A value begins behind the first `=` of its word and ends with the word, so that whatever a template
puts into it stays in its field.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from webhook.errors import UsageError
from webhook.runner.fetch import size

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_FIELD = re.compile(rf"({_NAME.pattern})=(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MODE = re.compile(r"0?[0-7]{3}")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one source. What is asked of them raises UsageError; no value is in its text
    that may be secret.
    """

    source: str
    values: Mapping[str, Sequence[str]]

    def know(self, *names: str) -> None:
        """Refuses a field that is none of `names`."""
        for name in self.values:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                advice = f"did you mean {near[0]}?" if near else f"it has: {', '.join(names)}"
                self.refuse(f"unknown field {name!r}; {advice}")

    def every(self, name: str) -> Sequence[str]:
        """All values of a field."""
        return self.values.get(name, ())

    def one(self, name: str, default: str = "") -> str:
        """The value of a field that may be written once."""
        values = self.every(name)
        if len(values) > 1:
            self.refuse(f"field {name!r} is written twice; write it once")
        return values[0] if values else default

    def needed(self, name: str, example: str) -> str:
        """The value of a field that must be there."""
        value = self.one(name)
        if not value:
            self.refuse(f"field {name!r} is missing; write one like {name}={example}")
        return value

    def choice(self, name: str, *choices: str) -> str:
        """One of `choices`, by default the first."""
        value = self.one(name, choices[0])
        if value not in choices:
            self.refuse(f"field {name!r} is {value[:40]!r}; write {', '.join(choices)}")
        return value

    def switch(self, name: str) -> bool:
        """True or false, by default false."""
        return self.choice(name, "false", "true") == "true"

    def mode(self, name: str, default: str, least: int) -> int:
        """Permission bits, at least those of `least`; neither setuid nor setgid nor sticky."""
        value = self.one(name, default)
        if not _MODE.fullmatch(value) or int(value, 8) & least != least:
            self.refuse(f"field {name!r} is {value[:40]!r}; write one like {default}")
        return int(value, 8)

    def size(self, name: str, default: str) -> int:
        """A number of bytes, at least one."""
        try:
            return size.parse(self.one(name, default))
        except ValueError as error:
            self.refuse(f"field {name!r}: {error}")

    def count(self, name: str, default: int, least: int = 0) -> int:
        """A whole number."""
        value = self.one(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < least:
            self.refuse(f"field {name!r} is {value[:40]!r}; write a number like {default or 1}")
        return int(value)

    def refuse(self, what: str) -> NoReturn:
        """Raises UsageError about this source."""
        msg = f"{self.source}: {what}"
        raise UsageError(msg)


def read(words: Sequence[str], sources: Sequence[str]) -> Fields:
    """The source and its fields; raises UsageError.

    `URL PATH field=value …` is short for `http url=URL to=PATH field=value …`.
    """
    source, fields = words[0], list(words[1:])
    if "://" in source:
        source, fields = "http", [f"url={source}", *fields]
        if len(fields) > 1 and not _FIELD.fullmatch(fields[1]):
            fields[1] = f"to={fields[1]}"
    if source not in sources:
        msg = f"{source[:40]!r} is no source; write {', '.join(sources)} or a URL"
        raise UsageError(msg)
    found: dict[str, list[str]] = {}
    for place, word in enumerate(fields, 2):
        field = _FIELD.fullmatch(word)
        if not field:
            msg = f"{source}: word {place} is no field; write name=value"
            raise UsageError(msg)
        if _CONTROL.search(field[2]):
            msg = f"{source}: field {field[1]!r} has a character that no field has"
            raise UsageError(msg)
        found.setdefault(field[1], []).append(field[2])
    return Fields(source, found)
