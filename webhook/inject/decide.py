"""The whole product in one function: a request and what is in force, to a decision with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from webhook.errors import PatchError
from webhook.expression.activation import Scope
from webhook.inject import judge, match, ours, plan, scope, shape
from webhook.inject.decision import Code, Decision, LeftOutError, Options, Reason
from webhook.inject.draft import Draft, finished, start
from webhook.inject.match import Subject
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review.request import Request


def decide(
    request: Request, policies: PolicySet, namespace: Namespace | None, options: Options
) -> Decision:
    """What to answer to `request`. Pure: no I/O, no clock, no log, and nothing is changed in place.

    `namespace` is None when its labels are not known: then policies that need them do what their
    `onError` says. A pod that no API server takes (two containers of one name) and that cannot be
    decided is denied. Raises only for a bug of ours.
    """
    try:
        return _decided(request, policies, namespace, options)
    except _FAILURES:
        fault = shape.fault(request.object or {})
        if fault is None:
            raise
        field, what = fault
        reason = Reason(Code.NO_POD, field=field, detail=what)
        return Decision(allowed=False, message=f"{field} {what}", reasons=(reason,))


# What wrong types and names that come twice lead to.
_FAILURES = (PatchError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _decided(
    request: Request, policies: PolicySet, namespace: Namespace | None, options: Options
) -> Decision:
    reason = scope.outside(request)
    pod = request.object
    if reason is not None or pod is None:
        reasons = (reason,) if reason else ()
        return Decision(
            reasons=reasons, pod=pod, faulty=reason is not None and reason.code is Code.NO_POD
        )
    whole = Subject(pod, request.namespace, namespace)
    reason = scope.mirror(whole)
    warnings = scope.odd_values(whole, namespace) if reason is None else ()
    reason = reason or scope.left_alone(whole, namespace, options)
    if reason is not None:
        return Decision(reasons=(reason,), pod=pod, warnings=tuple(warnings))
    labels = namespace.labels if namespace is not None else None
    considered = policies.candidates(whole, request.namespace, labels)
    if not considered and not _marks(whole, namespace):
        return Decision(pod=pod, warnings=tuple(warnings))  # most pods: nothing to say
    views = Views(whole, request, namespace)
    draft = start(whole, views.marker)
    draft.warnings += warnings
    _consider(considered, views, draft, options)
    return finished(draft, options, enforcing=views.enforcing)


def _marks(whole: Subject, namespace: Namespace | None) -> bool:
    """Whether a pod has or gets a marker, whatever policies say."""
    return ours.is_marked(whole.annotations) or scope.enforcing(namespace)


class Views:
    """The pod as policies see it: as its author wrote it, or whole where that is demanded."""

    def __init__(self, whole: Subject, request: Request, namespace: Namespace | None) -> None:
        self.request = request
        self.namespace = namespace
        self.enforcing = scope.enforcing(namespace)
        self.whole = self.written = whole
        self.marker = ours.NO_MARKER
        if ours.is_marked(whole.annotations):
            self.marker = ours.read_marker(whole.annotations)
            written = match.as_written(whole.pod, self.marker)
            self.written = Subject(written, request.namespace, namespace)
        self.opted_out = scope.opted_out(whole) if self.enforcing else None

    def binds(self, policy: Policy) -> bool:
        """Whether the pod's author can neither leave this policy out nor hide from it."""
        return policy.forbid_opt_out and self.enforcing

    def of(self, policy: Policy) -> Subject:
        """The pod as this policy sees it."""
        return self.whole if self.enforcing and policy.forbid_opt_out else self.written

    def lending(self, policy: Policy, policies: Sequence[Policy]) -> Subject:
        """The pod from which a policy that binds borrows and takes its size: without what
        `policies` plan.

        Where nothing is hidden that would count at the second call, and not at the first. The
        marker is not asked: by it an author could hide a mount.
        """
        subject = self.of(policy)
        if not any(s.borrow or s.sidecar for s in policy.steps):
            return subject
        steps = {step.name for other in policies for step in other.steps}
        mounts = {
            (volume.name, target.mount["mountPath"])
            for other in policies
            for volume in other.volumes
            for target in volume.mount_into
        }
        pod = match.unplanned(subject.pod, steps, mounts)
        return Subject(pod, self.request.namespace, self.namespace)

    def scopes(self, policies: Sequence[Policy]) -> dict[Subject, Scope]:
        """What expressions see, for each way of seeing the pod, of what these policies read."""
        if self.written is self.whole:  # most pods
            scope = judge.open_scope(policies, self.whole, self.request, self.namespace)
            return {self.whole: scope}
        seeing: dict[Subject, list[Policy]] = {}
        for policy in policies:
            seeing.setdefault(self.of(policy), []).append(policy)
        return {
            subject: judge.open_scope(those, subject, self.request, self.namespace)
            for subject, those in seeing.items()
        }


def _consider(policies: Iterable[Policy], views: Views, draft: Draft, options: Options) -> None:
    """Ask each policy, in planning order; those in mode Audit last, on the finished pod."""
    matching = [policy for policy in policies if _matches(policy, views, draft)]
    if not matching:
        return
    scopes = views.scopes(matching)
    if len(matching) > 1:
        matching.sort(key=lambda p: p.audit)  # stable: planning order is kept
    for policy in matching:
        subject, force = views.of(policy), views.binds(policy)
        scope = scopes[subject]
        try:
            reason, values = judge.conditions(policy, subject, scope)
            if reason is not None:
                draft.reasons.append(reason)
                continue
            proposal = plan.propose(
                policy,
                views.lending(policy, matching) if force else subject,
                draft.so_far,
                scope=scope,
                parameters=values,
                force=force,
                mirrors=options.mirrors,
            )
        except LeftOutError as error:
            draft.leave_out(policy, error)
            continue
        if policy.audit:
            draft.audited.append(policy.key)
            detail = f"would inject {policy.listed}"
            draft.reasons.append(Reason(Code.AUDITED, policy.key, detail=detail))
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
