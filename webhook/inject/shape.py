"""Why something is no pod that an API server takes: asked when a decision could not be made.

The API server decodes a pod into types before it asks us, so wrong types do not come from one; two
containers of one name do, and it refuses them after us. Looking for either in every review would
cost as much as deciding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_DEPTH = 100  # levels: a pod has about 15

Fault = tuple[str, str]  # the field, and what is wrong with it

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_MAPS: Mapping[str, tuple[str, ...]] = {
    "metadata": ("labels", "annotations"),
    "spec": ("os", "nodeSelector", "resources", "securityContext"),
    "container": ("resources", "securityContext"),
    "resources": ("limits", "requests"),
}
_LISTS: Mapping[str, tuple[str, ...]] = {
    "metadata": ("ownerReferences",),
    "spec": (*_CONTAINERS, "volumes"),
    "container": ("env", "envFrom", "volumeMounts", "volumeDevices", "ports"),
}
_TEXTS = (("env", "name"), ("volumeMounts", "name"), ("volumeMounts", "mountPath"),
          ("volumeDevices", "devicePath"))  # fmt: skip


def fault(pod: Mapping[str, Any]) -> Fault | None:
    """The first thing for which any API server refuses `pod`, or None."""
    return next(_faults(pod), None)


def _faults(pod: Mapping[str, Any]) -> Iterator[Fault]:
    if _is_deeper(pod, MAX_DEPTH):
        yield "object", f"is nested deeper than {MAX_DEPTH} levels"
    yield from _types(pod, "", ("metadata", "spec"), ())
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    yield from _types(metadata, "metadata.", _MAPS["metadata"], _LISTS["metadata"])
    yield from _types(spec, "spec.", _MAPS["spec"], _LISTS["spec"])
    taken: set[str] = set()
    for field in _CONTAINERS:
        for index, container in enumerate(spec.get(field) or ()):
            place = f"spec.{field}[{index}]"
            yield from _name(container, place, taken)
            yield from _container(container, f"{place}.")
    volumes: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from _name(volume, f"spec.volumes[{index}]", volumes)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether something is nested deeper; without recursion, which is what went wrong then."""
    row = [value]
    for _ in range(levels):
        inner = [v for v in row if isinstance(v, dict | list)]
        row = [child for v in inner for child in (v.values() if isinstance(v, dict) else v)]
        if not row:
            return False
    return True


def _types(
    value: Mapping[str, Any], place: str, maps: tuple[str, ...], lists: tuple[str, ...]
) -> Iterator[Fault]:
    """The fields of `value` that are neither absent nor null nor of their type."""
    for field in maps:
        if not isinstance(value.get(field) or {}, dict):
            yield f"{place}{field}", "must be an object"
    for field in lists:
        items = value.get(field) or []
        if not isinstance(items, list):
            yield f"{place}{field}", "must be a list"
        elif not all(isinstance(item, dict) for item in items):
            yield f"{place}{field}", "must be a list of objects"


def _name(value: Mapping[str, Any], place: str, taken: set[str]) -> Iterator[Fault]:
    name = value.get("name")
    if not isinstance(name, str) or not name:
        yield f"{place}.name", "must be a name"
    elif name in taken:
        yield f"{place}.name", "is the name of another one too"
    else:
        taken.add(name)


def _container(container: Mapping[str, Any], place: str) -> Iterator[Fault]:
    yield from _types(container, place, _MAPS["container"], _LISTS["container"])
    resources = container.get("resources") or {}
    yield from _types(resources, f"{place}resources.", _MAPS["resources"], ())
    for section in _MAPS["resources"]:
        for amount in (resources.get(section) or {}).values():
            if not isinstance(amount, str | int | float):
                yield f"{place}resources.{section}", "must hold amounts"
    for field, key in _TEXTS:
        for item in container.get(field) or ():
            if not isinstance(item.get(key), str):
                yield f"{place}{field}", f"must hold objects with {key}"
