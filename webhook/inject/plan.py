"""What one policy wants of one pod: its containers, volumes and mounts, held against what is there.

A policy is planned as a whole or not at all. `Standing` is the pod so far: what is in it, and what
policies before this one have reserved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from webhook.expression.activation import Scope
from webhook.inject import compare, ours, render
from webhook.inject.compare import State
from webhook.inject.decision import Code, LeftOutError
from webhook.inject.match import Subject, mapping, normal_path, objects
from webhook.inject.ours import Marker
from webhook.inject.render import Item
from webhook.policy.compiled import MountInto, Policy, Volume
from webhook.policy.glob import Glob

Json = Mapping[str, Any]


class Mount(msgspec.Struct, frozen=True):
    """A volume seen by one application container. `present` when it is mounted there already."""

    index: int
    container: str
    mount: Json
    present: bool


class Proposal(msgspec.Struct, frozen=True):
    """Everything one policy does to one pod. `changed` are fields that others made otherwise.

    `containers` are those of the policy's steps, in their order.
    """

    policy: Policy
    containers: tuple[Item, ...]
    volumes: tuple[Item, ...]
    mounts: tuple[Mount, ...]
    changed: tuple[str, ...]


class Standing(msgspec.Struct):
    """The pod so far, by name.

    `taken` are the names of containers that no plan may use, and what earlier policies took: names
    of containers and "volume/NAME". `mounted` are the (container, path) of their mounts.
    """

    marker: Marker
    init: dict[str, Json]
    inits: list[Json]
    volume_list: list[Json]
    containers: list[Json]
    taken: set[str]
    mounted: set[tuple[str, str]] = set()
    _volumes: dict[str, Json] | None = None

    @property
    def volumes(self) -> dict[str, Json]:
        """The pod's volumes by name; most policies have none and do not ask."""
        if self._volumes is None:
            self._volumes = {str(v.get("name")): v for v in self.volume_list}
        return self._volumes

    def reserve(self, proposal: Proposal) -> None:
        """Keep the names of an applied policy from those after it."""
        self.taken.update(proposal.policy.names)
        for item in proposal.volumes:
            self.taken.add(f"volume/{item.name}")
        for one in proposal.mounts:
            self.mounted.add((one.container, normal_path(one.mount["mountPath"])))


def standing(whole: Subject, marker: Marker) -> Standing:
    """The pod before any policy."""
    inits = objects(whole.spec.get("initContainers"))
    containers = whole.containers
    taken = {str(c.get("name")) for c in containers}
    if "ephemeralContainers" in whole.spec:
        taken |= {str(c.get("name")) for c in objects(whole.spec["ephemeralContainers"])}
    return Standing(
        marker=marker,
        init={str(c.get("name")): c for c in inits} if inits else {},
        inits=inits,
        volume_list=objects(whole.spec.get("volumes")),
        containers=containers,
        taken=taken,
    )


def propose(
    policy: Policy,
    subject: Subject,
    so_far: Standing,
    *,
    scope: Scope,
    parameters: render.Parameters,
    force: bool,
    mirrors: tuple[Glob, ...],
) -> Proposal:
    """Plan `policy` for a pod; raises `LeftOutError` when it cannot be as a whole.

    `force` is true where `optOut: Forbid` binds: then fields that others changed are set again.
    """
    _check_system(policy, subject.spec)
    if policy.dns and subject.spec.get("hostNetwork") is True:
        _check_names(policy, subject.spec)
    lent = render.lent(subject)
    changed: list[str] = []
    containers = []
    init, taken = so_far.init, so_far.taken
    for step in policy.steps:
        item = render.render(step, lent, scope, parameters)
        if step.name in init or step.name in taken:
            item, foreign = _held(item, so_far, step.place, force=force, mirrors=mirrors)
            changed += [f"{item.name}: {path}" for path in foreign]
        containers.append(item)
    if not policy.volumes:  # most
        return Proposal(policy, tuple(containers), (), (), tuple(changed))
    volumes = []
    for index in range(len(policy.volumes)):
        item, foreign = _held_volume(policy, index, so_far, force=force)
        volumes.append(item)
        changed += [f"volume {item.name}: {path}" for path in foreign]
    # Mounts of applications are only ever added: one that cannot be set again is a conflict.
    marked = None if force else so_far.marker.mounts
    mounts = tuple(_mounts(policy, so_far, marked, changed))
    return Proposal(policy, tuple(containers), tuple(volumes), mounts, tuple(changed))


def _check_system(policy: Policy, spec: Json) -> None:
    system = operating_system(spec)
    if policy.linux and system == "linux":
        return
    for step in policy.steps:
        if step.os != system:
            detail = f"{step.os}, but the pod runs on {system}"
            raise LeftOutError(Code.OS_UNSUPPORTED, f"{step.place}.os", detail)


# With these a pod on the host's network still asks the cluster's DNS, or what its author chose.
_RESOLVING = ("ClusterFirstWithHostNet", "None")


