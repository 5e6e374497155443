"""`http` and `https`: a server answers as asked. Redirects are answers; none is followed."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webhook.errors import NotReadyError
from webhook.runner import check, client, connection
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline

MAX_BODY = 256 * 1024  # bytes in which a pattern is looked for; a guess: health pages are small
MAX_FILE = 64 * 1024  # bytes of a file with headers; more than servers take

_OPTIONS = ("method", "status", "body", "expect", "header", "header-file")
_METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_OURS = ("host", "content-length", "transfer-encoding", "connection")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked, and which answer is wanted. Patterns are RE2's and match anywhere."""

    method: str
    target: str
    headers: Mapping[str, str]
    statuses: tuple[range, ...]
    body: Any
    fields: tuple[tuple[str, Any], ...]


def read(address: Address) -> check.Check:
    """Ready when the answer has the status, and what `body` and `expect` ask for."""
    secure = address.scheme == "https"
    address.know(*_OPTIONS, *(check.TLS if secure else ()))
    wanted = _wanted(address)
    port = address.port or (443 if secure else 80)
    trusted = check.trust(address, always=True) if secure else None

    def look(deadline: Deadline) -> None:
        with connection.to(address, port, deadline, trusted) as opened:
            asking = client.over(opened, address)
            try:
                asking.request(wanted.method, wanted.target, headers=wanted.headers)
                _compare(asking.getresponse(), wanted)
            except (http.client.HTTPException, ValueError) as error:
                said = check.sentence(str(error).encode()) or type(error).__name__
                msg = f"answers with no HTTP: {said}"
                raise NotReadyError(msg) from None

    return look


def _compare(answer: http.client.HTTPResponse, wanted: Wanted) -> None:
    if not any(answer.status in statuses for statuses in wanted.statuses):
        redirect = ", a redirect, which is not followed" if 300 <= answer.status < 400 else ""
        msg = f"status {answer.status}{redirect}"
        raise NotReadyError(msg)
    for name, pattern in wanted.fields:
        if not any(pattern.search(value) for value in answer.headers.get_all(name, [])):
            msg = f"the header {name} does not match"
            raise NotReadyError(msg)
    if wanted.body and not wanted.body.search(_start(answer)):
        msg = "the body does not match"
        raise NotReadyError(msg)


def _start(answer: http.client.HTTPResponse) -> str:
    try:
        body = answer.read(MAX_BODY)
    except http.client.IncompleteRead as error:
        body = error.partial
    return body.decode("utf-8", "replace")


def _wanted(address: Address) -> Wanted:
    method = address.one("method", "GET")
    if method not in _METHODS:
        address.refuse(f"method {method!r} is none of {', '.join(_METHODS)}")
    body = address.one("body")
    expected = _fields(address, address.every("expect"))
    return Wanted(
        method,
        (address.path or "/") + (f"?{address.query}" if address.query else ""),
        {"Connection": "close", **_headers(address)},
        tuple(_statuses(address)),
        _pattern(address, body) if body else None,
        tuple((name, _pattern(address, value)) for name, value in expected),
    )


def _statuses(address: Address) -> Iterator[range]:
    for piece in address.one("status", "200-299").split(","):
        found = _RANGE.fullmatch(piece)
        if not found:
            address.refuse(f"status {piece!r} is none; write one like 200, 200-299 or 200,404")
        yield range(int(found[1]), int(found[2] or found[1]) + 1)


def _headers(address: Address) -> dict[str, str]:
    lines = [*address.every("header")]
    for name in address.every("header-file"):
        try:
            with Path(name).open(encoding="latin-1") as file:
                lines += [line for line in file.read(MAX_FILE).splitlines() if line]
        except OSError as error:
            address.refuse(f"{name} cannot be read: {error.strerror}")
    headers = dict(_fields(address, lines))
    for name in headers:
        if name.lower() in _OURS:
            address.refuse(f"header {name} is not yours to set; leave it out")
    return headers


def _fields(address: Address, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        found = _FIELD.fullmatch(line)
        if not found:  # not quoted: it may hold a token
            address.refuse("has a header that is none; write it as Name: value")
        yield found[1], found[2]


def _pattern(address: Address, text: str) -> Any:
    import re2  # a server's answer never meets Python's own `re`, which can take for ever

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0]
        why = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        address.refuse(f"{text!r} is no pattern of RE2: {why}")
