from __future__ import annotations

import pytest

from webhook.form import name


@pytest.mark.parametrize("text", ["a", "a1", "1a", "a-b", "x" * 63])
def test_labels_are_taken(text: str) -> None:
    """Lower-case letters, digits and inner dashes, 63 characters at most."""

    assert "" == name.label(text)


@pytest.mark.parametrize("text", ["", "A", "a.b", "-a", "a-", "a_b", "ä", "a\n", "x" * 64])
def test_what_is_no_label_is_told(text: str) -> None:
    """Everything else is refused with a reason."""

    assert name.label(text)


@pytest.mark.parametrize("text", ["a", "a.b-c.1", "x" * 253])
def test_subdomains_are_taken(text: str) -> None:
    """Labels of any length with dots between them, 253 characters at most."""

    assert "" == name.subdomain(text)


@pytest.mark.parametrize("text", ["", "a..b", ".a", "a.", "A.b", "a/b", "a.-b", "x" * 254])
def test_what_is_no_subdomain_is_told(text: str) -> None:
    """Everything else is refused with a reason."""

    assert name.subdomain(text)


@pytest.mark.parametrize("text", ["a", "A_b.c-D", "x.y/Z", "initject.dev/inject", "a" * 63])
def test_keys_are_taken(text: str) -> None:
    """A name, or a subdomain, a slash and a name."""

    assert "" == name.key(text)


@pytest.mark.parametrize("text", ["", "/a", "a/", "a/b/c", "A/b", "-a", "a b", "a" * 64, "é"])
def test_what_is_no_key_is_told(text: str) -> None:
    """Everything else is refused with a reason."""

    assert name.key(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("", True),
        ("A_b.c-1", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("-a", False),
        ("a/b", False),
    ],
)
def test_values_of_labels(text: str, right: bool) -> None:
    """A label's value may be empty, and else is as the name of a key."""

    assert right == (name.label_value(text) == "")
