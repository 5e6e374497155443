"""What a plain YAML scalar means: exactly what it means to kubectl.

kubectl reads YAML 1.1 with sigs.k8s.io/yaml 1.6 (`goyaml.v2/resolve.go`), and so do we: `yes` and
`on` are booleans, `010` is eight, `1_000` a thousand, `1:30` a text and a date a text too.
"""

from __future__ import annotations

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"], True),
    **dict.fromkeys(["on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE"], False),
    **dict.fromkeys(["off", "Off", "OFF"], False),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], math.inf),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -math.inf),
}
_STARTS = frozenset("0123456789+-.")
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII
)
_BASES = (16, 2, 8, 10)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_MAX_WHOLE = 2.0**63  # what is larger stays a float, as JSON encoders have 64 bits


def resolve(text: str) -> Scalar:
    """The JSON value of a plain scalar. A float may be infinite or no number: JSON has neither."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _STARTS:
        return text
    if text[0] == ".":
        return _float(text, text)
    plain = text.replace("_", "")
    integer = _integer(plain)
    return _float(plain, text) if integer is None else integer


def _integer(plain: str) -> int | None:
    """A number of 64 bits, signed, or unsigned where it bears no sign."""
    match = _INTEGER.fullmatch(plain)
    if match is None:
        return None
    sign, *parts = match.groups()
    value = next(int(part, base) for part, base in zip(parts, _BASES, strict=True) if part)
    value = -value if sign == "-" else value
    return value if -(1 << 63) <= value < 1 << (63 if sign else 64) else None


def _float(plain: str, text: str) -> Scalar:
    """What is too large for a float stays a text; a whole number is one, as JSON has no floats."""
    if _FLOAT.fullmatch(plain) is None:
        return text
    value = float(plain)
    if math.isinf(value):
        return text
    return int(value) if value.is_integer() and abs(value) < _MAX_WHOLE else value
