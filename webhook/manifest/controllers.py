"""What each controller makes of a template: one function each, manifest and template → the pod.

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
from typing import Any

Json = Mapping[str, Any]
Pod = dict[str, Any]

# Stand-ins for what only a cluster knows. Fixed, so that the same manifest gives the same pod.
HASH = "5d4f8c7b9b"  # of a template: 10 letters of the alphabet that Kubernetes uses for hashes
MINUTES = "29000000"  # a CronJob's Job is named after its time in minutes since 1970: 8 digits
UID = "00000000-0000-0000-0000-000000000000"
SUFFIX = "00000"  # what the API server appends to `generateName`: 5 characters


def _pod(manifest: Json, template: Json) -> Pod:
    pod = copy.deepcopy(dict(manifest))
    pod["metadata"] = dict(mapping(pod.get("metadata")))
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
    spec = mapping(manifest.get("spec"))
    ordinal = mapping(spec.get("ordinals")).get("start") or 0
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
    if text(spec.get("serviceName")):
        pod["spec"]["subdomain"] = spec["serviceName"]
    _claim(pod, spec.get("volumeClaimTemplates"), name)
    return pod


def _claim(pod: Pod, claims: object, owner: str) -> None:
    """A volume for every claim, in front; one of the template with the same name gives way."""
    names = [
        text(mapping(mapping(claim).get("metadata")).get("name"))
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
    return _of_job(_name(manifest), mapping(manifest.get("spec")), template)


def _cron_job(manifest: Json, template: Json) -> Pod:
    job = mapping(mapping(manifest.get("spec")).get("jobTemplate"))
    return _of_job(f"{_name(manifest)}-{MINUTES}", mapping(job.get("spec")), template)


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
        if not any(mapping(entry).get("name") == variable["name"] for entry in env):
            container["env"] = [*env, copy.deepcopy(variable)]


BY_KIND: Mapping[str, Callable[[Json, Json], Pod]] = {
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
    given = mapping(template.get("metadata"))
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
    metadata = mapping(manifest.get("metadata"))
    name = text(metadata.get("name"))
    return name or f"{text(metadata.get('generateName'))}{SUFFIX}"


def mapping(value: object) -> Json:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""
