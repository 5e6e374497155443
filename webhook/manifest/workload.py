"""From a manifest to the pod that its controller creates, and back.

What is simulated is what a policy can see and the controllers do: metadata taken from the template,
the controlling owner, generated names and labels, the namespace, a StatefulSet's claims and an
indexed Job's variable. Sources: Kubernetes `pkg/controller/controller_utils.go`
(GetPodFromTemplate), `deployment/sync.go`, `statefulset/stateful_set_utils.go`,
`daemon/util/daemonset_util.go`, `job/job_controller.go`, `cronjob/utils.go`; and what they really
created in Kubernetes 1.37.2, with which a test compares.

What the API server's defaulting and its plugins add (`serviceAccountName: default`, token mounts,
pull policies, tolerations, a DaemonSet's node affinity) is not: the decision must not depend on
what the server adds, and manifests come back without it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.manifest import merge

Json = Mapping[str, Any]
Pod = dict[str, Any]

# Stand-ins for what only a cluster knows. Fixed, so that the same manifest gives the same pod.
HASH = "5d4f8c7b9b"  # of a template: 10 letters of the alphabet that Kubernetes uses for hashes
MINUTES = "29000000"  # a CronJob's Job is named after its time in minutes since 1970: 8 digits
UID = "00000000-0000-0000-0000-000000000000"
SUFFIX = "00000"  # what the API server appends to `generateName`: 5 characters

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
    metadata = _mapping(manifest.get("metadata"))
    where = _text(metadata.get("namespace")) or namespace
    name = _text(metadata.get("name")) or _text(metadata.get("generateName"))
    pod = _CONTROLLERS[key[1]](manifest, found)
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


# The controllers, one function each: manifest and template → the pod.


def _pod(manifest: Json, template: Json) -> Pod:
    pod = copy.deepcopy(dict(manifest))
    pod["metadata"] = dict(_mapping(pod.get("metadata")))
    return pod


def _deployment(manifest: Json, template: Json) -> Pod:
    pod = _controlled(template, "apps/v1", "ReplicaSet", f"{_name(manifest)}-{HASH}")
    _label(pod, {"pod-template-hash": HASH})
    return pod


def _replica_set(manifest: Json, template: Json) -> Pod:
    return _controlled(template, "apps/v1", "ReplicaSet", _name(manifest))


def _replication_controller(manifest: Json, template: Json) -> Pod:
    return _controlled(template, "v1", "ReplicationController", _name(manifest))


def _daemon_set(manifest: Json, template: Json) -> Pod:
    pod = _controlled(template, "apps/v1", "DaemonSet", _name(manifest))
    _label(pod, {"controller-revision-hash": HASH, "pod-template-generation": "1"})
    return pod


def _stateful_set(manifest: Json, template: Json) -> Pod:
    owner = _name(manifest)
    spec = _mapping(manifest.get("spec"))
    ordinal = _mapping(spec.get("ordinals")).get("start") or 0
    name = f"{owner}-{ordinal}"
    pod = _controlled(template, "apps/v1", "StatefulSet", owner)
    pod["metadata"]["name"] = name
    _label(
        pod,
        {
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
            "controller-revision-hash": f"{owner}-{HASH}",
        },
    )
    pod["spec"]["hostname"] = name
    if _text(spec.get("serviceName")):
        pod["spec"]["subdomain"] = spec["serviceName"]
    _claim(pod, spec.get("volumeClaimTemplates"), name)
    return pod


def _claim(pod: Pod, claims: object, owner: str) -> None:
    """A volume for every claim, in front; one of the template with the same name gives way."""
    names = [
        _text(_mapping(_mapping(claim).get("metadata")).get("name"))
        for claim in (claims if isinstance(claims, list) else [])
    ]
    if not any(names):
        return
    own = [volume for volume in pod["spec"].get("volumes") or [] if volume.get("name") not in names]
    made = [
        {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{owner}"}}
        for name in names
        if name
    ]
    pod["spec"]["volumes"] = made + own


_TRACKING = "batch.kubernetes.io/job-tracking"
_INDEX = "batch.kubernetes.io/job-completion-index"


def _job(manifest: Json, template: Json) -> Pod:
    return _of_job(_name(manifest), _mapping(manifest.get("spec")), template)


def _cron_job(manifest: Json, template: Json) -> Pod:
    job = _mapping(_mapping(manifest.get("spec")).get("jobTemplate"))
    return _of_job(f"{_name(manifest)}-{MINUTES}", _mapping(job.get("spec")), template)


def _of_job(name: str, spec: Json, template: Json) -> Pod:
    pod = _controlled(template, "batch/v1", "Job", name)
    if spec.get("manualSelector") is not True:
        for prefix in ("batch.kubernetes.io/", ""):
            _label(pod, {f"{prefix}controller-uid": UID, f"{prefix}job-name": name})
    finalizers = pod["metadata"].setdefault("finalizers", [])
    if _TRACKING not in finalizers:
        finalizers.append(_TRACKING)
    if spec.get("completionMode") == "Indexed":
        _index(pod, name)
    return pod


def _index(pod: Pod, name: str) -> None:
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["generateName"] = f"{name}-0-"
    metadata["annotations"] = {**metadata.get("annotations", {}), _INDEX: "0"}
    _label(pod, {_INDEX: "0"})
    spec["hostname"] = f"{name}-0"
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{_INDEX}']"}}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        env = container.get("env") or []
        if not isinstance(env, list):
            continue
        if not any(_mapping(entry).get("name") == variable["name"] for entry in env):
            container["env"] = [*env, copy.deepcopy(variable)]


_CONTROLLERS: Mapping[str, Callable[[Json, Json], Pod]] = {
    "Pod": _pod,
    "ReplicationController": _replication_controller,
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
}


def _controlled(template: Json, api: str, kind: str, name: str) -> Pod:
    """What every controller does with a template: of its metadata, three fields are taken."""
    given = _mapping(template.get("metadata"))
    metadata: dict[str, Any] = {"generateName": f"{name}-"}
    for part in ("labels", "annotations", "finalizers"):
        if given.get(part):
            metadata[part] = copy.deepcopy(given[part])
    owner = {"apiVersion": api, "kind": kind, "name": name, "uid": UID}
    metadata["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    spec = copy.deepcopy(dict(template["spec"]))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _label(pod: Pod, labels: Mapping[str, str]) -> None:
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **labels}


def _name(manifest: Json) -> str:
    metadata = _mapping(manifest.get("metadata"))
    name = _text(metadata.get("name"))
    return name or f"{_text(metadata.get('generateName'))}{SUFFIX}"


def _key(value: Json) -> tuple[str, str]:
    api = _text(value.get("apiVersion"))
    return (api.rpartition("/")[0], _text(value.get("kind")))


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
