"""Quantities, as k8s.io/apimachinery/pkg/api/resource reads them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from webhook.expression.library.row import Opaque, RefusedError, can, row

_UNITS = {
    **{s: Fraction(1000) ** n for s, n in zip("num kMGTPE", range(-3, 7), strict=True) if s != " "},
    **{f"{s}i": Fraction(1024) ** (n + 1) for n, s in enumerate("KMGTPE")},
    "": Fraction(1),
}
_MOST = Fraction(2**63 - 1)
_NANO = 10**9


def _number(text: str) -> Fraction:
    """What a quantity says. Raises RefusedError."""
    digits = text.lstrip("+-")
    end = next((i for i, c in enumerate(digits) if c not in "0123456789."), len(digits))
    unit, digits = digits[end:], digits[:end]
    signs = len(text) - len(unit) - len(digits)
    whole, _, part = digits.partition(".")
    if len(text) > 64 or signs > 1 or "." in part or not whole + part or not text.isascii():
        what = "a text is no quantity"
        raise RefusedError(what)
    value = Fraction(int(whole + part), 10 ** len(part)) * _unit(unit)
    nanos = -(-(value * _NANO).numerator // (value * _NANO).denominator)  # rounded up
    value = min(Fraction(nanos, _NANO), _MOST)
    return -value if text.startswith("-") else value


def _unit(text: str) -> Fraction:
    if text in _UNITS:
        return _UNITS[text]
    sign, digits = text[1:2], text[1:].lstrip("+-")
    good = text[:1] in "eE" and digits.isdecimal() and len(text) - len(digits) <= 2
    if not good or len(digits) > 2:
        what = "a text is no quantity"
        raise RefusedError(what)
    return Fraction(10) ** (-int(digits) if sign == "-" else int(digits))


def _quantity(text: str | float) -> Opaque:
    return _as_quantity(_number(str(text)))


def _as_quantity(value: Fraction) -> Opaque:
    return {"quantity": str(value)}


def _amount(quantity: Opaque | int) -> Fraction:
    return Fraction(quantity if isinstance(quantity, int) else quantity["quantity"])


def _as_integer(quantity: Opaque) -> int:
    value = _amount(quantity)
    if value.denominator != 1:
        what = "the quantity is no whole number"
        raise RefusedError(what)
    return int(value)


def _sign(value: Any) -> int:
    return int(value > 0) - int(value < 0)


FUNCTIONS = (
    row("isQuantity", "(string) -> bool", can(_quantity)),
    row("quantity", "(string) -> quantity", _quantity),
    row("quantity", "(int) -> quantity", _quantity),
    row("quantity", "(double) -> quantity", _quantity),
    row("sign", "quantity.() -> int", lambda a: _sign(_amount(a))),
    row("isInteger", "quantity.() -> bool", lambda a: _amount(a).denominator == 1),
    row("asInteger", "quantity.() -> int", _as_integer),
    row("asApproximateFloat", "quantity.() -> double", lambda a: float(_amount(a))),
    row(
        "add", "quantity.(quantity) -> quantity", lambda a, b: _as_quantity(_amount(a) + _amount(b))
    ),
    row("add", "quantity.(int) -> quantity", lambda a, b: _as_quantity(_amount(a) + b)),
    row(
        "sub", "quantity.(quantity) -> quantity", lambda a, b: _as_quantity(_amount(a) - _amount(b))
    ),
    row("sub", "quantity.(int) -> quantity", lambda a, b: _as_quantity(_amount(a) - b)),
    row("isGreaterThan", "quantity.(quantity) -> bool", lambda a, b: _amount(a) > _amount(b)),
    row("isLessThan", "quantity.(quantity) -> bool", lambda a, b: _amount(a) < _amount(b)),
    row("compareTo", "quantity.(quantity) -> int", lambda a, b: _sign(_amount(a) - _amount(b))),
)
