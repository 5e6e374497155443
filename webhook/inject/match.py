"""Which policies concern a pod, and by which clause one does not.

A `Subject` is a pod as a policy sees it. What decides and what explains is the same: `failed` stops
at the first clause that does not hold, `clauses` tells each.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.inject import ours
from webhook.policy.compiled import Clauses
from webhook.policy.glob import Glob
from webhook.policy.namespace import Namespace
from webhook.policy.selector import Selector

Json = Mapping[str, Any]
_EMPTY: Json = {}
_TEXT, _OBJECT = frozenset((str,)), frozenset((dict,))


class NamespaceUnknownError(Exception):
    """A namespace's labels or annotations are needed and not known."""


def mapping(value: object) -> Json:
    """`value` when it is a JSON object, else an empty one (an absent field)."""
    return value if isinstance(value, dict) else _EMPTY


def texts(value: object) -> Json:
    """A map of texts, as labels are; values of another type are left out."""
    if not isinstance(value, dict):
        return _EMPTY
    if _TEXT.issuperset(map(type, value.values())):
        return value
    return {key: text for key, text in value.items() if isinstance(text, str)}


def objects(value: object) -> list[Json]:
    """The JSON objects of an array field, which may be absent or null; not to be changed."""
    if not isinstance(value, list):
        return []
    if _OBJECT.issuperset(map(type, value)):
        return value
    return [item for item in value if isinstance(item, dict)]


def normal_path(path: str) -> str:
    """A path as the container runtime takes it, so that no other spelling hides a mount."""
    if "//" in path or "/." in path or path[:1] != "/":
        return posixpath.normpath("/" + path.lstrip("/"))
    return path.rstrip("/") or "/"


class Subject:
    """One pod, as its author wrote it: without what the marker says that we added.

    `namespace` is None when nothing is known of it. Labels and annotations hold only texts, since
    the API server lets nothing else through. What most pods are never asked for is read when it is.
    """

    __slots__ = (
        "_containers",
        "_namespace",
        "_workloads",
        "annotations",
        "labels",
        "metadata",
        "namespace_name",
        "pod",
        "spec",
    )

    def __init__(self, pod: Json, namespace_name: str, namespace: Namespace | None) -> None:
        self.pod = pod
        self.namespace_name = namespace_name
        self._namespace = namespace
        self.metadata = metadata = mapping(pod.get("metadata"))
        self.spec = mapping(pod.get("spec"))
        self.labels = texts(metadata.get("labels"))
        self.annotations = texts(metadata.get("annotations"))
        self._containers: list[Json] | None = None
        self._workloads: tuple[str, ...] | None = None

    @property
    def containers(self) -> list[Json]:
        """The application containers."""
        if self._containers is None:
            self._containers = objects(self.spec.get("containers"))
        return self._containers

    @property
    def account(self) -> str:
        """The pod's service account."""
        # `serviceAccount` is the old name, which the API server still takes.
        account = self.spec.get("serviceAccountName") or self.spec.get("serviceAccount")
        return str(account or "default")

    @property
    def workloads(self) -> tuple[str, ...]:
        """The kinds of the pod's owner."""
        if self._workloads is None:
            self._workloads = _workloads(self.metadata, self.labels)
        return self._workloads

    @property
    def namespace(self) -> Namespace:
        """The pod's namespace; raises `NamespaceUnknownError`."""
        if self._namespace is None:
            raise NamespaceUnknownError
        return self._namespace

    @property
    def namespace_known(self) -> bool:
        """Whether `namespace` can be asked."""
        return self._namespace is not None


def _workloads(metadata: Json, labels: Json) -> tuple[str, ...]:
    """The kinds by which a user knows what controls a pod; `None` for a bare one.

    `Deployment` and `CronJob` are heuristics: a pod names only its direct owner.
    """
    owners = objects(metadata.get("ownerReferences"))
    owner = next((o for o in owners if o.get("controller") is True), None)
    if owner is None:
        return ("None",)
    kind, name = str(owner.get("kind", "")), str(owner.get("name", ""))
    if kind == "ReplicaSet" and "pod-template-hash" in labels:
        return (kind, "Deployment")
    head, dash, digits = name.rpartition("-")
    if kind == "Job" and head and dash and digits.isascii() and digits.isdigit():
        return (kind, "CronJob")
    return (kind,)


def as_written(pod: Json, marker: ours.Marker) -> Json:
    """The pod without the init containers and volumes of the marker, and our annotations.

    A list or map of which nothing is left goes with them: the API server stores no empty ones, so
    its author wrote none, and `has()` must say so.
    """
    metadata = mapping(pod.get("metadata"))
    annotations = mapping(metadata.get("annotations"))
    if not any(name in annotations for name in ours.ANNOTATIONS):
        return pod
    rest = {name: value for name, value in annotations.items() if name not in ours.ANNOTATIONS}
    result = {**pod, "metadata": _with(metadata, "annotations", rest)}
    if marker.containers or marker.volumes:
        result["spec"] = _without(mapping(pod.get("spec")), marker)
    return result


def _with(value: Json, field: str, child: Any) -> dict[str, Any]:
    """A copy of `value` with another child, or without one when it is empty."""
    result = {**value, field: child}
    if not child:
        del result[field]
    return result


