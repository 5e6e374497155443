"""How large a step is: what one application container declares, so that injection costs nothing.

Source: the effective request of a pod is max(sum of containers and sidecars, each init container
with the sidecars before it) per resource (kubernetes.io, "Resource sharing within containers"), so
a regular init container no larger than one application container never raises it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeGuard

import msgspec

from webhook.policy import quantity

Json = Mapping[str, Any]

COPIED = ("cpu", "memory", "ephemeral-storage")
_LONGEST = 128  # characters of an amount; the API server takes any number of digits
_REMEMBERED = 4096  # bytes of what is declared: what an author chooses must not fill the memory
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
_NONE: Json = {}
_NOTHING = Fraction(0)


@lru_cache(maxsize=4096)
def _amount(text: str | int | float) -> Fraction:
    """A quantity as a number; what the API server would refuse counts as nothing."""
    try:
        return Fraction(quantity.parse(text))
    except ValueError:
        return Fraction(0)


def _section(container: Json, name: str) -> Json:
    resources = container.get("resources")
    section = resources.get(name) if isinstance(resources, dict) else None
    return section if isinstance(section, dict) else _NONE


def _memory(container: Json) -> Fraction:
    resources = container.get("resources")
    if not resources or type(resources) is not dict:
        return _NOTHING
    for name in ("limits", "requests"):
        section = resources.get(name)
        if type(section) is dict and "memory" in section:
            text = section["memory"]
            return _amount(text) if _is_amount(text) else _NOTHING
    return _NOTHING


def _is_amount(value: object) -> TypeGuard[str | int | float]:
    """Whether an amount is worth a place in memory: what was calculated from it is remembered."""
    if isinstance(value, str):
        return len(value) <= _LONGEST
    return isinstance(value, int | float)


Size = tuple[tuple[str, tuple[tuple[str, str | int | float], ...]], ...]


def model(containers: Sequence[Json]) -> Size:
    """What a regular step copies: the cpu, memory and ephemeral-storage of one container.

    It is the application container with the largest memory (by limit, else request; the first of
    equals), requests *and* limits exactly as declared, as (section, (resource, amount)) pairs: two
    pods of one size give equal values. Empty when it declares none of them.
    """
    declared = tuple([_encode(container.get("resources")) for container in containers])
    if sum(map(len, declared)) > _REMEMBERED:
        return _model(containers)
    return _known_model(declared)


@lru_cache(maxsize=2048)
def _known_model(declared: tuple[bytes, ...]) -> Size:
    """The model of containers by the JSON of their `resources`: pods of one workload are alike."""
    return _model([{"resources": _decode(text)} for text in declared])


def _model(containers: Sequence[Json]) -> Size:
    if not containers:
        return ()
    largest = containers[0] if len(containers) == 1 else max(containers, key=_memory)
    size = []
    for name in ("limits", "requests"):
        section = _section(largest, name)
        found = [(key, section[key]) for key in COPIED if key in section]
        copied = tuple([pair for pair in found if _is_amount(pair[1])])
        if copied:
            size.append((name, copied))
    return tuple(size)


def as_resources(size: Size) -> Json:
    """A size as the `resources` of a container, in canonical quantities."""
    return {name: {key: _canonical(value) for key, value in copied} for name, copied in size}


def _canonical(amount: str | float) -> str | float:
    """An amount as it is stored; one that is out of all proportion stays as it was declared."""
    try:
        return quantity.canonical(amount)
    except ValueError:
        return amount


def fitted(written: Json | None, copied: Json) -> Json:
    """What the policy wrote, and for each resource that it does not mention what is copied."""
    if not written:
        return copied
    stated = {key for section in ("limits", "requests") for key in written.get(section) or ()}
    result = dict(written)
    for name, section in copied.items():
        rest = {key: value for key, value in section.items() if key not in stated}
        if rest:
            result[name] = {**rest, **(written.get(name) or {})}
    return result


def equalised(written: Json) -> Json:
    """A sidecar's resources in a Guaranteed pod: requests equal to limits, or the class is lost."""
    limits, requests = dict(written.get("limits") or {}), dict(written.get("requests") or {})
    for key in ("cpu", "memory"):
        value = limits.get(key, requests.get(key))
        if value is not None:
            limits[key] = requests[key] = value
    return {**written, "limits": limits, "requests": requests}


def guaranteed(pod: Json) -> bool:
    """Whether the pod's class is Guaranteed by its containers (core/v1 `ComputePodQOS`)."""
    spec = pod.get("spec") or {}
    if spec.get("resources"):  # then the class comes from the pod level alone
        return False
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return bool(containers) and all(map(_is_guaranteed, containers))


def _is_guaranteed(container: Json) -> bool:
    limits, requests = _section(container, "limits"), _section(container, "requests")
    for key in ("cpu", "memory"):
        limit = limits.get(key)
        request = requests.get(key, limit)
        if not (_is_amount(limit) and _is_amount(request)):
            return False
        if not _amount(limit) == _amount(request) != 0:
            return False
    return True


def _request(container: Json, key: str) -> Fraction:
    requests = _section(container, "requests")
    text = requests.get(key, _section(container, "limits").get(key))
    return _amount(text) if _is_amount(text) else Fraction(0)


def effective_request(spec: Json, key: str) -> Fraction:
    """What the scheduler reserves for a pod (component-helpers `AggregateContainerRequests`)."""
    total = sum((_request(c, key) for c in spec.get("containers") or ()), Fraction(0))
    sidecars = peak = Fraction(0)
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars += _request(container, key)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + _request(container, key))
    return max(total + sidecars, peak)


def rises(before: Json, after: Json) -> Iterator[tuple[str, Fraction]]:
    """By how much the effective request of a pod's spec rises, per resource that does."""
    for key in COPIED:
        more = effective_request(after, key) - effective_request(before, key)
        if more > 0:
            yield key, more
