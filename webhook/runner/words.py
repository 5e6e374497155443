"""Targets as words of a command line: `postgres host=db port=5432 database=orders`.

Each value has a word of its own and is taken as it stands, so whatever it holds, it stays the value
of the field in front of it: what renders a target from somebody's text needs no quoting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import quote

from webhook.errors import UsageError
from webhook.runner import address
from webhook.runner.address import Address
from webhook.runner.schemes import SCHEMES

_KIND = re.compile(r"[a-z]+")
_FIELD = re.compile(r"([a-z][a-z-]*)=(.*)", re.DOTALL)

_PLACE = ("url", "host", "port")
# What may be said of the place beyond that, by module: the parts of a URL's path and query.
_FURTHER: Mapping[str, tuple[str, ...]] = {
    "http": ("path", "query"),
    "postgres": ("database",),
    "mysql": ("database",),
    "grpc": ("service",),
}
_OBJECT = "object"
_OBJECTS = ("url", "name", "namespace")  # the place of one, in place of a host
# Characters that stay as they are in a path and in a query (RFC 3986, 3.3 and 3.4); any other is
# percent-encoded, hence it is what it says. A % stays: it is written as in a URL.
_PATH, _QUERY = "/%:@!$&'()*+,;=~", "/%:@!$&'()*+,;=~?"


@dataclass(frozen=True, slots=True)
class Group:
    """One target's words: the kind, and its fields in the order written."""

    kind: str
    fields: tuple[tuple[str, str], ...] = ()


def split(words: Sequence[str]) -> Sequence[str | Group]:
    """Each target: a URL, or what else is written as one word; or a group.

    A word `kind` begins a group, and words `name=value` behind it are its fields. Fields behind no
    kind are a group of their own, without a kind.
    """
    found: list[str | Group] = []
    for word in words:
        field = _FIELD.fullmatch(word)
        last = found[-1] if found else ""
        if field and isinstance(last, Group):
            found[-1] = Group(last.kind, (*last.fields, (field[1], field[2])))
        elif field:
            found.append(Group("", ((field[1], field[2]),)))
        else:
            found.append(Group(word) if _KIND.fullmatch(word) else word)
    return found


def parse(group: Group) -> Address:
    """The target that a group means; raises UsageError. An empty value is as none."""
    if not group.kind:
        name = group.fields[0][0]
        msg = f"{name}=… stands behind no kind; write KIND {name}=…, or URL#{name}=…"
        raise UsageError(msg)
    fields = tuple((name, value) for name, value in group.fields if value)
    _plain(group.kind, fields)
    module = SCHEMES.get(group.kind, "")
    places = _OBJECTS if module == _OBJECT else (*_PLACE, *_FURTHER.get(module, ()))
    options = tuple((name, value) for name, value in fields if name not in places)
    said = _once(group.kind, [(name, value) for name, value in fields if name in places])
    if "url" in said:
        return replace(_url(group.kind, module, said), options=options)
    if module == _OBJECT:
        return Address(group.kind, *_object(group.kind, said), options=options)
    host, port = _host(group.kind, said), _port(group.kind, said)
    return Address(group.kind, host, port, _path(said), _query(said), options)


def _once(kind: str, fields: Sequence[tuple[str, str]]) -> Mapping[str, str]:
    said = dict(fields)
    for name in said:
        if [key for key, _ in fields].count(name) > 1:
            _refuse(kind, f"{name} is written twice; write it once")
    return said


def _plain(kind: str, fields: Sequence[tuple[str, str]]) -> None:
    if sum(len(value) for _, value in fields) > address.MAX_LENGTH:
        _refuse(kind, f"is longer than {address.MAX_LENGTH} characters")
    for name, value in fields:
        if address.CONTROL.search(value):
            _refuse(kind, f"{name} has a control character; leave it out")


def _url(kind: str, module: str, said: Mapping[str, str]) -> Address:
    if len(said) > 1:
        _refuse(kind, f"url says it whole; leave out {', '.join(sorted({*said} - {'url'}))}")
    text = said["url"]
    if "#" in text:
        _refuse(kind, "write the options of url as words of their own, without #")
    found = address.parse(text)
    if not module or SCHEMES.get(found.scheme) != module:
        fitting = " or ".join(f"{s}://" for s, m in SCHEMES.items() if m == module)
        _refuse(kind, f"url is of another kind; write one with {fitting or 'a kind that there is'}")
    return found


def _object(kind: str, said: Mapping[str, str]) -> tuple[str, None, str]:
    """The parts of `job://NAMESPACE/NAME`, or of `job://NAME`."""
    name, namespace = said.get("name", ""), said.get("namespace", "")
    if not name or "/" in name + namespace:
        _refuse(kind, "has no name that an object can have; add name=NAME")
    return (namespace, None, f"/{name}") if namespace else (name, None, "")


def _host(kind: str, said: Mapping[str, str]) -> str:
    host = said.get("host", "").lower()
    if not host:
        _refuse(kind, "has no host; add host=NAME")
    if not address.is_host(host):
        _refuse(kind, f"host {host[:100]!r} is none; write a name or an address")
    return host


def _port(kind: str, said: Mapping[str, str]) -> int | None:
    text = said.get("port", "")
    if not text:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > 65535:
        _refuse(kind, f"port {text[:100]!r} is none; write one from 1 to 65535")
    return int(text)


def _path(said: Mapping[str, str]) -> str:
    path = quote(said.get("path", ""), safe=_PATH)
    whole = quote(said.get("database") or said.get("service") or "", safe="")
    return f"/{path.removeprefix('/') or whole}" if path or whole else ""


def _query(said: Mapping[str, str]) -> str:
    return quote(said.get("query", ""), safe=_QUERY)


def _refuse(kind: str, what: str) -> NoReturn:
    msg = f"{kind}: {what}"
    raise UsageError(msg)
