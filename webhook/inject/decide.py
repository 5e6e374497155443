"""The whole product in one function: a request and what is in force, to a decision with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webhook.expression.activation import Scope
from webhook.inject import judge, match, ours, patch, place, plan, resources, scope
from webhook.inject.decision import Code, Decision, LeftOutError, Options, Reason
from webhook.inject.match import Subject, mapping, objects
from webhook.inject.plan import Proposal, Standing
from webhook.policy import quantity
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review.request import Request

Json = Mapping[str, Any]


def decide(
    request: Request, policies: PolicySet, namespace: Namespace | None, options: Options
) -> Decision:
    """What to answer to `request`. Pure: no I/O, no clock, no log, and nothing is changed in place.

    `namespace` is None when its labels are not known: then policies that need them do what their
    `onError` says. Raises `PatchError` only for a bug of ours.
    """
    reason = scope.outside(request)
    pod = request.object
    if reason is not None or pod is None:
        reasons = (reason,) if reason else ()
        return Decision(
            reasons=reasons, pod=pod, faulty=reason is not None and reason.code is Code.NO_POD
        )
    draft = Draft(pod)
    draft.warnings += scope.odd_values(pod, namespace)
    reason = scope.left_alone(pod, request.namespace, namespace, options)
    if reason is not None:
        return Decision(reasons=(reason,), pod=pod, warnings=tuple(draft.warnings))
    views = Views(pod, draft.marker, request, namespace)
    considered = policies.candidates(
        namespace=request.namespace,
        labels=views.written.labels,
        workloads=views.written.workloads,
        account=views.written.account,
        namespace_labels=namespace.labels if namespace is not None else None,
    )
    _consider(considered, views, draft, options)
    return _finished(draft, options, enforcing=views.enforcing)


class Views:
    """The pod as policies see it: as its author wrote it, or whole where opting out is forbidden."""

    def __init__(
        self, pod: Json, marker: ours.Marker, request: Request, namespace: Namespace | None
    ) -> None:
        self.request = request
        self.namespace = namespace
        self.enforcing = scope.enforcing(namespace)
        self.whole = Subject(pod, request.namespace, namespace)
        written = match.as_written(pod, marker)
        self.written = (
            self.whole if written is pod else Subject(written, request.namespace, namespace)
        )
        self.opted_out = scope.opted_out(pod) if self.enforcing else None

    def binds(self, policy: Policy) -> bool:
        """Whether the pod's author can neither leave this policy out nor hide from it."""
        return policy.forbid_opt_out and self.enforcing

    def of(self, policy: Policy) -> Subject:
        """The pod as this policy sees it."""
        return self.whole if self.binds(policy) else self.written

    def scopes(self, policies: Sequence[Policy]) -> dict[Subject, Scope]:
        """What expressions see, for each way of seeing the pod, of what these policies read."""
        return {
            subject: judge.open_scope(
                (p for p in policies if self.of(p) is subject),
                subject,
                self.request,
                self.namespace,
            )
            for subject in {self.whole, self.written}
        }


@dataclass(slots=True)
class Draft:
    """A decision in the making: what is applied so far, and what is to be said."""

    pod: Json
    marker: ours.Marker = field(init=False)
    so_far: Standing = field(init=False)
    applied: list[Proposal] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    denials: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    audited: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.marker = ours.read_marker(
            mapping(mapping(self.pod.get("metadata")).get("annotations"))
        )
        self.so_far = plan.standing(self.pod, self.marker)

    def apply(self, proposal: Proposal) -> None:
        """Take a policy's proposal into the plan."""
        key = proposal.policy.key
        self.applied.append(proposal)
        self.so_far.reserve(proposal)
        names = ", ".join(item.name for item in proposal.containers)
        self.reasons.append(Reason(Code.APPLIED, key, detail=names))
        self.reasons += (
            Reason(Code.CHANGED, key, what, "changed by others, left as it is")
            for what in proposal.changed
        )

    def leave_out(self, policy: Policy, error: LeftOutError) -> None:
        """Say that a policy that matched is left out, or that the pod is denied."""
        self.reasons.append(Reason(error.code, policy.key, error.field, error.detail))
        if policy.audit:
            return
        if _rejects(policy, error.code):
            self.denials.append(f'policy "{policy.key}", {error.field}: {error.detail}')
            return
        self.skipped.append(f"{policy.key}={error.code.value}")
        if error.code is not Code.OS_UNSUPPORTED:
            self.warnings.append(
                f"initject left out policy {policy.key}: {error.field}: {error.detail}"
            )


def _rejects(policy: Policy, code: Code) -> bool:
    if code is Code.OS_UNSUPPORTED:
        return False
    return policy.reject_conflict if code is Code.CONFLICT else policy.reject_error


