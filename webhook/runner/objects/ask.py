"""Questions to the API server: one answer, or a stream of events. Each has an end and a bound.

Source: Kubernetes documentation, "Kubernetes API Concepts" (watches, resource versions).
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import webhook
from webhook.errors import NotReadyError
from webhook.runner import check, client, connection
from webhook.runner.deadline import Deadline
from webhook.runner.objects.account import Account

MAX_ANSWER = 4 * 1024 * 1024  # bytes of an answer or an event; etcd takes objects of 1.5 MiB
MAX_REFUSAL = 16 * 1024  # bytes of a refusal; a guess: it is a sentence

Json = Mapping[str, Any]

_USER = re.compile(r'User "([^"]{1,300})"')
_OTHER = "the API server answers, and not with JSON"


class GoneError(NotReadyError):
    """The API server has no such path."""


class ForbiddenError(NotReadyError):
    """The API server does not allow it; `user` is who we are there, if it says so."""

    def __init__(self, what: str, user: str) -> None:
        super().__init__(what)
        self.user = user


def read(account: Account, path: str, deadline: Deadline, **query: str) -> Json:
    """What is at a path; raises NotReadyError, of these kinds where they fit."""
    with _answer(account, path, query, deadline) as (_, answer):
        return _json(answer.read(MAX_ANSWER + 1))


@contextmanager
def watching(
    account: Account, path: str, opening: Deadline, ending: Deadline, **query: str
) -> Iterator[Iterator[tuple[str, Json]]]:
    """What a watch tells, as kind and object, until it ends; raises NotReadyError as `read`.

    It must be answered by `opening`, and ends at the latest at `ending`. However it ends is the
    same: what happened meanwhile is in the next list.
    """
    with _answer(account, path, {**query, "watch": "true"}, opening) as (opened, answer):
        opened.until(ending)
        yield _events(answer)


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Json]]:
    try:
        while line := answer.readline(MAX_ANSWER + 1):
            event = _json(line)
            kind, of = event.get("type"), event.get("object")
            if kind == "ERROR" or not isinstance(kind, str) or not isinstance(of, dict):
                return  # mostly 410: the version is forgotten
            if kind != "BOOKMARK":
                yield kind, of
    except (NotReadyError, http.client.HTTPException, ValueError):
        return


@contextmanager
def _answer(
    account: Account, path: str, query: Mapping[str, str], deadline: Deadline
) -> Iterator[tuple[connection.Connection, http.client.HTTPResponse]]:
    headers = {
        "Authorization": f"Bearer {account.token()}",
        "Accept": "application/json",
        "User-Agent": f"initject/{webhook.__version__}",
        "Connection": "close",
    }
    target = f"{path}?{urlencode(query)}" if query else path
    with connection.to(account.server, 443, deadline, account.trust()) as opened:
        asking = client.over(opened, account.server)
        try:
            asking.request("GET", target, headers=headers)
            answer = asking.getresponse()
            _judge(answer)
            yield opened, answer
        except (http.client.HTTPException, ValueError) as error:
            said = check.sentence(str(error).encode()) or type(error).__name__
            msg = f"the API server answers with no HTTP: {said}"
            raise NotReadyError(msg) from None


def _judge(answer: http.client.HTTPResponse) -> None:
    if answer.status == http.client.OK:
        return
    said = check.sentence(str(_status(answer).get("message", "")).encode())
    if answer.status == http.client.UNAUTHORIZED:
        msg = "the API server does not accept the token of the service account"
        raise NotReadyError(msg)
    if answer.status == http.client.FORBIDDEN:
        user = _USER.search(said)
        msg = f"the API server forbids it: {said}"
        raise ForbiddenError(msg, user[1] if user else "")
    what = f"the API server answers with status {answer.status}"
    if answer.status in (http.client.NOT_FOUND, http.client.GONE):
        raise GoneError(what)
    raise NotReadyError(f"{what}: {said}" if said else what)


def _status(answer: http.client.HTTPResponse) -> Json:
    try:
        return _json(answer.read(MAX_REFUSAL))
    except (NotReadyError, http.client.HTTPException, ValueError):
        return {}


def _json(data: bytes) -> Json:
    if len(data) > MAX_ANSWER:
        msg = f"the API server answers with more than {MAX_ANSWER // 1024 // 1024} MiB"
        raise NotReadyError(msg)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotReadyError(_OTHER)
    return found
