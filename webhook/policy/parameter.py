"""The types of parameters: what text of a label or annotation becomes a value, and what never does.

Patterns are matched whole by RE2, in linear time, on at most `MAX_TEXT` bytes: a pod's author
chooses the text, and a backtracking engine could be held for minutes by 30 characters of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import re2

from webhook.document.problem import Finding
from webhook.form import words
from webhook.policy import model, quantity

MAX_TEXT = 1024  # bytes of a value that a pattern or a type is held against
_INT64 = 2**63
# Go's time.ParseDuration
_DURATION = re2.compile(r"[-+]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_INTEGER = re2.compile(r"[-+]?[0-9]{1,19}")

Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns text into a value of a parameter's type; raises ValueError with the rule it breaks."""

    convert: Callable[[str], Value]
    pattern: Any
    enum: frozenset[Value] | None
    minimum: int | None
    maximum: int | None

    def __call__(self, text: str) -> Value:
        """The value; the error never repeats the text, which is the pod author's."""
        if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT:
            _refuse(f"is longer than {MAX_TEXT} bytes")
        value = self.convert(text)
        fault = next(self.faults(value, text), None)
        if fault:
            raise ValueError(fault)
        return value

    def faults(self, value: Value, text: str) -> Iterator[str]:
        """The rules that a value of the right type breaks."""
        if self.pattern is not None and self.pattern.fullmatch(text) is None:
            yield f"does not match {self.pattern.pattern}"
        if self.enum is not None and value not in self.enum:
            yield f"is none of {', '.join(sorted(map(_text, self.enum)))}"
        if self.minimum is not None and isinstance(value, int) and value < self.minimum:
            yield f"is smaller than {self.minimum}"
        if self.maximum is not None and isinstance(value, int) and value > self.maximum:
            yield f"is larger than {self.maximum}"


def _refuse(rule: str) -> NoReturn:
    raise ValueError(rule) from None


def _text(value: Value) -> str:
    return words.yaml(value) if isinstance(value, bool) else str(value)


def _string(text: str) -> str:
    return text


def _integer(text: str) -> int:
    value = int(text) if _INTEGER.fullmatch(text) else _INT64
    if not -_INT64 <= value < _INT64:
        _refuse("is no integer of 64 bits")
    return value


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        _refuse("is neither true nor false")
    return text == "true"


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        _refuse("is no duration such as 1h30m")
    return text


def _quantity(text: str) -> str:
    try:
        quantity.parse(text)
    except ValueError:
        _refuse("is no quantity such as 512Mi")
    return text


_CONVERT: dict[str, Callable[[str], Value]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "duration": _duration,
    "quantity": _quantity,
}


def build(written: model.Parameter, findings: list[Finding]) -> tuple[Reader | None, Value | None]:
    """The reader of a parameter and its default, both checked; findings have paths below it."""
    pattern = _pattern(written, findings)
    _bounds(written, findings)
    enum = _enum(written, findings)
    if findings:
        return None, None
    reader = Reader(_CONVERT[written.type], pattern, enum, written.minimum, written.maximum)
    return reader, _default(written, reader, findings)


def _pattern(written: model.Parameter, findings: list[Finding]) -> Any:
    if written.pattern is None:
        return None
    try:
        return re2.compile(written.pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else "bad syntax"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        advice = "write it in RE2's syntax: no lookaround, no backreferences"
        findings.append(Finding(("pattern",), f"is no regular expression: {text}", advice))
        return None


def _bounds(written: model.Parameter, findings: list[Finding]) -> None:
    for key in ("minimum", "maximum"):
        if getattr(written, key) is not None and written.type != "integer":
            what = f"is for integers, and the type is {written.type}"
            findings.append(Finding((key,), what, "remove it, or use a pattern"))
    if (
        written.minimum is not None
        and written.maximum is not None
        and written.minimum > written.maximum
    ):
        findings.append(Finding(("maximum",), f"is smaller than minimum ({written.minimum})"))


def _typed(value: Value, type_: str) -> Value:
    """A value as YAML gave it, of the parameter's type; raises ValueError."""
    if type_ == "integer" and isinstance(value, int) and not isinstance(value, bool):
        return _integer(str(value))
    if type_ == "boolean" and isinstance(value, bool):
        return value
    if type_ == "quantity" and isinstance(value, int) and not isinstance(value, bool):
        return _quantity(str(value))
    if type_ in ("string", "duration", "quantity") and isinstance(value, str):
        return _CONVERT[type_](value)
    _refuse(f"is {words.kind(value)}, and the type is {type_}")


def _enum(written: model.Parameter, findings: list[Finding]) -> frozenset[Value] | None:
    if written.enum is None:
        return None
    values = []
    for index, value in enumerate(written.enum):
        try:
            values.append(_typed(value, written.type))
        except ValueError as error:
            findings.append(Finding(("enum", index), str(error)))
    return frozenset(values)


def _default(written: model.Parameter, reader: Reader, findings: list[Finding]) -> Value | None:
    if written.default is None:
        return None
    try:
        value = _typed(written.default, written.type)
    except ValueError as error:
        findings.append(Finding(("default",), str(error)))
        return None
    findings += (Finding(("default",), fault) for fault in reader.faults(value, _text(value)))
    return value
