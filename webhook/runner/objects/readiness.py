"""When an object counts as ready; each judge returns why it does not, or nothing.

Deployment and StatefulSet as `kubectl rollout status` means it, a condition as `kubectl wait` does.
Sources: API reference, the status of each kind; "API Conventions", conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webhook.errors import HopelessError

Json = Mapping[str, Any]
Judge = Callable[[Json], str]


def job(found: Json) -> str:
    """Complete; raises HopelessError for one that has failed, which stays so."""
    if _holds(found, "Complete"):
        return ""
    if _holds(found, "Failed"):
        what = f"the Job has failed{_why(_condition(found, 'Failed'))}"
        raise HopelessError(what)
    if _holds(found, "Suspended"):
        return "the Job is suspended"
    status = _status(found)
    active, failed = _number(status, "active"), _number(status, "failed")
    return f"the Job is not complete: {active} pods active, {failed} failed"


def deployment(found: Json) -> str:
    """All replicas are updated and available, and no old one is left."""
    if unseen := _unseen(found):
        return unseen
    status, wanted = _status(found), _number(found.get("spec"), "replicas", 1)
    updated = _number(status, "updatedReplicas")
    old = _number(status, "replicas") - updated
    available = _number(status, "availableReplicas")
    if updated < wanted:
        waiting = f"{updated} of {wanted} replicas are updated"
    elif old > 0:
        waiting = f"{old} old replicas are left"
    elif available < updated:
        waiting = f"{available} of {updated} replicas are available"
    else:
        return ""
    progress = _condition(found, "Progressing")
    late = progress.get("reason") == "ProgressDeadlineExceeded"
    return f"{waiting}, and its progress deadline is over" if late else waiting


def statefulset(found: Json) -> str:
    """All replicas are ready, and those behind the partition are of the newest revision."""
    if unseen := _unseen(found):
        return unseen
    spec, status = found.get("spec") or {}, _status(found)
    wanted, ready = _number(spec, "replicas", 1), _number(status, "readyReplicas")
    if ready < wanted:
        return f"{ready} of {wanted} replicas are ready"
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return ""  # replicas are renewed when somebody deletes them
    newer = wanted - _number(strategy.get("rollingUpdate"), "partition")
    updated = _number(status, "updatedReplicas")
    return "" if updated >= newer else f"{updated} of {newer} replicas are updated"


def pod(found: Json) -> str:
    """Ready, or has succeeded."""
    status = _status(found)
    phase = status.get("phase")
    if phase == "Succeeded" or (_holds(found, "Ready") and phase != "Failed"):
        return ""
    if phase == "Failed":
        return f"the pod has failed{_why(status)}"
    return f"the pod is not ready{_why(_condition(found, 'Ready'))}"


def condition(name: str, wanted: str) -> Judge:
    """A judge of any object: whether that condition has the wanted status, and is no old one."""

    def judge(found: Json) -> str:
        one = _condition(found, name)
        if not one:
            return f"it has no condition {name} yet"
        seen = one.get("observedGeneration", _status(found).get("observedGeneration"))
        newest = _number(found.get("metadata"), "generation")
        if isinstance(seen, int) and seen < newest:
            return f"its condition {name} is of an older generation"
        is_wanted = str(one.get("status")).lower() == wanted.lower()
        return "" if is_wanted else f"its condition {name} is {one.get('status')}{_why(one)}"

    return judge


JUDGES: Mapping[str, Judge] = {
    "job": job,
    "deployment": deployment,
    "statefulset": statefulset,
    "pod": pod,
}


def _unseen(found: Json) -> str:
    newest = _number(found.get("metadata"), "generation")
    seen = _number(_status(found), "observedGeneration")
    return "" if 0 < newest <= seen else "its controller has not seen the last change"


def _status(found: Json) -> Json:
    status = found.get("status")
    return status if isinstance(status, dict) else {}


def _condition(found: Json, name: str) -> Json:
    every = _status(found).get("conditions")
    for one in every if isinstance(every, list) else ():
        if isinstance(one, dict) and one.get("type") == name:
            return one
    return {}


def _holds(found: Json, name: str) -> bool:
    return _condition(found, name).get("status") == "True"


def _number(of: Any, name: str, default: int = 0) -> int:
    value = of.get(name, default) if isinstance(of, dict) else default
    return value if isinstance(value, int) else default


def _why(said: Json) -> str:
    """`: Reason: message`, as far as they are there."""
    texts = [str(said[name]) for name in ("reason", "message") if said.get(name)]
    return f": {': '.join(texts)}" if texts else ""
