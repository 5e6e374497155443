"""What one policy wants of one pod: its containers, volumes and mounts, held against what is there.

A policy is planned as a whole or not at all. `Standing` is the pod so far: what is in it, and what
policies before this one have reserved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from webhook.document.problem import Path
from webhook.document.problem import field as field_name
from webhook.errors import EvaluationError
from webhook.expression.activation import Scope
from webhook.inject import borrow, harden, ours, resources
from webhook.inject.decision import Code, LeftOutError
from webhook.inject.match import Subject, mapping, objects
from webhook.inject.ours import Marker, State
from webhook.policy import container as rules
from webhook.policy import quantity
from webhook.policy.compiled import Policy, Step
from webhook.policy.glob import Glob

Json = Mapping[str, Any]
Parameters = Mapping[str, object]

_OPENSHIFT_USERS = (
    "openshift.io/sa.scc.uid-range"  # annotation of a namespace whose users OpenShift assigns
)


@dataclass(frozen=True, slots=True)
class Item:
    """A container or volume: as planned, with its digests, and as it will stand in the pod.

    `present` is what the pod has under that name now, or None. `final` is `present` itself when
    nothing changes in it.
    """

    name: str
    digests: Mapping[str, str]
    present: Json | None
    final: Json


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume seen by one application container. `present` when it is mounted there already."""

    index: int
    container: str
    mount: Json
    present: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything one policy does to one pod. `changed` are fields that others made otherwise."""

    policy: Policy
    containers: tuple[Item, ...]
    volumes: tuple[Item, ...]
    mounts: tuple[Mount, ...]
    changed: tuple[str, ...]


@dataclass(slots=True)
class Standing:
    """The pod so far, by name. `names` are taken by containers that no plan may use."""

    marker: Marker
    init: dict[str, Json]
    volumes: dict[str, Json]
    containers: list[Json]
    names: set[str]
    reserved: set[str] = field(
        default_factory=set
    )  # containers and "volume/NAME" of earlier policies
    mounted: set[tuple[str, str]] = field(
        default_factory=set
    )  # (container, path) of earlier policies

    def reserve(self, proposal: Proposal) -> None:
        """Keep the names of an applied policy from those after it."""
        self.reserved.update(item.name for item in proposal.containers)
        self.reserved.update(f"volume/{item.name}" for item in proposal.volumes)
        self.mounted.update((m.container, _normal(m.mount["mountPath"])) for m in proposal.mounts)


def standing(pod: Json, marker: Marker) -> Standing:
    """The pod before any policy."""
    spec = mapping(pod.get("spec"))
    containers = objects(spec.get("containers"))
    others = [*containers, *objects(spec.get("ephemeralContainers"))]
    return Standing(
        marker=marker,
        init={str(c.get("name")): c for c in objects(spec.get("initContainers"))},
        volumes={str(v.get("name")): v for v in objects(spec.get("volumes"))},
        containers=containers,
        names={str(c.get("name")) for c in others},
    )


def propose(
    policy: Policy,
    subject: Subject,
    so_far: Standing,
    *,
    scope: Scope,
    parameters: Parameters,
    force: bool,
    mirrors: tuple[Glob, ...],
) -> Proposal:
    """Plan `policy` for a pod; raises `LeftOutError` when it cannot be as a whole.

    `force` is true where `optOut: Forbid` binds: then fields that others changed are set again.
    """
    system = operating_system(subject.spec)
    for index, step in enumerate(policy.steps):
        if step.os != system:
            raise LeftOutError(
                Code.OS_UNSUPPORTED,
                f"steps[{index}].os",
                f"{step.os}, but the pod runs on {system}",
            )
    changed: list[str] = []
    containers = tuple(
        _held(
            render(step, where, subject, scope, parameters), so_far, force, mirrors, changed, where
        )
        for step, where in _numbered(policy.steps)
    )
    volumes = tuple(
        _held_volume(index, so_far, force, changed, policy) for index in range(len(policy.volumes))
    )
    mounts = tuple(_mounts(policy, so_far, changed))
    return Proposal(policy, containers, volumes, mounts, tuple(changed))


def _numbered(steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    for index, step in enumerate(steps):
        yield step, f"steps[{index}]"


def operating_system(spec: Json) -> str:
    """The pod's operating system: what it says, else its node selector, else linux."""
    name = mapping(spec.get("os")).get("name") or mapping(spec.get("nodeSelector")).get(
        "kubernetes.io/os"
    )
    return name if isinstance(name, str) else "linux"


