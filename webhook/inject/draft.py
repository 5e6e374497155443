"""A decision in the making: what is applied so far and what is to be said, and what it comes to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

from webhook.inject import mesh, ours, patch, place, plan, resources
from webhook.inject.decision import Code, Decision, LeftOutError, Options, Reason
from webhook.inject.match import Subject, mapping, objects
from webhook.inject.plan import Proposal, Standing
from webhook.inject.render import Item, is_kept
from webhook.policy import quantity
from webhook.policy.compiled import Policy

Json = Mapping[str, Any]


class Draft(msgspec.Struct):
    """A decision in the making; `start` makes one of a pod."""

    whole: Subject
    marker: ours.Marker
    so_far: Standing
    applied: list[Proposal] = []
    reasons: list[Reason] = []
    warnings: list[str] = []
    denials: dict[str, str] = {}  # policy → the sentence that its pod's author reads
    skipped: list[str] = []
    audited: list[str] = []

    def apply(self, proposal: Proposal) -> None:
        """Take a policy's proposal into the plan."""
        policy = proposal.policy
        self.applied.append(proposal)
        self.so_far.reserve(proposal)
        self.reasons.append(Reason(Code.APPLIED, policy.key, "", policy.listed))
        for what in proposal.changed:
            left = Reason(Code.CHANGED, policy.key, what, "changed by others, left as it is")
            self.reasons.append(left)

    def leave_out(self, policy: Policy, error: LeftOutError) -> None:
        """Say that a policy that matched is left out, or that the pod is denied."""
        self.reasons.append(Reason(error.code, policy.key, error.field, error.detail))
        if policy.audit:
            return
        if _rejects(policy, error.code):
            self.denials[policy.key] = f'policy "{policy.key}", {error.field}: {error.detail}'
            return
        self.skipped.append(f"{policy.key}={error.code.value}")
        if error.code is not Code.OS_UNSUPPORTED:
            self.warnings.append(
                f"initject left out policy {policy.key}: {error.field}: {error.detail}"
            )


def start(whole: Subject, marker: ours.Marker) -> Draft:
    """The draft of a pod before any policy."""
    return Draft(whole, marker, plan.standing(whole, marker))


_NEVER_DENIED = (Code.OS_UNSUPPORTED, Code.HOST_NETWORK)


def _rejects(policy: Policy, code: Code) -> bool:
    if code in _NEVER_DENIED:
        return False
    return policy.reject_conflict if code is Code.CONFLICT else policy.reject_error


def finished(draft: Draft, options: Options, *, enforcing: bool) -> Decision:
    """The decision that a draft comes to: placed, patched, marked."""
    if draft.denials:
        return _denied(draft)
    annotations = {
        ours.MARKER: _marker(draft, enforcing=enforcing),
        ours.SKIPPED: ",".join(draft.skipped) or None,
        **(_evictable(draft) if options.evictable else {}),
    }
    if not _has_room(draft.whole.annotations, annotations):
        return _without_room(draft)
    together = _together(tuple([proposal.policy for proposal in draft.applied]))
    audit = _audit_annotations(draft, together.keys)
    arrangement = together.alone
    if draft.so_far.init or together.meshed:
        blocks = list(_blocks(draft)) if together.meshed else together.blocks
        arrangement = place.arrange(list(draft.so_far.init), blocks, options.keep_first)
    for key, clause in arrangement.contradictions:
        draft.reasons.append(Reason(Code.PLACEMENT, key, "placement", clause))
        draft.warnings.append(f"initject policy {key}: placement: {clause}")
    operations, after = patch.build(
        draft.whole,
        draft.so_far,
        draft.applied,
        arrangement,
        annotations,
        _secrets(draft, options),
    )
    if together.sized:
        draft.reasons += _costs(draft.whole.pod, after)
    return Decision(
        patch=operations,
        pod=after,
        warnings=tuple(draft.warnings),
        reasons=tuple(draft.reasons),
        audit=audit,
    )


# A pod with an emptyDir stays on its node unless this names it (cluster-autoscaler FAQ, "What types
# of pods can prevent CA from removing a node?").
_LOCAL = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"


