"""A target as it is written: `scheme://host:port/path?query#option=value&option=value`.

The part behind `#` is never sent to any server, so it is where our options go.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

from webhook.errors import UsageError

MAX_LENGTH = 8192  # a guess: twice what servers take as a URL
# In no option and in no field: what moves a terminal, ends a line, or is no text.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_SPACE = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Address:
    """One target. `port` is None where none is written; `options` are in the order written.

    `listed`: it is from a list, whose author may be anybody, and goes only where all may go.
    """

    scheme: str
    host: str
    port: int | None = None
    path: str = ""
    query: str = ""
    options: tuple[tuple[str, str], ...] = ()
    listed: bool = False

    @property
    def place(self) -> str:
        """`host:port` as it stands in a URL; the port only where one is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        """What may be shown: no query, no options: a token may be in either."""
        return f"{self.scheme}://{self.place}{self.path}"

    def know(self, *names: str) -> None:
        """Raises UsageError for an option that is none of `names`."""
        for name, _ in self.options:
            if name not in names:
                has = f"it has: {', '.join(sorted(names))}" if names else "it has none"
                self.refuse(f"unknown option {name!r}; {has}")

    def every(self, name: str) -> Sequence[str]:
        """All values of an option."""
        return [value for key, value in self.options if key == name]

    def one(self, name: str, default: str = "") -> str:
        """The value of an option that may be written once; raises UsageError otherwise."""
        values = self.every(name)
        if len(values) > 1:
            self.refuse(f"option {name!r} is written twice; write it once")
        return values[0] if values else default

    def switch(self, name: str, *, default: bool) -> bool:
        """The value of an option that is `true` or `false`; raises UsageError otherwise."""
        value = self.one(name, str(default).lower())
        if value not in ("true", "false"):
            self.refuse(f"option {name!r} is {value!r}; write true or false")
        return value == "true"

    def bare(self) -> None:
        """Raises UsageError for a path or a query, where they would mean nothing."""
        if self.path not in ("", "/") or self.query:
            self.refuse(
                f"a target of {self.scheme} has no path; write {self.scheme}://{self.place}"
            )

    def refuse(self, what: str) -> NoReturn:
        """Raises UsageError about this target."""
        msg = f"{self}: {what}"
        raise UsageError(msg)


def parse(text: str) -> Address:
    """The target that `text` means; raises UsageError that quotes no password."""
    url, _, fragment = text.partition("#")
    try:
        _plain(url, fragment)
        parts = urlsplit(url)
        return Address(
            parts.scheme,
            _host(parts),
            _port(parts),
            parts.path,
            parts.query,
            tuple(_option(piece) for piece in fragment.split("&") if piece),
        )
    except ValueError as error:
        msg = f"{shown(text)}: {error}"
        raise UsageError(msg) from None


def shown(text: str) -> str:
    """As much of a target that is written wrongly as may be shown.

    What stands before an @, wherever it is, may be a password with a character that ended it early.
    """
    scheme, mark, rest = text.rpartition("@")[2].partition("://")
    if not mark and "@" in text and "://" in text:
        scheme, mark, rest = text.partition("://")[0], "://", scheme
    kept = re.split(r"[#?]", f"{scheme}{mark}{rest}", maxsplit=1)[0]
    return CONTROL.sub("?", kept)[:200] or "''"


def _plain(url: str, fragment: str) -> None:
    if len(url) + len(fragment) > MAX_LENGTH:
        msg = f"is longer than {MAX_LENGTH} characters"
        raise ValueError(msg)
    if "://" not in url:
        msg = "is no target; write one like tcp://db:5432"
        raise ValueError(msg)
    if not url.isascii() or _SPACE.search(url) or CONTROL.search(fragment):
        msg = "has a character that no URL has; write it percent-encoded"
        raise ValueError(msg)


def _host(parts: SplitResult) -> str:
    if "@" in parts.netloc:
        msg = "has a user; leave it out: nothing secret stands in a URL"
        raise ValueError(msg)
    host = parts.hostname or ""
    if not (_is_ipv6(host) if "[" in parts.netloc else is_name(host)):
        msg = "has no host that can be asked for; write a name or an address, IPv6 in brackets"
        raise ValueError(msg)
    return host


def is_name(host: str) -> bool:
    """Whether `host` may be a name, or an IPv4 address."""
    return bool(_NAME.fullmatch(host))


def is_host(host: str) -> bool:
    """Whether `host` may be a name or an address."""
    return is_name(host) or _is_ipv6(host)


def _is_ipv6(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, host)
    except OSError:
        return False
    return True


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        msg = "has a port that is none; write one from 1 to 65535"
        raise ValueError(msg)
    return port


def _option(piece: str) -> tuple[str, str]:
    name, mark, value = piece.partition("=")
    if not (name and mark):
        msg = "has something behind # that is no option; write #name=value&name=value"
        raise ValueError(msg)
    decoded = unquote(value)
    if CONTROL.search(decoded):
        msg = f"has a character in option {name!r} that no option has; leave out control characters"
        raise ValueError(msg)
    return name, decoded
