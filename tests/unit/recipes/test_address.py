"""URLs with templates, taken apart."""

from __future__ import annotations

import pytest

from webhook.recipes.address import Address, split


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://auth", Address("http", "auth")),
        ("https://auth:8443/a/b?c=d&e", Address("https", "auth", "8443", "/a/b", "c=d&e")),
        ("http://auth.example.com?x", Address("http", "auth.example.com", "", "", "x")),
        ("http://[::1]:80/", Address("http", "::1", "80", "/")),
        (
            "http://${parameters.host}:${parameters.port}/${object.metadata.labels['a/b?c#d']}",
            Address(
                "http",
                "${parameters.host}",
                "${parameters.port}",
                "/${object.metadata.labels['a/b?c#d']}",
            ),
        ),
        ("http://a.${x ? 'y' : 'z'}.svc/", Address("http", "a.${x ? 'y' : 'z'}.svc", "", "/")),
    ],
)
def test_a_url_has_its_parts(text: str, parts: Address) -> None:
    """What stands inside a template is no syntax of the URL."""
    assert parts == split(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("auth/healthz", "must be a URL"),
        ("${parameters.url}", "must be a URL"),
        ("${parameters.scheme}://auth", "must be a URL"),
        ("http://user:secret@auth/", "has a user"),
        ("http://auth/#x", "has a fragment"),
        ("http:///x", "has no host"),
        ("http://${open", "is not closed"),
    ],
)
def test_what_is_no_url_is_refused(text: str, what: str) -> None:
    """With what is wrong, and without a password that stands in it."""
    with pytest.raises(ValueError, match=what) as error:
        split(text)

    assert "secret" not in str(error.value)
