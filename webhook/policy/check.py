"""What is wrong with policies beyond each one's form: trust, promises, and several together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from webhook.document.problem import Finding, Path, Problem
from webhook.expression.reads import Reads
from webhook.policy import pairs, trace
from webhook.policy.compiled import Policy
from webhook.policy.parse import Written

# Fields that the API server forbids in a pod of Windows (core validation `validateWindows`).
_LINUX_ONLY = (
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
)

# What a policy that forbids opting out sees unhidden: containers of ours from the second call on.
_UNHIDDEN = (("object", "spec", "initContainers"), ("object", "spec", "volumes"),
             ("object", "spec", "containers", "*", "volumeMounts"))  # fmt: skip
_ANNOTATIONS = ("object", "metadata", "annotations")  # ours come with the first call, too


def check(written: Sequence[Written], policies: Sequence[Policy]) -> list[Problem]:
    """Every problem of these policies, each compiled from the written one at its index."""
    problems = []
    for one, policy in zip(written, policies, strict=True):
        for rule in _RULES:
            found = map(policy.origins.original, rule(policy))
            problems += [one.problem(finding.under(("spec",))) for finding in found]
    return problems + list(pairs.problems(written, policies))


def _forbid(policy: Policy) -> Iterator[Finding]:
    if not policy.forbid_opt_out:
        return
    for field, rejects in (
        ("onConflict", policy.reject_conflict),
        ("onError", policy.reject_error),
    ):
        if not rejects:
            what = "is Skip, so a pod could still get around this policy, beside optOut: Forbid"
            yield Finding((field,), what, f"write {field}: Reject")
    if policy.audit:
        what = "is Audit, which never binds, beside optOut: Forbid"
        yield Finding(("mode",), what, "remove one of them", "warning")
    for path, what in _authored(policy):
        advice = "match by namespace or service account instead"
        what = f"{what} is written by the pod's author, who can avoid it"
        yield Finding(path, what, advice, "warning")


def _unhidden(policy: Policy) -> Iterator[Finding]:
    advice = "make sure that it gives the same when the pod is looked at again"
    for path, reads in _expressions(policy) if policy.forbid_opt_out else ():
        seen = next((place for place in _UNHIDDEN if reads.reads(*place)), None)
        if seen is None and any(_ANNOTATIONS[: len(p)] == p for p in reads.paths):
            seen = _ANNOTATIONS
        if seen is not None:
            what = f"reads {'.'.join(seen)}, where optOut: Forbid also sees what we injected"
            yield Finding(path, what, advice, "warning")


def _expressions(policy: Policy) -> Iterator[tuple[Path, Reads]]:
    """Every condition and template, with its place and what it reads."""
    for index, condition in enumerate(policy.conditions):
        yield ("conditions", index, "expression"), condition.expression.reads
    for index, step in enumerate(policy.steps):
        for path, hole in step.holes:
            yield ("steps", index, "container", *path), hole.reads


def _lent(policy: Policy) -> Iterator[Finding]:
    """What a policy that forbids opting out lets the author of a pod choose for its steps."""
    for index, step in enumerate(policy.steps if policy.forbid_opt_out else ()):
        for field, lent in (
            ("image", step.borrow and step.borrow.image),
            ("volumeMounts", step.borrow and step.borrow.volume_mounts),
        ):
            if lent:
                what = "lets the pod's author choose what runs, beside optOut: Forbid"
                advice = "write it in the container instead"
                yield Finding(("steps", index, "borrow", field), what, advice, "warning")


def _authored(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Where a policy matches by what the author of a pod may write at will."""
    for name, value in (
        ("podSelector", policy.match.pod_selector),
        ("annotations", policy.match.annotations),
        ("workloads", policy.match.workloads),
        ("images", policy.match.images),
    ):
        if value is not None:
            yield ("match", name), name
    for index, entry in enumerate(policy.exclude):
        if any((entry.pod_selector, entry.annotations, entry.workloads, entry.images)):
            yield ("exclude", index), "what it excludes by"
    for index, condition in enumerate(policy.conditions):
        if condition.expression.reads.under("object"):
            yield ("conditions", index, "expression"), "what it reads of object"


def _windows(policy: Policy) -> Iterator[Finding]:
    for index, step in enumerate(policy.steps):
        path: Path = ("steps", index, "container", "securityContext")
        context = step.container.get("securityContext") or {}
        if step.os == "windows":
            for field in _LINUX_ONLY:
                if field in context:
                    yield Finding(
                        (*path, field),
                        "is forbidden on a pod of Windows",
                        "remove it, or write os: linux",
                    )
        elif "windowsOptions" in context:
            yield Finding(
                (*path, "windowsOptions"),
                "is forbidden on a pod of Linux",
                "remove it, or write os: windows",
            )


def _placement(policy: Policy) -> Iterator[Finding]:
    own = {step.name for step in policy.steps}
    for field, globs in (("before", policy.before), ("after", policy.after)):
        for index, one in enumerate(globs):
            if one.exact in own:
                what = f"{one} is a step of this policy, and only other containers count"
                yield Finding(
                    ("placement", field, index),
                    what,
                    "steps run in the order in which they are written",
                )
    for index, one in enumerate(policy.before):
        for other in policy.after:
            if one.exact is not None and one.exact == other.exact:
                what = f"no place is both before and after {one}"
                yield Finding(("placement", "before", index), what, "remove it from one of them")


def _reads_user(policy: Policy) -> Iterator[Finding]:
    what = "reads request.userInfo, which is empty offline and a controller's for most pods"
    advice = "match by serviceAccounts or namespace"
    for path, reads in _expressions(policy):
        if reads.reads("request", "userInfo"):
            yield Finding(path, what, advice, "warning")


def _unused(policy: Policy) -> Iterator[Finding]:
    whole = ("parameters",) in policy.reads.paths
    read = {path[1] for path in policy.reads.under("parameters") if len(path) > 1}
    for index, parameter in enumerate(policy.parameters):
        if not whole and parameter.name not in read and "*" not in read:
            yield Finding(
                ("parameters", index),
                f"{parameter.name} is never used",
                "use or remove it",
                "warning",
            )


_RULES: tuple[Callable[[Policy], Iterator[Finding]], ...] = (
    trace.findings,
    _forbid,
    _unhidden,
    _lent,
    _windows,
    _placement,
    _reads_user,
    _unused,
)
