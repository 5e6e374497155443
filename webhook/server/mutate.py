"""`POST /mutate`: what becomes of a pod."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

from webhook.inject.decision import Decision, Options
from webhook.policy.namespace import Namespace
from webhook.review import response
from webhook.review.request import Request
from webhook.server import record
from webhook.server.post import Post, deadline
from webhook.telemetry import Metrics
from webhook.telemetry.instruments import MUTATE

if TYPE_CHECKING:
    from webhook.policy.index import PolicySet

log = logging.getLogger("webhook.server.mutate")

MARGIN = 0.9  # of the deadline for reading a namespace; the rest is for deciding and answering


class Decide(Protocol):
    """`webhook.inject.decide.decide`, or a stand-in."""

    def __call__(
        self,
        request: Request,
        policies: PolicySet,
        namespace: Namespace | None,
        options: Options,
    ) -> Decision:
        """The decision about one request."""


class Policies(Protocol):
    """The policies in force: `webhook.store.policies`, or a stand-in."""

    def get(self) -> PolicySet:
        """The set in force now."""


class Namespaces(Protocol):
    """The namespaces that are known now: `webhook.store.namespaces`, or a stand-in."""

    def get(self, name: str) -> Namespace | None:
        """What is known of a namespace, without waiting."""


class Source(Protocol):
    """Where a namespace that is not known yet can be asked for: a cluster, where there is one."""

    async def read(self, name: str) -> Namespace | None:
        """The namespace, or None when there is none; may take as long as it likes."""


class Mutate(Post):
    """The ASGI application. Everything that it needs comes in here."""

    def __init__(
        self,
        decide: Decide,
        policies: Policies,
        namespaces: Namespaces,
        options: Options,
        *,
        metrics: Metrics,
        body_bytes: int,
        source: Source | None = None,
    ) -> None:
        super().__init__(MUTATE, metrics=metrics, body_bytes=body_bytes)
        self._decide = decide
        self._policies = policies
        self._namespaces = namespaces
        self._options = options
        self._source = source
        self._all_need_labels = options.inject == "opt-in"

    def _review(
        self, request: Request, body: bytes | bytearray, scope: Any
    ) -> bytes | Awaitable[bytes]:
        policies = self._policies.get()
        namespace = self._namespaces.get(request.namespace)
        source = self._source
        if namespace is None and source is not None and self._needs_labels(policies):
            return self._asked(source, request, policies, scope)
        return self._decided(request, policies, namespace)

    def _needs_labels(self, policies: PolicySet) -> bool:
        return self._all_need_labels or policies.needs_namespace

    async def _asked(
        self, source: Source, request: Request, policies: PolicySet, scope: Any
    ) -> bytes:
        reading = self._ask(source, request, scope)
        namespace = await asyncio.create_task(reading)  # time-outs exist in tasks only
        return self._decided(request, policies, namespace)

    def _decided(self, request: Request, policies: PolicySet, namespace: Namespace | None) -> bytes:
        decision = self._decide(request, policies, namespace, self._options)
        answer = _encode(request.uid, decision)
        record.record(self._metrics, request, decision)
        return answer

    async def _ask(self, source: Source, request: Request, scope: Any) -> Namespace | None:
        """One read of a namespace, within the request's deadline; None when it fails."""
        seconds = deadline(scope["query_string"]) * MARGIN
        try:
            async with asyncio.timeout(seconds):
                return await source.read(request.namespace)
        except Exception as error:  # whatever it is, the policies' `onError` is the answer to it
            why = type(error).__name__
            log.warning("namespace not read", extra={"namespace": request.namespace, "error": why})
            return None


def _encode(uid: str, decision: Decision) -> bytes:
    warnings, audit = decision.warnings, decision.audit
    if not decision.allowed:
        return response.denied(uid, decision.message, warnings=warnings, audit=audit)
    if decision.patch:
        return response.patched(uid, decision.patch, warnings=warnings, audit=audit)
    return response.allowed(uid, warnings=warnings, audit=audit)
