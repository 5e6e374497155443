"""From a manifest to the pod that its controller creates, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.manifest import controllers, merge
from webhook.manifest.controllers import Json, Pod, mapping, text

TEMPLATES: Mapping[tuple[str, str], Path] = {
    ("", "Pod"): (),
    ("", "ReplicationController"): ("spec", "template"),
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "ReplicaSet"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("batch", "Job"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """The pod that comes of one manifest.

    `kind`, `namespace` and `name` are the manifest's (the name may be its `generateName`);
    `template` is the place of the pod, or pod template, inside the manifest.
    """

    kind: str
    namespace: str
    name: str
    pod: Pod
    template: Path


def makes_pods(value: object) -> bool:
    """Whether `value` is a Pod or one of the workloads that create pods."""
    return isinstance(value, Mapping) and _key(value) in TEMPLATES


def pod_of(manifest: Json, *, namespace: str) -> Made | Finding:
    """The pod that `manifest` (one that `makes_pods`) leads to.

    `namespace` is where the manifest goes if it does not say. A manifest without a readable
    template gives the Finding that says so.
    """
    key = _key(manifest)
    path = TEMPLATES[key]
    found = _template(manifest, path)
    if isinstance(found, Finding):
        return found
    metadata = mapping(manifest.get("metadata"))
    where = text(metadata.get("namespace")) or namespace
    name = text(metadata.get("name")) or text(metadata.get("generateName"))
    pod = controllers.BY_KIND[key[1]](manifest, found)
    pod["metadata"]["namespace"] = where
    return Made(key[1], where, name, pod, path)


def put_back(manifest: Json, made: Made, after: Json) -> dict[str, Any]:
    """`manifest` with what was injected into `made.pod` (giving `after`) in its template.

    Nothing that was only simulated comes along; unknown fields and the order of fields stay.
    """
    return _put(manifest, made.template, made.pod, after)


def _put(value: Json, path: Path, before: Json, after: Json) -> dict[str, Any]:
    if not path:
        return dict(merge.merge(value, before, after))
    key = str(path[0])
    return {**value, key: _put(value[key], path[1:], before, after)}


def _template(manifest: Json, path: Path) -> Json | Finding:
    value: object = manifest
    for depth, part in enumerate(path):
        value = value.get(part) if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping):
            return Finding(path[: depth + 1], "no mapping here", "a pod template is needed")
    assert isinstance(value, Mapping)
    if not isinstance(value.get("spec"), Mapping):
        return Finding((*path, "spec"), "no mapping here", "the pod's spec is needed")
    for part in ("metadata", "spec"):
        odd = _odd(value.get(part), (*path, part))
        if odd is not None:
            return odd
    return value


# What every reader relies on, for the parts of a template that it reads.
_MAPPINGS = {"metadata": ("labels", "annotations"), "spec": ()}
_LISTS = {
    "metadata": ("finalizers",),
    "spec": ("containers", "initContainers", "volumes", "imagePullSecrets"),
}
_NO_MAPPING = ("not a mapping", "write `name: value` pairs")
_NO_LIST = ("not a list", "start each entry with `- `")


def _odd(value: object, path: Path) -> Finding | None:
    """A part of `value` (metadata or spec, which may be absent) that has not the right type."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return Finding(path, *_NO_MAPPING)
    part = str(path[-1])
    for key in _MAPPINGS[part]:
        if not isinstance(value.get(key), Mapping | None):
            return Finding((*path, key), *_NO_MAPPING)
    for key in _LISTS[part]:
        odd = _odd_list(value.get(key), (*path, key), of_mappings=part == "spec")
        if odd is not None:
            return odd
    return None


def _odd_list(value: object, path: Path, *, of_mappings: bool) -> Finding | None:
    if value is None:
        return None
    if not isinstance(value, list):
        return Finding(path, *_NO_LIST)
    for index, entry in enumerate(value):
        if of_mappings and not isinstance(entry, Mapping):
            return Finding((*path, index), *_NO_MAPPING)
    return None


def _key(value: Json) -> tuple[str, str]:
    api = text(value.get("apiVersion"))
    return (api.rpartition("/")[0], text(value.get("kind")))