def _evictable(draft: Draft) -> dict[str, str | None]:
    """The annotation with our volumes behind those that the pod's author named."""
    text = draft.whole.annotations.get(_LOCAL, "")
    there = [name.strip() for name in text.split(",")]
    volumes = [volume for one in draft.applied for volume in one.policy.volumes]
    missing = [v.name for v in volumes if v.refilled and v.name not in there]
    return {_LOCAL: ",".join([*([text] if text else []), *missing])} if missing else {}


def _secrets(draft: Draft, options: Options) -> Sequence[str]:
    """The pull secrets that images of recipes need and that the pod does not name yet."""
    if not options.pull_secrets or not any(one.policy.pulled for one in draft.applied):
        return ()
    there = {one.get("name") for one in objects(draft.whole.spec.get("imagePullSecrets"))}
    return [name for name in options.pull_secrets if name not in there]


# All annotations of an object together (apimachinery `TotalAnnotationSizeLimitB`): the API server
# refuses a pod with more, also under an ignoring webhook.
_ROOM = 256 * 1024


def _has_room(others: Mapping[str, str], ours_: Mapping[str, str | None]) -> bool:
    """Whether the pod's annotations and ours stay within what the API server takes."""
    letters = sum(map(len, others)) + sum(map(len, others.values()))
    letters += sum(map(len, ours_)) + sum(map(len, filter(None, ours_.values())))
    if letters * 4 <= _ROOM:  # UTF-8 at its widest: no need to encode
        return True
    wanted = {**others, **ours_}
    return sum(len(f"{name}{text}".encode()) for name, text in wanted.items() if text) <= _ROOM


def _without_room(draft: Draft) -> Decision:
    """A pod whose annotations leave no room for the marker: nothing can be injected into it."""
    planned = {proposal.policy.key for proposal in draft.applied}
    draft.reasons = [r for r in draft.reasons if r.policy not in planned and r.policy]
    full = LeftOutError(Code.CONFLICT, "metadata.annotations", "leave no room for a marker")
    for proposal in draft.applied:
        draft.leave_out(proposal.policy, full)
    if draft.denials:
        return _denied(draft)
    return Decision(
        pod=draft.whole.pod,
        warnings=tuple(draft.warnings),
        reasons=tuple(draft.reasons),
        audit=_stated({"skipped": draft.skipped, "audited": draft.audited}),
    )


def _denied(draft: Draft) -> Decision:
    """A refusal: nothing is applied, whatever other policies had planned."""
    reasons = [
        msgspec.structs.replace(reason, code=Code.PLANNED)
        if reason.code is Code.APPLIED
        else reason
        for reason in draft.reasons
        if reason.code is not Code.CHANGED
    ]
    return Decision(
        allowed=False,
        message="; ".join(draft.denials.values()),
        refused_by=tuple(draft.denials),
        warnings=tuple(draft.warnings),
        reasons=tuple(reasons),
        audit=_stated({"refused": draft.denials, "skipped": draft.skipped}),
    )


class _Together(msgspec.Struct, frozen=True):
    """What the policies that apply to a pod come to: their keys, and how their blocks stand where
    there are no others. `sized` says that one writes resources, `meshed` that a mesh may move one.
    """

    keys: str
    blocks: tuple[place.Block, ...]
    alone: place.Arrangement
    sized: bool
    meshed: bool


def _blocks(draft: Draft) -> Iterator[place.Block]:
    gate = mesh.gate(draft.so_far.inits, draft.so_far.containers)
    for proposal in draft.applied:
        policy = proposal.policy
        before, after = policy.before, policy.after
        if policy.meshed:
            before, after = mesh.demands(before, after, gate)
            _shut_out(draft, proposal, gate)
        yield place.Block(policy.key, policy.names, policy.last, before, after)


def _shut_out(draft: Draft, proposal: Proposal, gate: mesh.Gate) -> None:
    """Warn of steps that a mesh leaves no network, wherever they stand."""
    for step, item in zip(proposal.policy.steps, proposal.containers, strict=True):
        if step.network and mesh.shut_out(item.final, gate):
            detail = (
                f"has no network before {gate.proxy} runs, which redirects all but user "
                f"{gate.user}; let the step run as that one"
            )
            draft.reasons.append(Reason(Code.MESH, proposal.policy.key, step.place, detail))
            draft.warnings.append(f"initject policy {proposal.policy.key}: {step.name} {detail}")


