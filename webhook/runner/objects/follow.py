"""One object, looked at once, or followed until it is ready.

A list with a selector for the name, then a watch from there: a Role can allow both for this one
name. However a watch ends, the next thing is a list again: nothing is remembered, so there is
nothing that the API server could have forgotten.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from webhook.errors import HopelessError, NotReadyError
from webhook.runner import check
from webhook.runner.deadline import Deadline
from webhook.runner.objects import ask, resource
from webhook.runner.objects.account import Account
from webhook.runner.objects.ask import Json
from webhook.runner.objects.readiness import Judge
from webhook.runner.objects.resource import Kind, Resource

# A watch that is quiet cannot be told from a dead connection, so it is renewed; in between, so that
# not all do it at once. Guesses: a request each minute costs nothing.
SECONDS = (40.0, 60.0)


@dataclass(slots=True)
class Followed:
    """An object of a name; an empty `namespace` is the pod's own.

    `known` is where its kind is found, None as long as nobody has asked for that.
    """

    account: Account
    kind: Kind
    name: str
    namespace: str
    judge: Judge
    known: Resource | None = None

    def __call__(self, deadline: Deadline) -> None:
        """Looks once; raises NotReadyError, HopelessError."""
        place = self._place(deadline)
        _, reason = self._list(place, deadline)
        if reason:
            raise NotReadyError(reason)

    def follow(self, deadline: Deadline, attempt: float, say: Callable[[str], None]) -> None:
        """Returns when it is ready; raises NotReadyError to be begun again, and HopelessError."""
        place = self._place(deadline.earlier(attempt))
        version, reason = self._list(place, deadline.earlier(attempt))
        if not reason:
            return
        say(reason)
        for reason in self._changes(place, version, deadline, attempt):
            if not reason:
                return
            say(reason)
        raise NotReadyError(reason)

    def _place(self, deadline: Deadline) -> _Place:
        known = self.known or resource.find(self.account, self.kind, deadline)
        self.known = known
        if not known.namespaced:
            return _Place(known, self.name, "")
        return _Place(known, self.name, self.namespace or self.account.namespace())

    def _list(self, place: _Place, deadline: Deadline) -> tuple[str, str]:
        """The version of what is there now, and why it is not ready."""
        with place.told("list"):
            found = ask.read(self.account, place.path, deadline, fieldSelector=place.selector)
        items, metadata = found.get("items"), found.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(items, list | None):
            msg = "the API server answers, and not with a list"
            raise NotReadyError(msg)
        return str(metadata.get("resourceVersion", "")), self._reason(items[0] if items else None)

    def _changes(
        self, place: _Place, version: str, deadline: Deadline, attempt: float
    ) -> Iterator[str]:
        """The reason after each change, until the watch ends."""
        seconds = random.uniform(*SECONDS)  # noqa: S311 - no secret
        opening, ending = deadline.earlier(attempt), deadline.earlier(seconds + attempt)
        query = {
            "fieldSelector": place.selector,
            "resourceVersion": version,
            "timeoutSeconds": str(round(seconds)),
        }
        asking = ask.watching(self.account, place.path, opening, ending, **query)
        with place.told("watch"), suppress(ask.GoneError), asking as events:
            for kind, found in events:
                yield self._reason(None if kind == "DELETED" else found)

    def _reason(self, found: object) -> str:
        """Why it is not ready, in words for a line; raises HopelessError."""
        if not isinstance(found, dict):
            return f"there is no {self.kind.name} of that name"
        return _fit(self.judge, found)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an object is; the namespace is empty where its kind is in none."""

    resource: Resource
    name: str
    namespace: str

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace)

    @property
    def selector(self) -> str:
        return f"metadata.name={self.name}"

    @contextmanager
    def told(self, verb: str) -> Iterator[None]:
        """What is forbidden becomes the right that is missing."""
        try:
            yield
        except ask.ForbiddenError as error:
            who = error.user or "the service account"
            where = f" in the namespace {self.namespace}" if self.namespace else ""
            msg = f"{who} may not {verb} {self.resource.right} named {self.name}{where}"
            raise NotReadyError(msg) from None


def _fit(judge: Judge, found: Json) -> str:
    try:
        return check.sentence(judge(found).encode())
    except HopelessError as error:
        raise HopelessError(check.sentence(str(error).encode())) from None