# -- one container ----------------------------------------------------------------------------------


def render(
    step: Step, where: str, subject: Subject, scope: Scope, parameters: Parameters
) -> tuple[str, Json, Mapping[str, str]]:
    """The container that a step becomes in this pod: name, container, digests of its fields."""
    source = _lender(step, where, subject)
    windows = step.os == "windows"
    base, base_digests = _prepared(step, windows, _fixed_user(subject))
    touched = {"resources"}
    container = dict(base)
    for path, template in step.holes:
        _put(container, path, _filled(template, scope, parameters, f"{where}.container", path))
        touched.add(str(path[0]))
    if source is not None and step.borrow is not None:
        container = borrow.with_borrowed(container, step.borrow, source)
        touched.update(
            ("image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "securityContext")
        )
        if step.borrow.image:
            container["securityContext"] = harden.hardened(
                step.container.get("securityContext"),
                windows=windows,
                fixed_user=True,
                lender=source,
            )
    sized = _sized(step, subject)
    if sized:
        container["resources"] = sized
    if step.guarded:
        _guard(container, step, where)
    moving = {name: container[name] for name in touched if name in container}
    return step.name, container, {**base_digests, **ours.digests(ours.leaves(moving))}


def _lender(step: Step, where: str, subject: Subject) -> Json | None:
    if step.borrow is None:
        return None
    source = borrow.lender(step.borrow, subject.containers)
    if source is None:
        detail = f"no application container is named {step.borrow.container}"
        raise LeftOutError(Code.BORROW_FAILED, f"{where}.borrow.container", detail)
    return source


@lru_cache(maxsize=4096)
def _prepared(step: Step, windows: bool, fixed_user: bool) -> tuple[Json, Mapping[str, str]]:
    """What of a step is the same in every pod: its container with defaults, and most digests."""
    borrows_image = step.borrow is not None and step.borrow.image
    container = {"name": step.name, **step.container}
    if not borrows_image:
        written = step.container.get("securityContext")
        container["securityContext"] = harden.hardened(
            written, windows=windows, fixed_user=fixed_user, lender=None
        )
    moving = {"resources", *(str(path[0]) for path, _ in step.holes)}
    if step.borrow is not None:
        moving |= {"image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "securityContext"}
    still = {name: value for name, value in container.items() if name not in moving}
    return container, ours.digests(ours.leaves(still))


def _fixed_user(subject: Subject) -> bool:
    return not subject.namespace_known or _OPENSHIFT_USERS not in subject.namespace.annotations


def _sized(step: Step, subject: Subject) -> Json:
    written = step.container.get("resources")
    if step.sidecar:
        wanted = mapping(written)
        return resources.equalised(wanted) if resources.guaranteed(subject.pod) else wanted
    return resources.fitted(mapping(written), _canonical(resources.model(subject.containers)))


def _canonical(sized: Json) -> Json:
    return {
        name: {key: quantity.canonical(value) for key, value in section.items()}
        for name, section in sized.items()
    }


def _filled(template: Any, scope: Scope, parameters: Parameters, where: str, path: Path) -> str:
    try:
        text: str = template.render(scope, parameters)
    except EvaluationError as error:
        raise LeftOutError(
            Code.TEMPLATE_FAILED, f"{where}.{field_name(path)}", str(error)
        ) from None
    if "\0" in text:
        raise LeftOutError(
            Code.TEMPLATE_FAILED, f"{where}.{field_name(path)}", "holds a NUL character"
        )
    return text


def _put(container: dict[str, Any], path: Path, text: str) -> None:
    """Set one string deep inside, copying what is on the way: the rest is shared by all pods."""
    here: Any = container
    for part in path[:-1]:
        child = here[part]
        here[part] = here = dict(child) if isinstance(child, dict) else list(child)
    here[path[-1]] = text


def _guard(container: Json, step: Step, where: str) -> None:
    """Templates fill fields that the API server checks: check them as it does, or a pod is lost."""
    for finding in rules.findings(container, volumes=None):
        if finding.severity == "error":
            place = f"{where}.container.{field_name(finding.path)}"
            raise LeftOutError(Code.TEMPLATE_FAILED, place, finding.what)


def _held(
    rendered: tuple[str, Json, Mapping[str, str]],
    so_far: Standing,
    force: bool,
    mirrors: tuple[Glob, ...],
    changed: list[str],
    where: str,
) -> Item:
    name, planned, digests = rendered
    if name in so_far.names or name in so_far.reserved:
        raise LeftOutError(Code.CONFLICT, f"{where}.name", f"a container {name} is already there")
    present = so_far.init.get(name)
    if present is None:
        return Item(name, digests, None, planned)
    outcome = ours.compare(
        planned, present, so_far.marker.containers.get(name), force=force, mirrors=mirrors
    )
    if outcome.state is State.FOREIGN:
        raise LeftOutError(
            Code.CONFLICT, f"{where}.name", f"an init container {name} is already there"
        )
    changed += [f"{name}: {path}" for path in outcome.changed]
    return Item(name, digests, present, outcome.value)


# -- volumes and mounts -----------------------------------------------------------------------------


def _held_volume(
    index: int, so_far: Standing, force: bool, changed: list[str], policy: Policy
) -> Item:
    volume = policy.volumes[index]
    where = f"volumes[{index}].name"
    if f"volume/{volume.name}" in so_far.reserved:
        raise LeftOutError(Code.CONFLICT, where, f"a volume {volume.name} is already there")
    present = so_far.volumes.get(volume.name)
    digests = _volume_digests(policy, index)
    if present is None:
        return Item(volume.name, digests, None, volume.volume)
    outcome = ours.compare(
        volume.volume, present, so_far.marker.volumes.get(volume.name), force=force
    )
    if outcome.state is State.FOREIGN:
        raise LeftOutError(Code.CONFLICT, where, f"a volume {volume.name} is already there")
    changed += [f"volume {volume.name}: {path}" for path in outcome.changed]
    return Item(volume.name, digests, present, outcome.value)


@lru_cache(maxsize=4096)
def _volume_digests(policy: Policy, index: int) -> Mapping[str, str]:
    return ours.digests(ours.leaves(policy.volumes[index].volume))


def _mounts(policy: Policy, so_far: Standing, changed: list[str]) -> Iterator[Mount]:
    seen: set[tuple[str, str]] = set()
    for number, volume in enumerate(policy.volumes):
        for place, target in enumerate(volume.mount_into):
            for index, container in enumerate(so_far.containers):
                name = str(container.get("name", ""))
                if not any(glob.matches(name) for glob in target.containers):
                    continue
                where = f"volumes[{number}].mountInto[{place}].mountPath"
                key = (name, _normal(target.mount["mountPath"]))
                if key in so_far.mounted or key in seen:
                    raise LeftOutError(
                        Code.CONFLICT, where, f"something is mounted there in {name}"
                    )
                seen.add(key)
                present = _mounted(target.mount, container, so_far, where, changed)
                yield Mount(index, name, target.mount, present)


def _mounted(
    mount: Json, container: Json, so_far: Standing, where: str, changed: list[str]
) -> bool:
    """Whether the mount is in the container; raises `LeftOutError` when another one is in its place."""
    path = _normal(mount["mountPath"])
    name = str(container.get("name", ""))
    taken = [*objects(container.get("volumeMounts")), *objects(container.get("volumeDevices"))]
    for other in taken:
        if _normal(str(other.get("mountPath", other.get("devicePath", "")))) != path:
            continue
        if ours.holds(mount, other):
            return True
        marked = so_far.marker.mounts.get(name, {}).get(mount["mountPath"])
        if other.get("name") == mount["name"] and marked == ours.digest(mount):
            changed.append(f"{name}: volumeMounts {mount['mountPath']}")
            return True
        raise LeftOutError(Code.CONFLICT, where, f"something is mounted there in {name}")
    return False


def _normal(path: str) -> str:
    return path.rstrip("/") or "/"
