"""Durations as Kubernetes users write them: 5m, 1h30m, 90s, 500ms."""

from __future__ import annotations

import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def parse(text: str) -> float:
    """The seconds that `text` means; raises ValueError with what to write instead."""
    if not _WHOLE.fullmatch(text):
        msg = f"{text!r} is no duration; write one like 5m, 90s or 500ms"
        raise ValueError(msg)
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def written(seconds: float) -> str:
    """As a person reads it: tenths below a minute, whole seconds from there on."""
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
