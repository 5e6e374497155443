"""Texts to the policies in force, with every problem of all of them: the whole of authoring."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from webhook.document import read
from webhook.document.problem import Finding, Problem
from webhook.policy import check, compile, index, parse
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.policy.parse import Written

# design.md, Bounds: what one review can reach of what a namespace's own people write.
MAX_IN_NAMESPACE = 64


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of loading.

    `policies` are those without an error of their own. `namespaces` is None when no source holds a
    Namespace, so that nothing is known of any. `problems` are sorted by place.
    """

    policies: PolicySet
    namespaces: Mapping[str, Namespace] | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are no mere warnings."""
        return tuple(p for p in self.problems if p.severity == "error")


Compiled = tuple[Written, Policy]


def load(sources: Iterable[tuple[str, str]]) -> Loaded:
    """Read, compile and check the policies and namespaces of `sources`, (file name, text) pairs.

    Whatever is wrong becomes a problem; nothing is raised.
    """
    problems: list[Problem] = []
    documents = []
    for file, text in sources:
        found, wrong = read.read(text, file=file)
        documents += found
        problems += wrong
    parsed = parse.parse(documents)
    problems += parsed.problems
    compiled, wrong = _compile(parsed.policies)
    in_force, exceeding = _bounded(compiled)
    problems += wrong + exceeding
    problems += check.check([w for w, _ in in_force], [p for _, p in in_force])
    namespaces = {namespace.name: namespace for namespace in parsed.namespaces}
    return Loaded(
        policies=index.build(policy for _, policy in in_force),
        namespaces=namespaces or None,
        problems=tuple(sorted(set(problems))),
    )


def _compile(policies: Sequence[Written]) -> tuple[list[Compiled], list[Problem]]:
    compiled, problems = [], []
    for written in policies:
        policy, findings = compile.compile_policy(written)
        problems += [written.problem(finding) for finding in findings]
        if policy is not None:
            compiled.append((written, policy))
    return compiled, problems


def _bounded(compiled: Sequence[Compiled]) -> tuple[list[Compiled], list[Problem]]:
    """The first policies of each namespace in planning order, and a problem for each other one."""
    in_force: list[Compiled] = []
    problems = []
    counts: dict[str, int] = defaultdict(int)
    for written, policy in sorted(compiled, key=lambda pair: pair[1].rank):
        counts[written.namespace] += bool(written.namespace)
        if counts[written.namespace] <= MAX_IN_NAMESPACE:
            in_force.append((written, policy))
        else:
            problems.append(written.problem(_exceeding(written.namespace)))
    return in_force, problems


def _exceeding(namespace: str) -> Finding:
    what = f"is not in force: namespace {namespace} has more than {MAX_IN_NAMESPACE} InitPolicies"
    advice = "merge some of them, or remove the last ones by order and name"
    return Finding(("metadata", "name"), what, advice)
