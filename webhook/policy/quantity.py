"""Amounts as Kubernetes writes them: `500m`, `1Gi`, `1e3`.

The rules are those of `resource.Quantity` in k8s.io/apimachinery 0.37 (`pkg/api/resource`): what
parses, how fine a value is kept (nano, rounded away from zero), where binary amounts are capped
(2^63-1), and what text the API server gives back. Three oddities are not followed: a text without
any digit is no zero here, exponents have a bound, and beyond `E` the exponent is written ("1000E"
is "1e21", where 0.37 loses it and says "1").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIX = {power: suffix for suffix, power in _BINARY.items()}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}

# One pass without alternatives that overlap, so it is linear on a pod's data too.
_SHAPE = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_DIGIT = re.compile(r"[+-]?\.?[0-9]", re.ASCII)
_EXPONENT = re.compile(r"[eE]([-+]?[0-9]+)", re.ASCII)

_NANO = 10**9  # nanos in one
_MICRO = 10**6  # nanos in a thousandth
_MAX_BINARY = (1 << 63) - 1
_FAST_DIGITS = 18  # decimal digits that surely fit an int64
_MAX_LENGTH = 128  # nothing that measures a machine is longer; keeps the arithmetic cheap
_MAX_EXPONENT = 128  # Kubernetes takes any, and pays for 10 to that power


@dataclass(frozen=True, slots=True)
class _Quantity:
    nanos: int
    binary: bool
    exponential: bool
    kept: str  # the text itself where Kubernetes gives it back as it was written, else ""
    fine: bool  # written with more than three decimal places, so milli rounding rewrites it


def parse(text: str | float) -> Fraction:
    """The exact amount that `text` (or a JSON number) stands for.

    Raises ValueError with a clause that says what is wrong.
    """
    return Fraction(_read(_written(text)).nanos, _NANO)


def canonical(text: str | float, *, milli: bool = False) -> str:
    """`text` as the API server gives it back: "0.5" → "500m", "1024Mi" → "1Gi", "1e3" → "1e3".

    With `milli`, as an entry of `requests` or `limits`, which are rounded up to a thousandth
    (`SetDefaults_ResourceList`). Raises ValueError like `parse`.
    """
    quantity = _read(_written(text))
    if quantity.kept and not (milli and quantity.fine):
        return quantity.kept
    nanos = quantity.nanos
    if milli:
        nanos = _away_from_zero(nanos, _MICRO) * _MICRO
    if nanos == 0:
        return "0"
    if quantity.binary and abs(nanos) >= 1024 * _NANO and nanos % _NANO == 0:
        return _binary_text(nanos // _NANO)
    return _decimal_text(nanos, exponential=quantity.exponential)


# A policy set and the pods of a cluster use a handful of different amounts again and again.
@lru_cache(maxsize=1024)
def _read(written: str) -> _Quantity:
    shape = _SHAPE.fullmatch(written)
    if shape is None or not _DIGIT.match(written) or len(written) > _MAX_LENGTH:
        what = f"`{written[:_MAX_LENGTH]}` is no quantity"
        raise ValueError(what)
    sign, whole, decimals, suffix = shape.groups(default="")
    base, power, exponential = _suffix(suffix, written)
    digits = (whole or "0") + decimals
    shrink = len(decimals) + (-power if power < 0 else 0)
    nanos = _away_from_zero(int(digits) * base ** max(power, 0) * _NANO, 10**shrink)
    if base == 2:
        nanos = min(nanos, _MAX_BINARY * _NANO)
    return _Quantity(
        nanos=-nanos if sign == "-" else nanos,
        binary=base == 2,
        exponential=exponential,
        kept=written if _is_kept(base, power, whole or "0", decimals) else "",
        fine=power - len(decimals) < -3,
    )


def _written(text: str | float) -> str:
    if isinstance(text, str):
        return text.strip()
    if isinstance(text, bool) or not isinstance(text, (int, float)):
        what = f"a {type(text).__name__} is no quantity"
        raise ValueError(what)  # noqa: TRY004 -- one kind of error for one kind of fault
    if isinstance(text, float) and text.is_integer():
        return str(int(text))
    return repr(text)


def _suffix(suffix: str, written: str) -> tuple[int, int, bool]:
    """Base, power, and whether the suffix is an exponent (`e3`)."""
    if suffix in _DECIMAL:
        return 10, _DECIMAL[suffix], False
    if suffix in _BINARY:
        return 2, _BINARY[suffix], False
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None:
        what = f"`{written}` is no quantity: there is no suffix `{suffix}`"
        raise ValueError(what)
    power = int(exponent[1])
    if abs(power) > _MAX_EXPONENT:
        what = f"`{written}` is no quantity: the exponent is out of all proportion"
        raise ValueError(what)
    return 10, power, True


def _is_kept(base: int, power: int, whole: str, decimals: str) -> bool:
    """Whether `ParseQuantity` remembers the text, which it believes to be canonical already.

    It does so on its fast path only, and is a little wrong ("1.500" stays "1.500"); since that is
    what the API server gives back, it is what we must expect.
    """
    if base == 2:
        fits = not decimals and len(whole) + power * 3 // 10 <= 14
        return fits and int(whole) % 8 != 0
    scale = power - len(decimals)
    digits = whole + decimals
    fits = len(digits) <= _FAST_DIGITS and scale >= -9
    return fits and scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _away_from_zero(value: int, divisor: int) -> int:
    quotient = -(-abs(value) // divisor)
    return -quotient if value < 0 else quotient


def _binary_text(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < 60:
        value //= 1024
        power += 10
    return f"{value}{_BINARY_SUFFIX.get(power, '')}"


def _decimal_text(nanos: int, *, exponential: bool) -> str:
    """The fewest digits without a fraction, and the exponent a multiple of three."""
    power = -9
    while nanos % 1000 == 0:
        nanos //= 1000
        power += 3
    if exponential or power not in _DECIMAL_SUFFIX:
        return f"{nanos}e{power}" if power else str(nanos)
    return f"{nanos}{_DECIMAL_SUFFIX[power]}"
