"""Quantities: what parses, what it is worth, how the API server writes it back."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.policy import quantity

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
EXPONENTS = ["e0", "e1", "e3", "E3", "e+6", "e-3", "e-9", "e20"]

written = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-", "+"]),
    st.from_regex(r"[0-9]{1,20}(\.[0-9]{0,12})?", fullmatch=True),
    st.sampled_from(SUFFIXES + EXPONENTS),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1000m", "1"),
        ("1.5Gi", "1536Mi"),
        ("1e3", "1e3"),
        ("1E3", "1E3"),
        ("1000e3", "1e6"),
        ("1.5e3", "1500"),
        ("0", "0"),
        ("0Mi", "0"),
        ("-0", "0"),
        ("1000", "1k"),
        ("100", "100"),
        ("100000", "100k"),
        ("1.500", "1.500"),
        ("1.5000", "1500m"),
        ("0.123", "123m"),
        (".5", "500m"),
        ("5.", "5."),
        ("+1Mi", "+1Mi"),
        ("8Mi", "8Mi"),
        ("007", "007"),
        ("512Ki", "512Ki"),
        ("1023Mi", "1023Mi"),
        ("0.5Ki", "512"),
        ("0.1Ki", "102400m"),
        ("0.0001Mi", "104857600u"),
        ("-1.5Gi", "-1536Mi"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("1.2345678901", "1234567891n"),
        ("8Ei", "9223372036854775807"),
        ("99999999999999999999", "99999999999999999999"),
        ("1000E", "1e21"),
        (" 1Gi ", "1Gi"),
        (1, "1"),
        (1000, "1k"),
        (0.5, "500m"),
        (2.0, "2"),
        (1e21, "1e21"),
    ],
    ids=repr,
)
def test_a_quantity_comes_back_as_the_api_server_writes_it(
    text: str | float, expected: str
) -> None:
    """The canonical text is the one that a Kubernetes 1.37 API server gives back."""
    assert expected == quantity.canonical(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.2345", "1235m"), ("1n", "1m"), ("1.500", "1.500"), ("0.0005Ki", "512m"), ("-1u", "-1m")],
)
def test_requests_and_limits_are_rounded_up_to_a_thousandth(text: str, expected: str) -> None:
    """In requests and limits the API server keeps nothing finer than a thousandth."""
    assert expected == quantity.canonical(text, milli=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", Fraction(1)),
        ("500m", Fraction(1, 2)),
        ("1Ki", Fraction(1024)),
        ("1k", Fraction(1000)),
        ("1e-3", Fraction(1, 1000)),
        ("-2Mi", Fraction(-2 * 1024**2)),
        ("9Ei", Fraction(2**63 - 1)),
    ],
)
def test_a_quantity_is_worth_exactly_what_it_says(text: str, expected: Fraction) -> None:
    """The value is exact, never a floating point number."""
    assert expected == quantity.parse(text)


WRONG = (
    *["", "x", "1 Gi", "1gi", "1Kb", "1K", "1MB", "1..2", "1.2.3", "1e", "1e3m", "12i", "0x1"],
    *["e3", "m", "+", "1_000", "inf", "nan", "1e999999999", "1" * 200],
    *[float("inf"), float("nan")],
)


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_what_is_no_quantity_is_refused(text: str | float) -> None:
    """A wrong number, a suffix that does not exist and what would cost gigabytes are refused."""
    with pytest.raises(ValueError, match="is no quantity"):
        quantity.parse(text)


@pytest.mark.parametrize("value", [True, None, [], {}], ids=repr)
def test_other_json_values_are_no_quantity(value: object) -> None:
    """Only text and numbers can be quantities."""
    with pytest.raises(ValueError, match="is no quantity"):
        quantity.parse(value)  # type: ignore[arg-type]


@given(written)
def test_canonical_text_is_canonical(text: str) -> None:
    """Canonicalising twice changes nothing, with and without rounding to thousandths."""
    once = quantity.canonical(text)
    rounded = quantity.canonical(text, milli=True)
    assert once == quantity.canonical(once)
    assert rounded == quantity.canonical(rounded, milli=True)


@given(written)
def test_canonical_text_has_the_same_value(text: str) -> None:
    """Canonicalising loses nothing; rounding moves away from zero by less than a thousandth."""
    value = quantity.parse(text)
    rounded = quantity.parse(quantity.canonical(text, milli=True))
    assert value == quantity.parse(quantity.canonical(text))
    assert 0 <= abs(rounded) - abs(value) < Fraction(1, 1000)