def _without(spec: Json, marker: ours.Marker) -> Json:
    result = dict(spec)
    if marker.containers and "initContainers" in spec:
        kept = [
            c for c in objects(spec["initContainers"]) if c.get("name") not in marker.containers
        ]
        result = _with(result, "initContainers", kept)
    if marker.volumes:
        kept = [v for v in objects(spec.get("volumes")) if v.get("name") not in marker.volumes]
        result = _with(result, "volumes", kept)
        result = _unmounted_in(result, marker.volumes)
    return result


def unplanned(pod: Json, steps: Collection[str], mounts: Collection[tuple[str, str]]) -> Json:
    """The pod without init containers and mounts (volume and path) that are planned."""
    spec = dict(mapping(pod.get("spec")))
    spec["initContainers"] = [
        c for c in objects(spec.get("initContainers")) if c.get("name") not in steps
    ]
    spec["containers"] = [
        {**c, "volumeMounts": [
            m for m in objects(c.get("volumeMounts"))
            if (m.get("name"), m.get("mountPath")) not in mounts
        ]}
        for c in objects(spec.get("containers"))
    ]  # fmt: skip
    return {**pod, "spec": spec}


def _unmounted_in(spec: Json, volumes: Collection[str]) -> dict[str, Any]:
    result = dict(spec)
    for field in ("containers", "initContainers"):
        if field in result:
            result[field] = [_unmounted(c, volumes) for c in objects(result[field])]
    return result


def _unmounted(container: Json, volumes: Collection[str]) -> Json:
    mounts = objects(container.get("volumeMounts"))
    kept = [m for m in mounts if m.get("name") not in volumes]
    return container if len(kept) == len(mounts) else _with(container, "volumeMounts", kept)


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of a `match` or `exclude` for one pod. `held` is None when it cannot be told."""

    name: str
    held: bool | None
    detail: str = ""


def _any(globs: Iterable[Glob], text: str) -> bool:
    return any(glob.matches(text) for glob in globs)


def _images(subject: Subject) -> list[str]:
    return [str(container.get("image", "")) for container in subject.containers]


def _annotated(wanted: Sequence[tuple[str, Glob]], subject: Subject) -> bool:
    found = subject.annotations
    return all(isinstance(found.get(key), str) and glob.matches(found[key]) for key, glob in wanted)


def _namespace_selected(selector: Selector, subject: Subject) -> bool:
    # An empty selector matches every namespace, also one of which nothing is known.
    return not selector.requirements or selector.matches(subject.namespace.labels)


# By attribute of `Clauses`: the clause as it is written, and whether it holds.
_HOLDS: dict[str, tuple[str, Callable[[Any, Subject], bool]]] = {
    "namespaces": ("namespaces", lambda globs, s: _any(globs, s.namespace_name)),
    "workloads": ("workloads", lambda kinds, s: any(kind in kinds for kind in s.workloads)),
    "service_accounts": ("serviceAccounts", lambda globs, s: _any(globs, s.account)),
    "pod_selector": ("podSelector", lambda selector, s: selector.matches(s.labels)),
    "annotations": ("annotations", _annotated),
    "images": ("images", lambda globs, s: any(_any(globs, image) for image in _images(s))),
    "namespace_selector": ("namespaceSelector", _namespace_selected),
}


def failed(wanted: Clauses, subject: Subject) -> str | None:
    """The name of the first clause that does not hold, or None when all hold.

    Raises `NamespaceUnknownError` when only the namespace's labels could tell.
    """
    for attribute, value in wanted.present:
        name, holds = _HOLDS[attribute]
        if not holds(value, subject):
            return name
    return None


def clauses(wanted: Clauses, subject: Subject) -> Iterator[Clause]:
    """Every clause with whether it held and the values compared, for people."""
    for attribute, value in wanted.present:
        name, holds = _HOLDS[attribute]
        try:
            held = holds(value, subject)
            yield Clause(name, held, _DETAILS[attribute](value, subject))
        except NamespaceUnknownError:
            yield Clause(
                name, None, f"the labels of namespace {subject.namespace_name} are not known"
            )


def _globs(globs: Iterable[Glob]) -> str:
    return ", ".join(glob.text for glob in globs)


def _namespace_detail(selector: Selector, subject: Subject) -> str:
    return _selector_detail(selector, subject.namespace.labels) if selector.requirements else ""


def _selector_detail(selector: Selector, labels: Json) -> str:
    return selector.failed(labels) or str(selector)


def _annotations_detail(wanted: Sequence[tuple[str, Glob]], subject: Subject) -> str:
    for key, glob in wanted:
        value = subject.annotations.get(key)
        if not isinstance(value, str):
            return f"annotation {key} is not set"
        if not glob.matches(value):
            return f"annotation {key} does not match {glob.text}"
    return ", ".join(f"{key}: {glob.text}" for key, glob in wanted)


_DETAILS: dict[str, Callable[[Any, Subject], str]] = {
    "namespaces": lambda globs, s: f"{s.namespace_name} against {_globs(globs)}",
    "workloads": lambda kinds, s: f"{' or '.join(s.workloads)} against {', '.join(kinds)}",
    "service_accounts": lambda globs, s: f"{s.account} against {_globs(globs)}",
    "pod_selector": lambda selector, s: _selector_detail(selector, s.labels),
    "annotations": _annotations_detail,
    "images": lambda globs, s: f"{', '.join(_images(s))} against {_globs(globs)}",
    "namespace_selector": _namespace_detail,
}
