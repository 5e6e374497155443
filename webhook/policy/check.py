"""What is wrong with policies beyond each one's form: trust, promises, and several together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from webhook.document.problem import Finding, Path, Problem
from webhook.policy import glob, selector, trace
from webhook.policy.compiled import Clauses, Policy
from webhook.policy.glob import Glob
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

Compiled = tuple[Written, Policy]


def check(written: Sequence[Written], policies: Sequence[Policy]) -> list[Problem]:
    """Every problem of these policies, each compiled from the written one at its index."""
    problems = []
    for one, policy in zip(written, policies, strict=True):
        for rule in _RULES:
            problems += [one.problem(finding.under(("spec",))) for finding in rule(policy)]
    told: set[tuple[str, int, int, str]] = set()
    for first, second in _neighbours(list(zip(written, policies, strict=True))):
        for problem in _together(first, second):
            place = (problem.file, problem.line, problem.column, problem.field)
            if place not in told:  # once a place: of many policies the first that is in the way
                told.add(place)
                problems.append(problem)
    return problems


# -- one policy


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
        advice = "match by namespace, service account or workload instead"
        what = f"{what} is written by the pod's author, who can avoid it"
        yield Finding(path, what, advice, "warning")


def _unhidden(policy: Policy) -> Iterator[Finding]:
    for index, condition in enumerate(policy.conditions if policy.forbid_opt_out else ()):
        for path in _UNHIDDEN:
            if condition.expression.reads.reads(*path):
                what = f"reads {'.'.join(path)}, where optOut: Forbid also sees what we injected"
                advice = "make sure that it gives the same when the pod is looked at again"
                yield Finding(("conditions", index, "expression"), what, advice, "warning")
                break


def _authored(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Where a policy matches by what the author of a pod may write at will."""
    for name, value in (
        ("podSelector", policy.match.pod_selector),
        ("annotations", policy.match.annotations),
        ("images", policy.match.images),
    ):
        if value is not None:
            yield ("match", name), name
    for index, entry in enumerate(policy.exclude):
        if (
            entry.pod_selector is not None
            or entry.annotations is not None
            or entry.images is not None
        ):
            yield ("exclude", index), "an exclusion by labels, annotations or images"
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
    for index, condition in enumerate(policy.conditions):
        if condition.expression.reads.reads("request", "userInfo"):
            yield Finding(("conditions", index, "expression"), what, advice, "warning")
    for index, step in enumerate(policy.steps):
        for path, hole in step.holes:
            if hole.reads.reads("request", "userInfo"):
                yield Finding(("steps", index, "container", *path), what, advice, "warning")


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
    _windows,
    _placement,
    _reads_user,
    _unused,
)


# -- two policies


def _neighbours(compiled: list[Compiled]) -> Iterator[tuple[Compiled, Compiled]]:
    """Pairs that could meet in one pod and have something to disagree about, in planning order.

    Only policies that share a name, or of which one demands a placement, are paired: ten thousand
    policies must not make fifty million pairs.
    """
    ranked = sorted(compiled, key=lambda pair: pair[1].rank)
    by_name: dict[str, list[int]] = {}
    for number, (_, policy) in enumerate(ranked):
        for name in _names(policy):
            by_name.setdefault(name, []).append(number)
    pairs = {
        pair
        for numbers in by_name.values()
        if len(numbers) <= _CROWD
        for pair in combinations(numbers, 2)
    }
    placed = [n for n, (_, p) in enumerate(ranked) if p.before or (p.after and not p.last)]
    if len(placed) <= _CROWD:
        pairs |= set(combinations(placed, 2))
    for first, second in sorted(pairs):
        if can_meet(ranked[first][1], ranked[second][1]):
            yield ranked[first], ranked[second]


_CROWD = 300  # 45,000 pairs: some 100 ms; a set with more of them is beyond what a warning can help


def _names(policy: Policy) -> set[str]:
    return {step.name for step in policy.steps} | {
        f"volume/{volume.name}" for volume in policy.volumes
    }


def can_meet(a: Policy, b: Policy) -> bool:
    """Whether both could match one pod; False only when surely not."""
    if a.namespace and b.namespace and a.namespace != b.namespace:
        return False
    for one, other in ((a, b), (b, a)):
        named = other.match.namespaces
        if one.namespace and named is not None and not any(g.matches(one.namespace) for g in named):
            return False
    return _clauses_meet(a.match, b.match)


def _clauses_meet(a: Clauses, b: Clauses) -> bool:
    return (
        _globs_meet(a.namespaces, b.namespaces)
        and _globs_meet(a.service_accounts, b.service_accounts)
        and _selectors_meet(a.namespace_selector, b.namespace_selector)
        and _selectors_meet(a.pod_selector, b.pod_selector)
        and _workloads_meet(a.workloads, b.workloads)
    )


def _globs_meet(a: Sequence[Glob] | None, b: Sequence[Glob] | None) -> bool:
    return a is None or b is None or any(glob.overlap(x, y) for x in a for y in b)


def _selectors_meet(a: selector.Selector | None, b: selector.Selector | None) -> bool:
    return a is None or b is None or selector.overlap(a, b)


# The second kind is what the first one's pods are owned by: both can hold for one pod.
_SAME_POD = frozenset((("Deployment", "ReplicaSet"), ("CronJob", "Job")))


def _workloads_meet(a: Sequence[str] | None, b: Sequence[str] | None) -> bool:
    if a is None or b is None:
        return True
    return any(x == y or (x, y) in _SAME_POD or (y, x) in _SAME_POD for x in a for y in b)


def _together(first: Compiled, second: Compiled) -> Iterator[Problem]:
    """What two policies that can meet in a pod do to each other; `second` is planned later."""
    (_, earlier), (written, later) = first, second
    if not (earlier.audit or later.audit):
        for finding in (*_same_names(earlier, later), *_contradiction(earlier, later)):
            yield written.problem(finding.under(("spec",)))


def _same_names(earlier: Policy, later: Policy) -> Iterator[Finding]:
    advice = "rename it, or make sure that no pod is matched by both"
    for kind, field in (("step", "steps"), ("volume", "volumes")):
        taken = {item.name for item in getattr(earlier, field)}
        for index, item in enumerate(getattr(later, field)):
            if item.name in taken:
                what = f"policy {earlier.key} has a {kind} {item.name} too: a conflict in some pods"
                yield Finding((field, index, "name"), what, advice, "warning")


def _contradiction(earlier: Policy, later: Policy) -> Iterator[Finding]:
    """A later block that must be before what an earlier one of its run must be after."""
    if earlier.last != later.last:
        return
    for index, before in enumerate(later.before):
        for after in earlier.after:
            if glob.overlap(before, after):
                what = (
                    f"policy {earlier.key} comes first and after {after}: no place before {before}"
                )
                yield Finding(
                    ("placement", "before", index),
                    what,
                    "change order, or one of the placements",
                    "warning",
                )