@lru_cache(maxsize=256)
def _together(policies: tuple[Policy, ...]) -> _Together:
    blocks = tuple(place.Block(p.key, p.names, p.last, p.before, p.after) for p in policies)
    return _Together(
        ",".join([policy.key for policy in policies]),
        blocks,
        place.arrange((), blocks),
        any(policy.sized for policy in policies),
        any(policy.meshed for policy in policies),
    )


def _audit_annotations(draft: Draft, injected: str) -> dict[str, str]:
    """The same in both calls of an admission: a second one cannot overwrite the first."""
    audit = {"injected": injected} if injected else {}
    if draft.skipped or draft.audited:
        audit |= _stated({"skipped": draft.skipped, "audited": draft.audited})
    return audit


def _stated(lists: Mapping[str, Collection[str]]) -> dict[str, str]:
    return {key: ",".join(values) for key, values in lists.items() if values}


def _marker(draft: Draft, *, enforcing: bool) -> str | None:
    """The marker of the pod after: today's plan, and what an earlier one left in the pod."""
    items = tuple([item for proposal in draft.applied for item in proposal.containers])
    volumes = {item.name: item.digests for proposal in draft.applied for item in proposal.volumes}
    if not volumes and draft.marker is ours.NO_MARKER:
        if not items and not enforcing:
            return None
        return (_known_marker if all(map(is_kept, items)) else _marker_of)(items)
    containers = {item.name: item.digests for item in items}
    mounts: dict[str, dict[str, str]] = {}
    for proposal in draft.applied:
        for mount in proposal.mounts:
            mounts.setdefault(mount.container, {})[mount.mount["mountPath"]] = ours.digest(
                mount.mount
            )
    _keep_orphans(draft, containers, volumes, mounts)
    if not containers and not volumes and not enforcing:
        return None
    return ours.write_marker(ours.Marker(containers, volumes, mounts))


def _marker_of(items: tuple[Item, ...]) -> str:
    """The marker of containers alone."""
    return ours.write_marker(ours.Marker({item.name: item.digests for item in items}))


_known_marker = lru_cache(maxsize=256)(_marker_of)


def _keep_orphans(
    draft: Draft,
    containers: dict[str, Any],
    volumes: dict[str, Any],
    mounts: dict[str, dict[str, str]],
) -> None:
    old, so_far = draft.marker, draft.so_far
    if old is ours.NO_MARKER:
        return
    for name, entry in old.containers.items():
        if name in so_far.init and name not in containers:
            containers[name] = entry
            draft.reasons.append(
                Reason(
                    Code.ORPHAN, field=f"initContainers[{name}]", detail="no policy plans it now"
                )
            )
    for name, entry in old.volumes.items():
        if name in so_far.volumes and name not in volumes:
            volumes[name] = entry
            draft.reasons.append(
                Reason(Code.ORPHAN, field=f"volumes[{name}]", detail="no policy plans it now")
            )
    for container in so_far.containers:
        name = str(container.get("name"))
        there = {m.get("mountPath") for m in objects(container.get("volumeMounts"))}
        kept = {path: text for path, text in old.mounts.get(name, {}).items() if path in there}
        if kept:
            mounts[name] = {**kept, **mounts.get(name, {})}


def _costs(pod: Json, after: Json) -> Iterable[Reason]:
    """What injection costs the scheduler: only resources that a policy writes can make it rise."""
    before = mapping(pod.get("spec"))
    for key, more in resources.rises(before, mapping(after.get("spec"))):
        amount = quantity.canonical(_written(key, more))
        yield Reason(
            Code.COST,
            field=f"resources.requests.{key}",
            detail=f"the pod's request rises by {amount}",
        )


def _written(key: str, more: Fraction) -> str:
    """An amount as people write it: bytes in powers of 1024, where they are whole."""
    return f"{more // 1024}Ki" if key != "cpu" and more % 1024 == 0 else f"{float(more):f}"
