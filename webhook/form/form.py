"""The forms that a value of a policy can have: what is read, what is refused, and the schema.

One description serves all three: reading a value into what the model holds, telling what is wrong
with it in words, and JSON Schema. pydantic would do it too, but takes half of the time in which a
check of one file has to be done, for its import alone.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import words

Node = dict[str, Any]
WRONG: Any = object()  # stands for a value that could not be read


@dataclass(slots=True)
class Reading:
    """What is found while reading; `kept` tells which entries of a list could be read, by path."""

    findings: list[Finding] = field(default_factory=list)
    kept: dict[Path, list[int]] = field(default_factory=dict)

    def refuse(self, path: Path, what: str, advice: str = "") -> Any:
        """Tell what is wrong at `path`; gives WRONG."""
        self.findings.append(Finding(path, what, advice))
        return WRONG


class Form(ABC):
    """What a value may be. A null is refused before it comes here."""

    @abstractmethod
    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The value as the model holds it, or WRONG after telling why."""

    @abstractmethod
    def schema(self) -> Node:
        """The form as JSON Schema, with `x-core` and `x-scalar` where that has no word for it."""


def present(form: Form, path: Path, value: Any, reading: Reading) -> Any:
    """Read a value that may be null; leaving a clause empty must not mean "all"."""
    if value is None:
        return reading.refuse(path, "is empty (null)", "give it a value, or remove it")
    return form.read(path, value, reading)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a text must look like: an expression in the common syntax of Python, RE2 and ECMA.

    `demand` is what it asks for, in words after "must"; `mend` makes a suggestion of a wrong text.
    """

    expression: str
    demand: str
    mend: str  # the characters that replace one that is not allowed, or `title` for a capital

    def suggest(self, text: str) -> str:
        """The advice for a text that does not match, empty if there is none."""
        if self.mend == "title":
            near = text[:1].upper() + text[1:]
        else:
            near = "".join(c if c.isascii() and c.isalnum() else self.mend for c in text)
            near = near.lower().strip("-") if self.mend == "-" else near
        fits = near != text and re.fullmatch(self.expression, near)
        return f"for example {near}" if fits else ""


@dataclass(frozen=True, slots=True)
class Text(Form):
    """A string of `least` to `most` characters."""

    most: int
    least: int = 1
    pattern: Pattern | None = None

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The string."""
        if not isinstance(value, str):
            what = f"must be a string, not {words.kind(value)}"
            return reading.refuse(path, what, words.quoted(value))
        if len(value) < self.least:
            return reading.refuse(path, "is empty", "give it a value")
        if len(value) > self.most:
            what = f"is {len(value)} characters long, {self.most} are allowed"
            return reading.refuse(path, what)
        if self.pattern and not re.fullmatch(self.pattern.expression, value):
            what, advice = f"{value!r} must {self.pattern.demand}", self.pattern.suggest(value)
            return reading.refuse(path, what, advice)
        return value

    def schema(self) -> Node:
        """A string with its bounds."""
        bounds: Node = {"minLength": self.least} if self.least else {}
        if self.pattern:
            bounds["pattern"] = self.pattern.expression
        return {"type": "string", **bounds, "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Choice(Form):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The word."""
        if not isinstance(value, str):
            what = f"must be one of {', '.join(self.words)}, not {words.kind(value)}"
            return reading.refuse(path, what)
        if value not in self.words:
            what = f"{value!r} is not allowed here"
            return reading.refuse(path, what, words.meant(value, self.words))
        return value

    def schema(self) -> Node:
        """An enum of strings."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Integer(Form):
    """An integer of 32 or 64 bits."""

    bits: int

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The integer."""
        limit = 2 ** (self.bits - 1)
        if not isinstance(value, int) or isinstance(value, bool):
            text = value.strip() if isinstance(value, str) else ""
            advice = f"write it without quotes: {text}" if text.lstrip("+-").isdecimal() else ""
            return reading.refuse(path, f"must be an integer, not {words.kind(value)}", advice)
        if value < -limit:
            return reading.refuse(path, f"must be at least {-limit}")
        if value >= limit:
            return reading.refuse(path, f"must be at most {limit - 1}")
        return value

    def schema(self) -> Node:
        """An integer with the format that says its range."""
        return {"type": "integer", "format": f"int{self.bits}"}


_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Boolean(Form):
    """True or false."""

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The boolean."""
        if isinstance(value, bool):
            return value
        meant = _TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None
        advice = "" if meant is None else f"write {words.yaml(meant)} without quotes"
        return reading.refuse(path, f"must be true or false, not {words.kind(value)}", advice)

    def schema(self) -> Node:
        """A boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Scalar(Form):
    """A string, an integer or a boolean, by a type that stands elsewhere."""

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The value as it is."""
        if isinstance(value, (str, int)):
            return value
        what = f"must be a string, an integer, true or false, not {words.kind(value)}"
        return reading.refuse(path, what, words.quoted(value))

    def schema(self) -> Node:
        """`x-scalar`, since structural schemas know no unions."""
        return {"x-scalar": True}


MAX_FILLED = 4096  # characters of a text with templates; a guess, far above what a value needs


@dataclass(frozen=True, slots=True)
class Filled(Form):
    """A value of `form`, or a text with templates, which is judged when it is filled."""

    form: Text | Integer | Boolean

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The value, or the text as it is."""
        if not isinstance(value, str) or "${" not in value:
            return self.form.read(path, value, reading)
        if len(value) > MAX_FILLED:
            what = f"is {len(value)} characters long, {MAX_FILLED} are allowed"
            return reading.refuse(path, what)
        return value

    def schema(self) -> Node:
        """A string, or `x-scalar` where the value is none."""
        if isinstance(self.form, Text):
            return {"type": "string", "minLength": self.form.least, "maxLength": MAX_FILLED}
        return {"x-scalar": True}


_DURATION = Pattern(
    r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", "be a duration such as 90s, 5m or 1h30m", "-"
)


def duration() -> Filled:
    """A duration as Go writes it, or a text with templates."""
    return Filled(Text(32, pattern=_DURATION))


@dataclass(frozen=True, slots=True)
class ListOf(Form):
    """A list of `least` to `most` values of one form, read into a tuple."""

    item: Form
    most: int
    least: int = 0
    advice: str = "give it at least one entry, or leave it out"

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The entries that can be read."""
        if not isinstance(value, list):
            what = f"must be a list, not {words.kind(value)}"
            return reading.refuse(path, what, _as_list(value))
        if len(value) < self.least:
            return reading.refuse(path, "is empty", self.advice)
        if len(value) > self.most:
            what = f"has {len(value)} entries, {self.most} are allowed"
            return reading.refuse(path, what)
        found = [present(self.item, (*path, i), one, reading) for i, one in enumerate(value)]
        reading.kept[path] = [i for i, one in enumerate(found) if one is not WRONG]
        return tuple(one for one in found if one is not WRONG)

    def schema(self) -> Node:
        """An array with its bounds."""
        bounds = {"minItems": self.least} if self.least else {}
        return {"type": "array", **bounds, "maxItems": self.most, "items": self.item.schema()}


def _as_list(value: Any) -> str:
    if isinstance(value, Mapping):
        return "put '- ' in front of each entry"
    text = f'"{value}"' if isinstance(value, str) else words.yaml(value)
    return f"write [{text}]" if len(text) <= 60 else ""


@dataclass(frozen=True, slots=True)
class MapOf(Form):
    """A map of one to `most` keys to values of one form."""

    key: Text
    item: Form
    most: int

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The entries that can be read."""
        if not isinstance(value, Mapping):
            return reading.refuse(path, f"must be a map, not {words.kind(value)}")
        if not value:
            return reading.refuse(path, "is empty", "give it at least one entry, or leave it out")
        if len(value) > self.most:
            what = f"has {len(value)} entries, {self.most} are allowed"
            return reading.refuse(path, what)
        read = {}
        for key, item in value.items():
            name = self.key.read((*path, key), key, reading)
            found = present(self.item, (*path, key), item, reading)
            if name is not WRONG and found is not WRONG:
                read[name] = found
        return read

    def schema(self) -> Node:
        """An object whose fields are not named."""
        return {
            "type": "object",
            "minProperties": 1,
            "maxProperties": self.most,
            "propertyNames": {"minLength": self.key.least, "maxLength": self.key.most},
            "additionalProperties": self.item.schema(),
        }


@dataclass(frozen=True, slots=True)
class Core(Form):
    """An object of core/v1 or meta/v1, which stays as it was written."""

    kind: str

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The map as it is."""
        if isinstance(value, Mapping):
            return value
        return reading.refuse(path, f"must be a map, not {words.kind(value)}")

    def schema(self) -> Node:
        """An object, with its kind in `x-core`."""
        return {"type": "object", "x-core": self.kind}