def _check_names(policy: Policy, spec: Json) -> None:
    """A pod on its host's network knows no names of the cluster (core/v1 DNSPolicy)."""
    if spec.get("dnsPolicy") not in _RESOLVING:
        step = next(step for step in policy.steps if step.dns)
        detail = (
            "the pod is on the network of its host, where the cluster's names are not known; "
            "dnsPolicy: ClusterFirstWithHostNet makes them known"
        )
        raise LeftOutError(Code.HOST_NETWORK, step.place, detail)


def operating_system(spec: Json) -> str:
    """The pod's operating system: what it says, else its node selector, else linux."""
    if "os" not in spec and "nodeSelector" not in spec:
        return "linux"
    name = mapping(spec.get("os")).get("name") or mapping(spec.get("nodeSelector")).get(
        "kubernetes.io/os"
    )
    return name if isinstance(name, str) else "linux"


def _held(
    planned: Item, so_far: Standing, place: str, *, force: bool, mirrors: tuple[Glob, ...]
) -> tuple[Item, tuple[str, ...]]:
    """A step's container held against the one of its name, and the fields that others changed."""
    name = planned.name
    if name in so_far.taken:
        detail = f"a container {name} is already there"
        raise LeftOutError(Code.CONFLICT, f"{place}.name", detail)
    present = so_far.init[name]
    marked = so_far.marker.containers.get(name)
    outcome = compare.compare(planned.final, present, marked, force=force, mirrors=mirrors)
    if outcome.state is State.FOREIGN:
        detail = f"an init container {name} is already there"
        raise LeftOutError(Code.CONFLICT, f"{place}.name", detail)
    return Item(name, planned.digests, present, outcome.value), outcome.changed


def _held_volume(
    policy: Policy, index: int, so_far: Standing, *, force: bool
) -> tuple[Item, tuple[str, ...]]:
    """The same for a volume."""
    name, wanted = policy.volumes[index].name, policy.volumes[index].volume
    where = f"volumes[{index}].name"
    if f"volume/{name}" in so_far.taken:
        raise LeftOutError(Code.CONFLICT, where, f"a volume {name} is already there")
    present = so_far.volumes.get(name)
    digests = _volume_digests(policy, index)
    if present is None:
        return Item(name, digests, None, wanted), ()
    outcome = compare.compare(wanted, present, so_far.marker.volumes.get(name), force=force)
    if outcome.state is State.FOREIGN:
        raise LeftOutError(Code.CONFLICT, where, f"a volume {name} is already there")
    final = outcome.value
    if outcome.state is State.MERGED:  # a volume is of one kind: another one goes with its defaults
        final = {key: value for key, value in final.items() if key in wanted or key == "name"}
    return Item(name, digests, present, final), outcome.changed


@lru_cache(maxsize=4096)
def _volume_digests(policy: Policy, index: int) -> dict[str, str]:
    return ours.digests(ours.leaves(policy.volumes[index].volume))


Marks = Mapping[str, Mapping[str, str]]


def _mounts(
    policy: Policy, so_far: Standing, marked: Marks | None, changed: list[str]
) -> Iterator[Mount]:
    seen: set[tuple[str, str]] = set()
    for where, target in _targets(policy.volumes):
        for index, container in enumerate(so_far.containers):
            name = str(container.get("name", ""))
            if not any(glob.matches(name) for glob in target.containers):
                continue
            key = (name, normal_path(target.mount["mountPath"]))
            if key in so_far.mounted or key in seen:
                raise LeftOutError(Code.CONFLICT, where, f"something is mounted there in {name}")
            seen.add(key)
            present = _mounted(target.mount, container, marked, where, changed)
            yield Mount(index, name, target.mount, present)


def _targets(volumes: Sequence[Volume]) -> Iterator[tuple[str, MountInto]]:
    for number, volume in enumerate(volumes):
        for place, target in enumerate(volume.mount_into):
            yield f"volumes[{number}].mountInto[{place}].mountPath", target


def _mounted(
    mount: Json, container: Json, marked: Marks | None, where: str, changed: list[str]
) -> bool:
    """Whether the mount is in the container; another one in its place is a conflict.

    With `marked` None nothing that the marker says is believed, and nothing may have been added.
    """
    path = normal_path(mount["mountPath"])
    name = str(container.get("name", ""))
    taken = [*objects(container.get("volumeMounts")), *objects(container.get("volumeDevices"))]
    found = False
    for other in taken:
        if normal_path(str(other.get("mountPath", other.get("devicePath", "")))) != path:
            continue
        found = True
        if compare.holds(mount, other, exact=marked is None):
            continue
        mark = (marked or {}).get(name, {}).get(mount["mountPath"])
        if other.get("name") != mount["name"] or mark != ours.digest(mount):
            raise LeftOutError(Code.CONFLICT, where, f"something is mounted there in {name}")
        changed.append(f"{name}: volumeMounts {mount['mountPath']}")
    return found
