"""The names of fields that variables have, to notice misspelt ones.

A cluster may be newer than we are and know more fields, so an unknown one is a suspicion, never an
error. `pod_fields.json` is made by tests/house/test_pod_fields.py from the kubernetes package.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache

from webhook.expression.names import did_you_mean
from webhook.expression.reads import ANY, Path

Suspicion = tuple[int, str, str]  # offset, what, advice

# What something is: "" a scalar, "Name" an object, "[…" a list of, "{…" a map of; None unknown.
Shape = str | None

# admission/v1 AdmissionRequest, without the objects (`object` is a variable of its own), and what
# is kept of a namespace.
_OURS = {
    "Request": {
        **dict.fromkeys(("uid", "subResource", "requestSubResource", "name", "namespace"), ""),
        **dict.fromkeys(("operation", "dryRun"), ""),
        **dict.fromkeys(("kind", "requestKind"), "GroupVersionKind"),
        **dict.fromkeys(("resource", "requestResource"), "GroupVersionResource"),
        "userInfo": "UserInfo",
        "options": "{?",
    },
    "GroupVersionKind": {"group": "", "version": "", "kind": ""},
    "GroupVersionResource": {"group": "", "version": "", "resource": ""},
    "UserInfo": {"username": "", "uid": "", "groups": "[", "extra": "{["},
    "Namespace": {"apiVersion": "", "kind": "", "metadata": "NamespaceMetadata"},
    "NamespaceMetadata": {"name": "", "labels": "{", "annotations": "{"},
}
_ROOTS = {
    "object": "Pod",
    "request": "Request",
    "namespaceObject": "Namespace",
    "parameters": "{?",
}


@cache
def _types() -> Mapping[str, Mapping[str, str]]:
    data = pkgutil.get_data("webhook.expression", "pod_fields.json")
    return {**json.loads(data or b"{}"), **_OURS}


def is_map(path: Path) -> bool:
    """Is a map at `path`, so that a loop over it gives keys?"""
    shape = _shape(path)
    return shape is not None and shape.startswith("{")


def suspicions(places: Mapping[Path, int]) -> tuple[Suspicion, ...]:
    """What is probably misspelt among paths (with the offsets where they are read)."""
    found = (_suspicion(path, offset) for path, offset in places.items())
    return tuple(sorted({each for each in found if each is not None}))


def _shape(path: Path) -> Shape:
    shape: Shape = _ROOTS.get(path[0])
    for part in path[1:]:
        shape = _below(shape, part)
    return shape


def _below(shape: Shape, part: str) -> Shape:
    if shape is None or shape in ("", "?"):
        return None
    if shape[0] == "[":
        return shape[1:] if part == ANY else None
    if shape[0] == "{":
        return shape[1:]
    return _types().get(shape, {}).get(part)


def _suspicion(path: Path, offset: int) -> Suspicion | None:
    parent, name = path[:-1], path[-1]
    shape = _shape(parent) if parent else None
    if shape is None or name == ANY or shape[:1] in ("{", "?"):
        return None
    if shape == "":
        return offset, f"{written(parent)} has no fields", ""
    if shape[0] == "[":
        what = f"{written(parent)} is a list, which has no field {name}"
        return offset, what, f"look at its elements: .exists(e, e.{name} == …)"
    known = _types().get(shape)
    if not known or name in known:
        return None
    return offset, f"there is no field {written(path)}", _advice(parent, name, known)


def _advice(parent: Path, name: str, known: Iterable[str]) -> str:
    if parent == ("request",) and name in ("object", "oldObject"):
        return "the pod is the variable object"
    if parent[0] == "namespaceObject":
        return "only metadata.name, metadata.labels and metadata.annotations are known"
    return did_you_mean(name, known)


def written(path: Path) -> str:
    """A path as an author would write it: `object.spec.containers[].image`."""
    text = path[0]
    for part in path[1:]:
        if part == ANY:
            text += "[]"
        else:
            text += f".{part}" if part.replace("_", "a").isalnum() else f"['{part}']"
    return text
