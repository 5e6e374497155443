"""The one door to the Kubernetes client: lists in pages, watches, reads and writes of raw objects.

Configuration, credentials and TLS are the client's; its models are not used, for they drop what
they do not know. Slow to import (half a second): only for who has chosen the cluster.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

import webhook
from webhook.errors import UsageError

Json = dict[str, Any]

PAGE = 500  # objects; client-go's own page
# Seconds: for an answer to begin, and then without a byte of it; however slow the line, what comes
# is waited for. A guess. The client ends each call after five minutes, so a drip ends as well.
PATIENCE = 30.0
GRACE = 15.0  # seconds without a byte once the time of a watch is over; a guess
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _GONE = 401, 404, 409, 410
_CLUSTER = "KUBERNETES_SERVICE_HOST"  # what the kubelet sets in each pod


class ApiError(Exception):
    """The API server did not answer, or said no; `code` is its HTTP status, 0 without any."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class GoneError(ApiError):
    """What a watch or a page builds upon has been forgotten: begin with a new list."""


class ConflictError(ApiError):
    """The object is not what a writer took it for, or is there already: read it, decide again."""


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a collection at one moment, which `version` names."""

    objects: list[Json]
    version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One change: ADDED, MODIFIED, DELETED, or BOOKMARK, which tells nothing but a version."""

    kind: str
    object: Json

    @property
    def version(self) -> str:
        """The resource version up to which a watch has come with this event."""
        return str(self.object["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class _Call:
    """One request: what is asked of which path; `kind` is the content type of a body."""

    path: str
    query: Mapping[str, Any]
    method: str = "GET"
    kind: str = ""
    body: object = None

    @property
    def target(self) -> str:
        """The path with everything that is asked of it; it may have selectors already."""
        joint = "&" if "?" in self.path else "?"
        return f"{self.path}{joint}{urlencode(self.query)}" if self.query else self.path


class Api:
    """One API server. Nothing is connected before the first call.

    The path of a collection may carry selectors (`?fieldSelector=…`, encoded).
    """

    def __init__(self, kubeconfig: str | None, context: str | None = None) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._client: ApiClient | None = None
        self._ahead: float | None = None  # seconds since 1970, there, at zero of our own counter

    def now(self) -> float:
        """Seconds since 1970 by the API server's clock, as its last answer told it.

        Ours until it has answered once. A clock of ours that is wrong, or jumps, changes nothing.
        """
        return time.time() if self._ahead is None else self._ahead + time.monotonic()

    async def open(self) -> None:
        """Read credentials; raises UsageError when there are none that can be used."""
        found = Configuration()
        try:
            given = self._kubeconfig or self._context
            if given is None and os.environ.get(_CLUSTER):
                config.load_incluster_config(client_configuration=found)
            else:
                await config.load_kube_config(
                    self._kubeconfig,
                    context=self._context,
                    client_configuration=found,
                    persist_config=False,
                )
            client = ApiClient(found)
        except (config.ConfigException, OSError, ValueError, TypeError, KeyError) as error:
            where = self._kubeconfig or "the default kubeconfig or the pod's service account"
            message = f"{where} cannot be used to reach a cluster: {error}; name a --kubeconfig"
            raise UsageError(message) from error
        client.user_agent = f"initject/{webhook.__version__}"
        self._client, old = client, self._client
        if old is not None:
            await old.close()

    async def close(self) -> None:
        """Cut every connection."""
        if self._client is not None:
            await self._client.close()

    async def all(self, path: str) -> Listed:
        """Everything in the collection at `path`, in pages, without `managedFields`.

        Raises ApiError, GoneError.
        """
        objects: list[Json] = []
        page: Mapping[str, Any] = {"limit": PAGE}
        while True:
            body = await self._read(_Call(path, page))
            objects += map(_lean, body.get("items") or [])
            metadata = body["metadata"]
            if not metadata.get("continue"):
                return Listed(objects, metadata["resourceVersion"])
            page = {"limit": PAGE, "continue": metadata["continue"]}

    async def get(self, path: str) -> Json | None:
        """The object at `path`, or None when there is none. Raises ApiError."""
        try:
            return await self._read(_Call(path, {}))
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    async def write(
        self, method: Literal["POST", "PUT", "PATCH", "DELETE"], path: str, body: object = None
    ) -> Json:
        """Create, replace, patch or delete one object; what the API server answers.

        A patch that is a list is a JSON patch (RFC 6902), one that is a mapping a merge patch (RFC
        7386). Raises ConflictError, ApiError: then it may have been done or not.
        """
        kind = "application/json"
        if method == "PATCH":
            kind = f"application/{'json' if isinstance(body, list) else 'merge'}-patch+json"
        return await self._read(_Call(path, {}, method, kind, body))

    async def watch(self, path: str, version: str, seconds: float) -> AsyncGenerator[list[Event]]:
        """What changes in a collection after `version`, as it comes, for `seconds` at most.

        Yields what has come together, with bookmarks, and nothing once it has begun. Raises
        ApiError, GoneError. A connection that died in silence is found out a grace after the time.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": int(seconds),
        }
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        async with _failing(), asyncio.timeout(PATIENCE):
            answer = await self._ask(_Call(path, query))
        rest = b""
        try:
            yield []
            while True:
                async with _failing(), asyncio.timeout_at(max(end, loop.time()) + GRACE):
                    chunk = await answer.content.readany()
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                events = [_event(line) for line in lines if line]
                if events:
                    yield events
        finally:
            answer.close()

    async def _read(self, call: _Call) -> Json:
        async with _failing(), asyncio.timeout(PATIENCE) as silence:
            answer = await self._ask(call)
            body = bytearray()
            try:
                while chunk := await answer.content.readany():
                    body += chunk
                    silence.reschedule(asyncio.get_running_loop().time() + PATIENCE)
            finally:
                answer.close()  # unless it has been read to its end: then others go on with it
            found: Json = msgspec.json.decode(body)
        return found

    async def _ask(self, call: _Call) -> Any:
        """The answer to a call, its body still unread. Raises ApiError unless it is a success,
        and what `_failing` takes."""
        if self._client is None:
            await self.open()
        client = self._client
        assert client is not None
        url = f"{client.configuration.host}{call.target}"
        headers = {"Accept": "application/json", "User-Agent": client.user_agent}
        if call.kind:
            headers["Content-Type"] = call.kind
        auth = (await client.configuration.auth_settings()).get("BearerToken")
        if auth is not None:
            headers["Authorization"] = auth["value"]
        answer = (await client.call_api(call.method, url, headers, call.body)).response
        if "Date" in answer.headers:
            told = parsedate_to_datetime(answer.headers["Date"])
            self._ahead = told.timestamp() - time.monotonic()
        if answer.status < 300:
            return answer
        try:
            text = _message(await answer.read())
        finally:
            answer.close()
        if answer.status == _UNAUTHORIZED:  # the token may have been replaced on disk
            await self.open()
        raise _error(answer.status, text)


@asynccontextmanager
async def _failing() -> AsyncIterator[None]:
    """Whatever goes wrong on the way there and back is an ApiError."""
    try:
        yield
    except TimeoutError as error:
        msg = "no answer in time"
        raise ApiError(msg) from error
    except (OSError, ValueError, UsageError, config.ConfigException, aiohttp.ClientError) as error:
        raise ApiError(str(error) or type(error).__name__) from error


def _event(text: bytes) -> Event:
    line = json.loads(text)
    if line["type"] == "ERROR":
        status = line["object"]
        raise _error(int(status.get("code", 0)), str(status.get("message", "")))
    return Event(line["type"], line["object"])


def _error(code: int, text: str) -> ApiError:
    kind = {_GONE: GoneError, _CONFLICT: ConflictError}.get(code, ApiError)
    return kind(f"HTTP {code}: {text}", code)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, TypeError, KeyError):
        return body[:200].decode("utf-8", "replace")


def _lean(one: Json) -> Json:
    """Without what is often the largest part of an object, and read by nobody who lists."""
    one["metadata"].pop("managedFields", None)
    return one
