"""A decision as counts and as one log line: whom it concerns, what came of it, never a body."""

from __future__ import annotations

import logging
from typing import Any

from webhook.inject.decision import Code, Decision, Reason
from webhook.review.request import Request
from webhook.telemetry import Metrics

log = logging.getLogger("webhook.review")

# What is worth saying about a policy that applied.
NOTES = frozenset({Code.CHANGED, Code.ORPHAN, Code.PLACEMENT, Code.COST})
# True of most policies and pods, or of a pod that another policy refused: numbers that say nothing.
UNCOUNTED = frozenset({Code.UNMATCHED, Code.PLANNED})
# A policy that was wanted for this pod, and could not be applied.
LEFT_OUT = frozenset(
    {
        *(Code.NAMESPACE_UNKNOWN, Code.CONDITION_FAILED, Code.PARAMETER_FAILED),
        *(Code.TEMPLATE_FAILED, Code.BORROW_FAILED, Code.CONFLICT),
    }
)


def record(metrics: Metrics, request: Request, decision: Decision) -> None:
    """Count a decision and log it: at info when a pod was changed, refused or let down by a
    policy, else at debug."""
    notable = not decision.allowed or bool(decision.patch)
    for reason in decision.reasons:
        _count(metrics, reason, refused=reason.policy in decision.refused_by)
        notable = notable or reason.code in LEFT_OUT
    if decision.faulty:
        metrics.faulty()
    outcome = _outcome(decision)
    metrics.concluded(outcome)
    level = logging.INFO if notable else logging.DEBUG
    if log.isEnabledFor(level):
        log.log(level, "review", extra=_fields(request, decision, outcome))


def _outcome(decision: Decision) -> str:
    if not decision.allowed:
        return "denied"
    return "patched" if decision.patch else "unchanged"


def _count(metrics: Metrics, reason: Reason, *, refused: bool) -> None:
    code = reason.code
    if code is Code.APPLIED:
        metrics.injected(reason.policy)
    elif code in UNCOUNTED:
        return
    elif code is Code.AUDITED:
        metrics.audited(reason.policy)
    elif code in NOTES:
        metrics.noted(reason.policy, code.value)
    elif refused and code in LEFT_OUT:
        metrics.denied(reason.policy, code.value)
    else:
        metrics.skipped(reason.policy, code.value)


def _fields(request: Request, decision: Decision, outcome: str) -> dict[str, Any]:
    """What a line says. The pod's name, which the API server may not have chosen yet."""
    fields: dict[str, Any] = {
        "uid": request.uid,
        "namespace": request.namespace,
        "pod": request.name or _generated(request),
        "outcome": outcome,
        "policies": decision.applied,
        "reasons": [
            _word(reason) for reason in decision.reasons if reason.code is not Code.APPLIED
        ],
    }
    if request.dry_run:
        fields["dry_run"] = True
    if decision.message:
        fields["denied"] = decision.message
    return fields


def _generated(request: Request) -> str:
    metadata = (request.object or {}).get("metadata")
    name = metadata.get("generateName") if isinstance(metadata, dict) else None
    return f"{name}*" if isinstance(name, str) else ""


def _word(reason: Reason) -> str:
    """`policy: code: field: detail`, without what is empty."""
    return ": ".join(filter(None, (reason.policy, reason.code.value, reason.field, reason.detail)))