def _consider(policies: Iterable[Policy], views: Views, draft: Draft, options: Options) -> None:
    """Ask each policy, in planning order; those in mode Audit last, on the finished pod."""
    matching = [policy for policy in policies if _matches(policy, views, draft)]
    if not matching:
        return
    scopes = views.scopes(matching)
    for policy in sorted(matching, key=lambda p: p.audit):  # stable: planning order is kept
        subject = views.of(policy)
        try:
            reason, values = judge.conditions(policy, subject, scopes[subject])
            if reason is not None:
                draft.reasons.append(reason)
                continue
            proposal = plan.propose(
                policy,
                subject,
                draft.so_far,
                scope=scopes[subject],
                parameters=values,
                force=views.binds(policy),
                mirrors=options.mirrors,
            )
        except LeftOutError as error:
            draft.leave_out(policy, error)
            continue
        if policy.audit:
            names = ", ".join(item.name for item in proposal.containers)
            draft.audited.append(policy.key)
            draft.reasons.append(Reason(Code.AUDITED, policy.key, detail=f"would inject {names}"))
        else:
            draft.apply(proposal)


def _matches(policy: Policy, views: Views, draft: Draft) -> bool:
    if views.opted_out is not None and not views.binds(policy):
        out = views.opted_out
        draft.reasons.append(Reason(out.code, policy.key, out.field, out.detail))
        return False
    try:
        reason = judge.unmatched(policy, views.of(policy))
    except LeftOutError as error:
        draft.leave_out(policy, error)
        return False
    if reason is not None:
        draft.reasons.append(reason)
    return reason is None


# -- from a draft to a decision ---------------------------------------------------------------------


def _finished(draft: Draft, options: Options, *, enforcing: bool) -> Decision:
    audit = _audit_annotations(draft)
    if draft.denials:
        return Decision(
            allowed=False,
            message="; ".join(draft.denials),
            warnings=tuple(draft.warnings),
            reasons=tuple(draft.reasons),
            audit=audit,
        )
    blocks = [_block(proposal) for proposal in draft.applied]
    arrangement = place.arrange(list(draft.so_far.init), blocks, options.keep_first)
    for key, clause in arrangement.contradictions:
        draft.reasons.append(Reason(Code.PLACEMENT, key, "placement", clause))
        draft.warnings.append(f"initject policy {key}: placement: {clause}")
    annotations = {
        ours.MARKER: _marker(draft, enforcing=enforcing),
        ours.SKIPPED: ",".join(draft.skipped) or None,
    }
    operations, after = patch.build(draft.pod, draft.applied, arrangement, annotations)
    if draft.applied:
        draft.reasons += _costs(draft, after)
    return Decision(
        patch=operations,
        pod=after,
        warnings=tuple(draft.warnings),
        reasons=tuple(draft.reasons),
        audit=audit,
    )


def _block(proposal: Proposal) -> place.Block:
    policy = proposal.policy
    names = tuple(item.name for item in proposal.containers)
    return place.Block(policy.key, names, policy.last, policy.before, policy.after)


def _audit_annotations(draft: Draft) -> dict[str, str]:
    """The same in both calls of an admission: a second one cannot overwrite the first."""
    said = {
        "injected": ",".join(proposal.policy.key for proposal in draft.applied),
        "skipped": ",".join(draft.skipped),
        "audited": ",".join(draft.audited),
    }
    return {key: value for key, value in said.items() if value}


def _marker(draft: Draft, *, enforcing: bool) -> str | None:
    """The marker of the pod after: today's plan, and what an earlier one left in the pod."""
    containers: dict[str, Any] = {}
    volumes: dict[str, Any] = {}
    mounts: dict[str, dict[str, str]] = {}
    for proposal in draft.applied:
        containers.update((item.name, item.digests) for item in proposal.containers)
        volumes.update((item.name, item.digests) for item in proposal.volumes)
        for mount in proposal.mounts:
            mounts.setdefault(mount.container, {})[mount.mount["mountPath"]] = ours.digest(
                mount.mount
            )
    _keep_orphans(draft, containers, volumes, mounts)
    if not containers and not volumes and not enforcing:
        return None
    return ours.write_marker(ours.Marker(containers, volumes, mounts))


def _keep_orphans(
    draft: Draft,
    containers: dict[str, Any],
    volumes: dict[str, Any],
    mounts: dict[str, dict[str, str]],
) -> None:
    old, so_far = draft.marker, draft.so_far
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


def _costs(draft: Draft, after: Json) -> Iterable[Reason]:
    """What injection costs the scheduler: only resources that a policy writes can make it rise."""
    if not any("resources" in step.container for p in draft.applied for step in p.policy.steps):
        return
    before = mapping(draft.pod.get("spec"))
    for key, more in resources.rises(before, mapping(after.get("spec"))):
        amount = quantity.canonical(f"{float(more):f}")
        yield Reason(
            Code.COST,
            field=f"resources.requests.{key}",
            detail=f"the pod's request rises by {amount}",
        )
