from __future__ import annotations

import pytest

from webhook.policy import glob


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("payments", "payments", True),
        ("payments", "payment", False),
        ("payments", "Payments", False),
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "anything/at\nall", True),
        ("**", "", True),
        ("pay-*", "pay-", True),
        ("pay-*", "pay", False),
        ("*-csi*", "ebs-csi-driver", True),
        ("*-csi*", "csi", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*a", "aba", True),
        ("ab*ba", "aba", False),
        ("*a*a*", "a", False),
        ("registry.example.com/payments/*", "registry.example.com/payments/team/app:1", True),
        ("registry.example.com/*", "registryxexample.com/app", False),
        ("[a-z]?", "[a-z]?", True),
        ("[a-z]?", "b1", False),
        ("${x}*", "${x}y", True),
    ],
)
def test_star_is_any_text_and_nothing_else_is_special(
    pattern: str, text: str, expected: bool
) -> None:
    """A star matches any characters, a slash and none too; all others match themselves."""

    assert expected == glob.parse(pattern).matches(text)


def test_long_hostile_texts_are_matched_in_linear_time() -> None:
    """Many stars on a text that nearly matches need one pass, no backtracking."""

    assert not glob.parse("*a" * 200 + "*b").matches("a" * 200_000)


def test_exact_is_known() -> None:
    """A glob without a star gives its only match, one with a star gives none."""

    assert ("app", None) == (glob.parse("app").exact, glob.parse("app*").exact)


def test_equal_texts_are_equal_globs() -> None:
    """Globs compare, hash and print as their texts."""

    a, b = glob.parse("a*"), glob.parse("a*")

    assert (a, {a}, "a*") == (b, {b}, str(a))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("app", "app", True),
        ("app", "web", False),
        ("app*", "apple", True),
        ("app*", "*web", True),
        ("app*", "web*", False),
        ("app*", "apple*", True),
        ("*-csi", "*-cni", False),
        ("a*b", "*c", False),
        ("*x*", "*y*", True),
    ],
)
def test_overlap_tells_whether_one_text_can_match_both(a: str, b: str, expected: bool) -> None:
    """Two globs overlap exactly when some text matches both."""

    assert expected == glob.overlap(glob.parse(a), glob.parse(b))
