"""One file over HTTP, to a bound: redirects, headers, pace."""

from __future__ import annotations

import email.utils
import http.client
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from webhook.errors import FetchError, NotReadyError
from webhook.runner import check, client, connection, names
from webhook.runner.address import Address
from webhook.runner.deadline import Deadline
from webhook.runner.fetch import redirect, size

if TYPE_CHECKING:
    from webhook.runner.connection import Connection
    from webhook.runner.trust import Trust

MOST_REDIRECTS = 5  # a guess: downloads of large hosts need two
SLOWEST = 1024  # bytes a second below which a server is taken for stuck; a guess
CHUNK = 64 * 1024

_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429)  # of the client's errors those that pass: too slow, too early, too many

Put = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Way:
    """How a server is asked. `headers` go to the first host only, `ca` is a file or empty.

    `stall` is how many seconds a server may take to answer, and then for stall * SLOWEST bytes.
    """

    headers: Mapping[str, str]
    ca: str
    redirects: redirect.Redirects
    stall: float


def get(first: Address, way: Way, most: int, deadline: Deadline, put: Put, *, told: bool) -> int:
    """Hands all of the file to `put`, and returns how many bytes that were.

    With `told` a server must say how long the file is, so that one that is cut short is noticed.
    Raises NotReadyError for what may heal, FetchError for what will not.
    """
    place, trusted = first, True
    for _ in range(MOST_REDIRECTS + 1):
        with _asked(first, place, way, deadline, trusted=trusted) as (opened, answer):
            location = answer.getheader("Location")
            if answer.status not in _REDIRECTS or not location:
                _accept(answer)
                return _body(opened, answer, most, _Pace(deadline, way.stall), put, told=told)
        place = redirect.following(place, location, way.redirects)
        trusted = trusted and redirect.same(first, place)
    msg = f"redirects more than {MOST_REDIRECTS} times"
    raise FetchError(msg)


@contextmanager
def _asked(
    first: Address, place: Address, way: Way, deadline: Deadline, *, trusted: bool
) -> Iterator[tuple[Connection, http.client.HTTPResponse]]:
    """An open connection, and the beginning of an answer."""
    headers = {"User-Agent": "initject", "Connection": "close", **(way.headers if trusted else {})}
    patience = deadline.earlier(way.stall)
    trust = _trust(place, way) if place.scheme == "https" else None
    redirect.check_name(place)
    found = names.look_up(place.host, redirect.port(place), patience)
    redirect.check(place, first, found)
    with connection.first(found, patience, trust) as opened:
        asking = client.over(opened, place)
        try:
            asking.request("GET", _target(place), headers=headers)
            yield opened, asking.getresponse()
        except http.client.IncompleteRead:
            msg = "the answer ends early, within a chunk"
            raise NotReadyError(msg) from None
        except (http.client.HTTPException, ValueError) as error:
            said = check.sentence(str(error).encode()) or type(error).__name__
            msg = f"answers with no HTTP: {said}"
            raise NotReadyError(msg) from None


def _trust(place: Address, way: Way) -> Trust:
    from webhook.runner import trust  # TLS costs memory and time to load

    return trust.read(replace(place, options=(("ca", way.ca),) if way.ca else ()))


def _target(place: Address) -> str:
    return (place.path or "/") + (f"?{place.query}" if place.query else "")


def _accept(answer: http.client.HTTPResponse) -> None:
    if answer.status == 200:
        return
    msg = f"status {answer.status}"
    if answer.status in _BUSY or answer.status >= 500:
        raise NotReadyError(msg, after=_after(answer.getheader("Retry-After", "")))
    raise FetchError(msg)


def _after(text: str) -> float:
    """Seconds of a Retry-After (RFC 9110, 10.2.3), none where it has none."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


class _Pace:
    """When the next bytes must have come."""

    def __init__(self, deadline: Deadline, stall: float) -> None:
        self._whole = deadline
        self._stall = stall
        self._since = 0
        self.deadline = deadline.earlier(stall)

    def came(self, count: int) -> None:
        self._since += count
        if self._since >= self._stall * SLOWEST:
            self._since = 0
            self.deadline = self._whole.earlier(self._stall)


def _body(
    opened: Connection,
    answer: http.client.HTTPResponse,
    most: int,
    pace: _Pace,
    put: Put,
    *,
    told: bool,
) -> int:
    length = answer.length
    if length is None and not answer.chunked and told:
        msg = "does not say how long its answer is, so it may be cut short unseen; write sha256"
        raise FetchError(msg)
    if length is not None and length > most:
        raise FetchError(_too_large(most))
    count = 0
    while length is None or count < length:
        opened.until(pace.deadline)
        piece = answer.read1(CHUNK if length is None else min(CHUNK, length - count))
        count += len(piece)
        if count > most:
            raise FetchError(_too_large(most))
        if not piece:
            break
        put(piece)
        pace.came(len(piece))
    if length is not None and count < length:
        msg = f"the answer ends at {size.written(count)} of {size.written(length)}"
        raise NotReadyError(msg)
    return count


def _too_large(most: int) -> str:
    return f"is larger than max-size, {size.written(most)}"
