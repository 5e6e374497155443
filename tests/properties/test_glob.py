"""Globs against a definition that is too slow to use."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.policy import glob

LETTERS = "ab"
PATTERNS = st.text("ab*", max_size=5)
TEXTS = st.text(LETTERS, max_size=8)
# A third letter stands for every letter that neither pattern names.
WORDS = ["".join(w) for n in range(9) for w in product("abc", repeat=n) if n < 7 or "c" not in w]


def defined(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(defined(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and text[0] == pattern[0] and defined(pattern[1:], text[1:])


@given(PATTERNS, TEXTS)
def test_matching_agrees_with_the_definition(pattern: str, text: str) -> None:
    """`matches` says what a definition by recursion says."""

    assert defined(pattern, text) == glob.parse(pattern).matches(text)


@settings(max_examples=60, deadline=None)
@given(PATTERNS.filter(lambda p: len(p) <= 4), PATTERNS.filter(lambda p: len(p) <= 4))
def test_overlap_agrees_with_trying_all_texts(a: str, b: str) -> None:
    """`overlap` says whether any text matches both, found by trying all short ones."""

    first, second = glob.parse(a), glob.parse(b)

    expected = any(first.matches(word) and second.matches(word) for word in WORDS)

    assert expected == glob.overlap(first, second) == glob.overlap(second, first)
