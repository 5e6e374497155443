"""A URL as an author writes it, taken apart while its templates are still open.

What a template is filled with later stands in one part and can leave it no more: a host that holds
a `/` or an `@` is a wrong host, never another path or another user.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from webhook.errors import ExpressionError
from webhook.expression import template


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of `scheme://host:port/path?query`; a part that is not written is empty."""

    scheme: str
    host: str
    port: str = ""
    path: str = ""
    query: str = ""

    @property
    def words(self) -> list[str]:
        """Its parts as words for the runner: the scheme, then `name=value`, each in its own."""
        parts = ((name, getattr(self, name)) for name in ("host", "port", "path", "query"))
        return [self.scheme, *(f"{name}={value}" for name, value in parts if value)]


def web(text: str) -> Address:
    """The parts of a URL of http or https; raises ValueError as `split`."""
    url = split(text)
    if url.scheme not in ("http", "https"):
        _refuse(f"is of the scheme {url.scheme}, not http or https")
    return url


def split(text: str) -> Address:
    """The parts of a URL with templates; raises ValueError with what is wrong.

    Users and fragments are refused: nothing secret belongs into a policy.
    """
    try:
        shown = template.masked(text)
    except ExpressionError as error:
        raise ValueError(error.what) from None
    scheme, mark, _ = shown.partition("://")
    if not mark or not scheme.isascii() or not scheme.isalpha() or not scheme.islower():
        _refuse("must be a URL such as http://auth/healthz, with its scheme written out")
    if "#" in shown:
        _refuse("has a fragment, which is sent to nobody")
    start = len(scheme) + len(mark)
    end = min((at for c in "/?" if (at := shown.find(c, start)) >= 0), default=len(text))
    query = shown.find("?", end)
    path_end = len(text) if query < 0 else query
    host, port = _host(text, shown, start, end)
    return Address(
        scheme, host, port, text[end:path_end], text[path_end + 1 :] if query >= 0 else ""
    )


def _host(text: str, shown: str, start: int, end: int) -> tuple[str, str]:
    place = shown[start:end]
    if "@" in place:
        _refuse("has a user; leave it out")
    # The colons of an IPv6 address stand in brackets.
    colon = place.rfind(":", place.rfind("]") + 1)
    host = text[start : end if colon < 0 else start + colon]
    if place.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        _refuse("has no host")
    return host, "" if colon < 0 else text[start + colon + 1 : end]


def _refuse(what: str) -> NoReturn:
    raise ValueError(what)
