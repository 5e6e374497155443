"""Events about policies: that one went out of force, or came back; as values, and how many."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from webhook.cluster.lease import moment
from webhook.cluster.verdict import Id, Ready, Stored
from webhook.policy import model

Json = dict[str, Any]

OUT, BACK = "OutOfForce", "BackInForce"
NOTE = 1024  # bytes; events.k8s.io's own bound
# An Event of an object is in its namespace; that of one without is in `default`: the API server
# takes no other, and `kubectl describe` looks nowhere else.
DEFAULT = "default"
BURST, PER_SECOND = 25.0, 1.0  # Events; client-go's burst, and a guess
_CONTROLLER = "initject.dev/initject"
_NAME = 230  # of 253 characters; the rest is for the hash


def path(key: Id, name: str = "") -> str:
    """Of the Events of an object, or of one of them."""
    top = f"/apis/events.k8s.io/v1/namespaces/{key.namespace or DEFAULT}/events"
    return f"{top}/{name}" if name else top


def event(key: Id, stored: Stored, ready: Ready, replica: str, at: float) -> Json:
    """The Event that says why a policy is out of force, or that it is back.

    The same news about the same object has the same name, so that it is counted, not repeated.
    """
    out = ready.status == "False"
    reason = OUT if out else BACK
    note = ready.message.encode()[:NOTE].decode("utf-8", "ignore")
    about = "\0".join((stored.uid, reason, note))
    mark = hashlib.sha256(about.encode()).hexdigest()[:16]
    regarding = {
        "apiVersion": model.API_VERSION,
        "kind": key.kind,
        "name": key.name,
        "uid": stored.uid,
        "resourceVersion": stored.version,
    }
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{key.name[:_NAME].rstrip('.-')}.{mark}",
            "namespace": key.namespace or DEFAULT,
        },
        "eventTime": moment(at),
        "reportingController": _CONTROLLER,
        "reportingInstance": replica[:128],
        "action": "Judge",
        "reason": reason,
        "type": "Warning" if out else "Normal",
        "regarding": {**regarding, "namespace": key.namespace} if key.namespace else regarding,
        "note": note,
    }


def again(count: int, at: float) -> Json:
    """A patch for an Event that happened for the `count`th time."""
    return {"series": {"count": count, "lastObservedTime": moment(at)}}


class Allowance:
    """So many at once, then so many a second, by a clock that cannot be set."""

    def __init__(self, burst: float, per_second: float, pulse: Callable[[], float]) -> None:
        self._burst = self._left = burst
        self._per_second = per_second
        self._pulse = pulse
        self._at = pulse()

    def take(self) -> bool:
        """Whether one more is allowed now; then it is taken."""
        now = self._pulse()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
