"""From a pod and a plan to the smallest JSON patch (RFC 6902) that makes the one of the other.

Only `add`, and `remove` or `replace` inside what is ours. Each operation is valid on the result of
the one before. The patch is applied here before it leaves: a wrong one would lose the pod even
under `failurePolicy: Ignore`, since the API server does not count it as a failed call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from webhook.errors import PatchError
from webhook.inject import apply, ours
from webhook.inject.match import Subject, mapping
from webhook.inject.place import Arrangement
from webhook.inject.plan import Proposal, Standing
from webhook.inject.render import Item, is_kept
from webhook.review.patch import NO_PATCH, Operation, Patch

Json = Mapping[str, Any]


def escape(part: str) -> str:
    """One part of a JSON pointer (RFC 6901, section 3)."""
    return part.replace("~", "~0").replace("/", "~1")


Annotations = Mapping[str, str | None]


def build(
    whole: Subject,
    so_far: Standing,
    proposals: Sequence[Proposal],
    arrangement: Arrangement,
    annotations: Annotations,
    secrets: Sequence[str] = (),
) -> tuple[Patch, Json]:
    """The operations, and the pod after them.

    `so_far` is what stands in the pod, `annotations` are ours: a text to set, None to remove.
    `secrets` are pull secrets that the pod lacks.
    Raises `PatchError` if the operations do not make the planned pod.
    """
    theirs = mapping(whole.metadata.get("annotations"))
    volumes = [item for proposal in proposals for item in proposal.volumes]
    if so_far.inits or volumes or secrets or not theirs or ours.is_marked(theirs):
        patch, target = _of_any(
            whole.pod, so_far, proposals, volumes, arrangement, annotations, secrets
        )
    else:  # most pods: what they get depends on nothing else of them
        fresh = _in_order(proposals, arrangement)
        make = _known_of_fresh if all(map(is_kept, fresh)) else _of_fresh
        patch = make(fresh, *annotations.items())
        target = _fresh_target(whole, fresh, annotations)
    if not patch:
        return NO_PATCH, whole.pod
    if apply.apply(whole.pod, patch) != target:
        what = "the patch does not make the planned pod"
        raise PatchError(what)
    return patch, target


def _of_fresh(items: tuple[Item, ...], *annotations: tuple[str, str | None]) -> Patch:
    """The patch of a pod that has no init containers, and annotations, none of them ours."""
    operations = [_add(f"/metadata/annotations/{escape(n)}", v) for n, v in annotations if v]
    if items:
        operations.insert(0, _add("/spec/initContainers", [item.final for item in items]))
    return Patch(operations)


# Of so many plans the patch and what is sent of it are remembered: a guess. A patch is as long as
# the policy's containers and their copy in base64; what an author chooses in it is bounded.
_known_of_fresh = lru_cache(maxsize=256)(_of_fresh)


def _by_name(proposals: Sequence[Proposal]) -> dict[str, Item]:
    return {item.name: item for proposal in proposals for item in proposal.containers}


def _in_order(proposals: Sequence[Proposal], arrangement: Arrangement) -> tuple[Item, ...]:
    """The containers as they will stand."""
    if len(proposals) == 1:
        return proposals[0].containers
    items = _by_name(proposals)
    return tuple([items[name] for name in arrangement.order])


def _fresh_target(whole: Subject, items: Sequence[Item], annotations: Annotations) -> Json:
    """The planned pod of `_of_fresh`, made without the operations."""
    spec = {**whole.spec, "initContainers": [i.final for i in items]} if items else whole.spec
    said = {name: text for name, text in annotations.items() if text}
    metadata = {**whole.metadata, "annotations": {**whole.metadata["annotations"], **said}}
    return {**whole.pod, "metadata": metadata, "spec": spec}


def _of_any(
    pod: Json,
    so_far: Standing,
    proposals: Sequence[Proposal],
    volumes: Sequence[Item],
    arrangement: Arrangement,
    annotations: Annotations,
    secrets: Sequence[str],
) -> tuple[Patch, Json]:
    """The patch of a pod whatever stands in it, and the planned pod, made without the patch."""
    items = _by_name(proposals)
    mounts = _fresh_mounts(proposals) if volumes else {}
    operations = (
        *_init_containers(so_far.inits, items, arrangement),
        *(_volumes(so_far.volume_list, volumes) if volumes else ()),
        *(_mounts(so_far.containers, mounts) if mounts else ()),
        *(_secrets(pod, secrets) if secrets else ()),
        *_annotations(pod, annotations),
    )
    target = _target(pod, so_far, items, volumes, mounts, arrangement, annotations)
    return Patch(operations), _with_secrets(target, secrets) if secrets else target


def _init_containers(
    current: Sequence[Json], items: Mapping[str, Item], arrangement: Arrangement
) -> Iterator[Operation]:
    path = "/spec/initContainers"
    if not current:
        if items:
            yield _add(path, [items[name].final for name in arrangement.order])
        return
    names = [str(container.get("name")) for container in current]
    for index, name in enumerate(names):
        item = items.get(name)
        if item is not None and item.final is not item.present:
            yield from differences(f"{path}/{index}", current[index], item.final)
    yield from _reordered(path, names, items, arrangement)


def _reordered(
    path: str, names: list[str], items: Mapping[str, Item], arrangement: Arrangement
) -> Iterator[Operation]:
    """Take out what moves, from the back, then put in what is missing, from the front."""
    for index in range(len(names) - 1, -1, -1):
        if names[index] in arrangement.moved:
            yield {"op": "remove", "path": f"{path}/{index}"}
            del names[index]
    for index, name in enumerate(arrangement.order):
        if index >= len(names) or names[index] != name:
            yield _add(f"{path}/{index}", items[name].final)
            names.insert(index, name)


def _volumes(current: Sequence[Json], items: Sequence[Item]) -> Iterator[Operation]:
    path = "/spec/volumes"
    index = {str(volume.get("name")): i for i, volume in enumerate(current)}
    fresh: list[Json] = []
    for item in items:
        if item.present is None:
            fresh.append(item.final)
        elif item.final is not item.present:
            yield from differences(f"{path}/{index[item.name]}", item.present, item.final)
    yield from _append(path, fresh, exists=bool(current))


def _mounts(containers: Sequence[Json], fresh: Mapping[int, list[Json]]) -> Iterator[Operation]:
    for index, mounts in sorted(fresh.items()):
        exists = bool(containers[index].get("volumeMounts"))
        yield from _append(f"/spec/containers/{index}/volumeMounts", mounts, exists=exists)


def _with_secrets(target: Json, names: Sequence[str]) -> Json:
    spec = target["spec"]
    named = [*(spec.get("imagePullSecrets") or ()), *_named(names)]
    return {**target, "spec": {**spec, "imagePullSecrets": named}}


def _secrets(pod: Json, names: Sequence[str]) -> Iterator[Operation]:
    exists = bool(pod["spec"].get("imagePullSecrets"))
    yield from _append("/spec/imagePullSecrets", _named(names), exists=exists)


def _named(names: Sequence[str]) -> list[Json]:
    return [{"name": name} for name in names]


def _fresh_mounts(proposals: Sequence[Proposal]) -> dict[int, list[Json]]:
    fresh: dict[int, list[Json]] = {}
    for proposal in proposals:
        for mount in proposal.mounts:
            if not mount.present:
                fresh.setdefault(mount.index, []).append(mount.mount)
    return fresh


def _append(path: str, values: Sequence[Json], *, exists: bool) -> Iterator[Operation]:
    if not exists:
        if values:
            yield _add(path, list(values))
        return
    for value in values:
        yield _add(f"{path}/-", value)


def _annotations(pod: Json, annotations: Mapping[str, str | None]) -> Iterator[Operation]:
    current = mapping(mapping(pod.get("metadata")).get("annotations"))
    if not current:
        wanted = {name: value for name, value in annotations.items() if value is not None}
        if wanted and not isinstance(pod.get("metadata"), dict):
            yield _add("/metadata", {"annotations": wanted})
        elif wanted:
            yield _add("/metadata/annotations", wanted)
        return
    for name, value in annotations.items():
        now = current.get(name)
        if now != value:
            yield _annotation(f"/metadata/annotations/{escape(name)}", now, value)


def _annotation(path: str, now: object, wanted: str | None) -> Operation:
    if wanted is None:
        return {"op": "remove", "path": path}
    if now is None:
        return _add(path, wanted)
    return {"op": "replace", "path": path, "value": wanted}


def _add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}


def differences(path: str, before: Json, after: Json) -> Iterator[Operation]:
    """What turns one of our containers or volumes into another, field by field."""
    for name in before:
        if name not in after:
            yield {"op": "remove", "path": f"{path}/{escape(name)}"}
    for name, value in after.items():
        here = f"{path}/{escape(name)}"
        if name not in before:
            yield _add(here, value)
        elif isinstance(value, dict) and isinstance(before[name], dict):
            yield from differences(here, before[name], value)
        elif before[name] != value:
            yield {"op": "replace", "path": here, "value": value}


def _target(
    pod: Json,
    so_far: Standing,
    items: Mapping[str, Item],
    volumes: Sequence[Item],
    mounts: Mapping[int, list[Json]],
    arrangement: Arrangement,
    annotations: Mapping[str, str | None],
) -> Json:
    """The planned pod, made without the operations: what they are proven against."""
    spec = dict(mapping(pod.get("spec")))
    if items:
        spec["initContainers"] = [
            items[name].final if name in items else so_far.init[name] for name in arrangement.order
        ]
    if volumes:
        by_name = {item.name: item for item in volumes}
        kept = [
            by_name[n].final if (n := str(v.get("name"))) in by_name else v
            for v in so_far.volume_list
        ]
        spec["volumes"] = kept + [item.final for item in volumes if item.present is None]
    if mounts:
        spec["containers"] = [
            {**c, "volumeMounts": [*(c.get("volumeMounts") or ()), *mounts[i]]}
            if i in mounts
            else c
            for i, c in enumerate(spec["containers"])
        ]
    target = {**pod, "spec": spec}
    metadata = mapping(pod.get("metadata"))
    annotated = _annotated(metadata, annotations)
    if annotated is not metadata:
        target["metadata"] = annotated
    return target


def _annotated(metadata: Json, annotations: Mapping[str, str | None]) -> Json:
    before = metadata.get("annotations") or {}
    after = dict(before)
    for name, value in annotations.items():
        if value is not None:
            after[name] = value
        elif after.get(name) is not None:  # one without a text is none, and stays
            del after[name]
    return metadata if after == before else {**metadata, "annotations": after}
