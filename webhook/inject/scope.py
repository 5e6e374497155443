"""Whether a request is ours to look at: which operations, namespaces and pods.

What binds is written down in one order: `enforce` wins over `disabled`, which wins over `enabled`,
which wins over the list of excluded namespaces. A pod can leave itself out, never in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from webhook.inject.decision import Code, Options, Reason
from webhook.inject.match import Subject
from webhook.policy.namespace import Namespace
from webhook.review.request import Request

INJECT = "initject.dev/inject"
ENFORCE = "initject.dev/enforce"
_ON, _OFF = ("enabled", "true"), ("disabled", "false")
_MIRROR = "kubernetes.io/config.mirror"  # set by the kubelet on pods that only mirror a static one
_NODE_CRITICAL = "system-node-critical"


def outside(request: Request) -> Reason | None:
    """Why a request is no creation of a pod that we could change, or None when it is one."""
    group, _, resource = request.resource
    if request.operation != "CREATE" or resource != "pods" or group or request.subresource:
        what = f"{request.operation} of {resource}"
        return Reason(
            Code.NOT_A_POD_CREATION,
            detail=f"{what}/{request.subresource}" if request.subresource else what,
        )
    pod = request.object
    if (
        not isinstance(pod, dict)
        or pod.get("kind", "Pod") != "Pod"
        or not isinstance(pod.get("spec"), dict)
    ):
        return Reason(
            Code.NO_POD, field="request.object", detail="a creation of pods without a pod"
        )
    return None


def mirror(whole: Subject) -> Reason | None:
    """Why a pod is none that anybody could change: it only shows a static one of its node."""
    if _MIRROR in whole.annotations:
        return Reason(Code.MIRROR_POD, field=f"metadata.annotations[{_MIRROR}]")
    return None


def enforcing(namespace: Namespace | None) -> bool:
    """Whether policies with `optOut: Forbid` bind in this namespace."""
    return namespace is not None and namespace.labels.get(ENFORCE) == "true"


def namespace_outside(name: str, namespace: Namespace | None, options: Options) -> Reason | None:
    """Why the pods of a namespace are not injected, or None when they are."""
    if enforcing(namespace):
        return None
    value = namespace.labels.get(INJECT) if namespace is not None else None
    if value in _OFF:
        return Reason(
            Code.NAMESPACE_OPTED_OUT, field=INJECT, detail=f"namespace {name} is labelled {value}"
        )
    if value in _ON:
        return None
    if options.inject == "opt-in":
        known = "is not labelled" if namespace is not None else "has labels that are not known"
        return Reason(Code.NAMESPACE_NOT_OPTED_IN, field=INJECT, detail=f"namespace {name} {known}")
    if _excluded(name, options):
        return Reason(
            Code.NAMESPACE_EXCLUDED, detail=f"namespace {name} is on the list of excluded ones"
        )
    return None


@lru_cache(maxsize=4096)
def _excluded(name: str, options: Options) -> bool:
    return any(glob.matches(name) for glob in options.excluded)


def left_alone(whole: Subject, namespace: Namespace | None, options: Options) -> Reason | None:
    """Why no policy at all is asked about a pod, or None; never in an enforcing namespace."""
    if enforcing(namespace):
        return None
    reason = namespace_outside(whole.namespace_name, namespace, options)
    if reason is None and whole.spec.get("priorityClassName") == _NODE_CRITICAL:
        reason = Reason(
            Code.NODE_CRITICAL,
            field="spec.priorityClassName",
            detail="a node cannot work without it",
        )
    return reason or opted_out(whole)


def opted_out(whole: Subject) -> Reason | None:
    """The pod's own word against injection, by label or annotation, or None."""
    if INJECT not in whole.labels and INJECT not in whole.annotations:
        return None
    for place, texts in (("labels", whole.labels), ("annotations", whole.annotations)):
        if (value := texts.get(INJECT)) in _OFF:
            return Reason(
                Code.OPTED_OUT, field=f"metadata.{place}[{INJECT}]", detail=f"set to {value}"
            )
    return None


_KNOWN = (*_ON, *_OFF)


def odd_values(whole: Subject, namespace: Namespace | None) -> Sequence[str]:
    """A warning for each switch with a value that means nothing."""
    if namespace is None and INJECT not in whole.labels and INJECT not in whole.annotations:
        return ()
    return list(_odd_values(whole, namespace))


def _odd_values(whole: Subject, namespace: Namespace | None) -> Iterator[str]:
    for place, texts in (("label", whole.labels), ("annotation", whole.annotations)):
        if texts.get(INJECT, "enabled") not in _KNOWN:
            yield f"{place} {INJECT} of the pod has no meaning: use disabled or enabled"
    if namespace is None:
        return
    if namespace.labels.get(INJECT, "enabled") not in _KNOWN:
        name = namespace.name
        yield f"label {INJECT} of namespace {name} has no meaning: use enabled or disabled"
    if namespace.labels.get(ENFORCE, "true") not in ("true", "false"):
        name = namespace.name
        yield f"label {ENFORCE} of namespace {name} has no meaning: only true enforces"
