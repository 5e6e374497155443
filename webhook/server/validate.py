"""`POST /validate`: whether a policy that is created or changed in the cluster is right.

Whoever applies it reads at once what `initject check` would say of it. It keeps nothing out that
must go in: what is in the way of deleting or labelling is not looked at, and without an answer the
API server accepts (`failurePolicy: Ignore`); a wrong policy is out of force all the same.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from webhook.document.problem import Problem
from webhook.errors import ReviewError
from webhook.policy import load, model
from webhook.recipes.defaults import Defaults
from webhook.review import codec, response
from webhook.review.request import Json, Request
from webhook.server.post import BusyError, Post, deadline
from webhook.telemetry import Metrics
from webhook.telemetry.instruments import VALIDATE

log = logging.getLogger("webhook.server.validate")

# The slowest check that was found takes 14 ms a KiB (thousands of literals in each expression), so
# this much is done in half of the five seconds that our webhook configuration gives; a usual policy
# has 2 KiB and takes 3 ms.
SPEC_BYTES = 128 * 1024
WAITING = 32  # checks that wait for the one before; a guess, since people apply few at a time
MARGIN = 0.9  # of the deadline for checking; the rest is for answering
UNCHECKED = f"initject did not check this policy: its spec has more than {SPEC_BYTES // 1024} KiB"
BUSY = "Initject has no time to check this policy; the failurePolicy of the webhook decides"
SHOWN = 20  # problems in a log line; a guess

_VERSION = tuple(model.API_VERSION.split("/"))
_NUMBER = re.compile(r"(\d+)")


class Validate(Post):
    """The ASGI application. Policies are checked one at a time, on a thread beside the reviews."""

    def __init__(self, defaults: Defaults, *, metrics: Metrics, body_bytes: int) -> None:
        super().__init__(VALIDATE, metrics=metrics, body_bytes=body_bytes)
        self._defaults = defaults
        self._checker = ThreadPoolExecutor(1, "validate")
        self._waiting = 0

    async def _review(self, request: Request, body: bytes | bytearray, scope: Any) -> bytes:
        policy = _written(request, body)
        if policy is None:
            self._metrics.judged("unchecked")
            return response.allowed(request.uid)
        if len(msgspec.json.encode(policy.get("spec"))) > SPEC_BYTES:
            self._metrics.judged("unchecked")
            log.warning("policy not checked: too large", extra=_names(request, policy))
            return response.allowed(request.uid, warnings=[UNCHECKED])
        problems = await self._check(policy, deadline(scope["query_string"]) * MARGIN)
        return self._answered(request, policy, problems)

    async def _check(self, policy: Json, seconds: float) -> Sequence[Problem]:
        """Every problem, within that time; raises BusyError. What has not begun then never does."""
        if self._waiting >= WAITING:
            raise BusyError(BUSY)
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            checking = loop.run_in_executor(self._checker, load.one, policy, self._defaults)
            done, _ = await asyncio.wait({checking}, timeout=seconds)
            if not done:
                checking.cancel()
                raise BusyError(BUSY)
            return checking.result().problems
        finally:
            self._waiting -= 1

    def _answered(self, request: Request, policy: Json, problems: Sequence[Problem]) -> bytes:
        ordered = sorted(problems, key=_place)
        errors = [problem for problem in ordered if problem.severity == "error"]
        warnings = [str(problem) for problem in ordered if problem.severity == "warning"]
        names = _names(request, policy)
        if not errors:
            self._metrics.judged("accepted")
            log.info("policy accepted", extra={**names, "warnings": len(warnings)})
            return response.allowed(request.uid, warnings=warnings)
        self._metrics.judged("refused")
        told = [str(problem) for problem in errors]
        log.info("policy refused", extra={**names, "problems": told[:SHOWN]})
        details = {
            "name": names["policy"].rpartition("/")[2],
            "group": model.GROUP,
            "kind": names["kind"],
            "causes": [{"field": one.field, "message": one.cause} for one in errors],
        }
        return response.invalid(request.uid, _message(told), details, warnings=warnings)


def _written(request: Request, body: bytes | bytearray) -> Json | None:
    """The policy to check; None where nothing was written that could be wrong.

    A policy that an upgrade made wrong must still be labelled, and deleted, which takes finalizers
    away by an update: so what leaves the spec as it was is let through. Raises ReviewError.
    """
    ours = request.kind[:2] == _VERSION and request.kind[2] in model.KINDS
    if not ours or request.subresource or request.operation not in ("CREATE", "UPDATE"):
        return None
    policy = request.object
    if policy is None:
        raise ReviewError(field="request.object", what="must be an object")
    if request.operation == "UPDATE":
        old = codec.old_object(body)
        if old is not None and old.get("spec") == policy.get("spec"):
            return None
    return policy


def _names(request: Request, policy: Json) -> dict[str, str]:
    metadata = policy.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    key = "/".join(filter(None, (request.namespace, name if isinstance(name, str) else "")))
    return {"uid": request.uid, "kind": request.kind[2], "policy": key}


def _place(problem: Problem) -> list[tuple[int, str]]:
    """Fields in the order of a stored object, `steps[2]` before `steps[10]`."""
    parts = _NUMBER.split(problem.field)
    return [(int(part), "") if part.isdigit() else (0, part) for part in parts]


def _message(told: Sequence[str]) -> str:
    """One problem in one line, more of them as a list."""
    if len(told) == 1:
        return told[0]
    return "\n".join([f"{len(told)} problems", *(f"- {one}" for one in told)])
