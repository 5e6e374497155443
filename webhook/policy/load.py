"""Texts to the policies in force, with every problem of all of them: the whole of authoring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from webhook.document import read
from webhook.document.problem import Finding, Problem
from webhook.policy import check, compile, index, parse
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.policy.parse import Broken, Written
from webhook.recipes.defaults import Defaults

DEFAULTS = Defaults()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of loading.

    `policies` are those without an error of their own, within the bounds of a review.
    `namespaces` is None when no source holds a Namespace, so that nothing is known of any.
    `problems` are sorted by place.
    """

    policies: PolicySet
    namespaces: Mapping[str, Namespace] | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are no mere warnings."""
        return tuple(p for p in self.problems if p.severity == "error")


Compiled = tuple[Written, Policy]


def load(sources: Iterable[tuple[str, str]], defaults: Defaults = DEFAULTS) -> Loaded:
    """Read, compile and check the policies and namespaces of `sources`, (file name, text) pairs.

    `defaults` are what recipes take where a policy says nothing. Whatever is wrong becomes a
    problem; nothing is raised.
    """
    problems: list[Problem] = []
    documents = []
    for file, text in sources:
        found, wrong = read.read(text, file=file)
        documents += found
        problems += wrong
    return _load(documents, problems, defaults)


def one(value: object, defaults: Defaults = DEFAULTS) -> Loaded:
    """As `load`, for one object that came from an API server as JSON values.

    Its problems have a field, no place. Fields of a container or volume that are not known here
    are warnings: the cluster may be newer than we are, and keeps them.
    """
    return _load([read.plain(value)], [], defaults, newer=True)


def _load(
    documents: Sequence[read.Document],
    problems: list[Problem],
    defaults: Defaults,
    *,
    newer: bool = False,
) -> Loaded:
    parsed = parse.parse(documents)
    problems += [*parsed.problems, *_further(parsed.broken, defaults, newer)]
    compiled, wrong = _compile(parsed.policies, defaults, newer)
    policies = index.build(policy for _, policy in compiled)
    problems += wrong + _out_of_force(policies, compiled)
    problems += check.check([w for w, _ in compiled], [p for _, p in compiled])
    namespaces = {namespace.name: namespace for namespace in parsed.namespaces}
    return Loaded(
        policies=policies,
        namespaces=namespaces or None,
        problems=tuple(sorted(set(problems))),
    )


def _further(broken: Sequence[Broken], defaults: Defaults, newer: bool) -> list[Problem]:
    """What is wrong with policies apart from the form of their fields, which is told already."""
    return [
        one.problem(finding)
        for one in broken
        for finding in compile.compile_policy(one.written, defaults, newer=newer)[1]
    ]


def _compile(
    policies: Sequence[Written], defaults: Defaults, newer: bool
) -> tuple[list[Compiled], list[Problem]]:
    compiled, problems = [], []
    for written in policies:
        policy, findings = compile.compile_policy(written, defaults, newer=newer)
        problems += [written.problem(finding) for finding in findings]
        if policy is not None:
            compiled.append((written, policy))
    return compiled, problems


def _out_of_force(policies: PolicySet, compiled: Sequence[Compiled]) -> list[Problem]:
    """What exceeds the bounds of one review says so."""
    written = {policy.rank: written for written, policy in compiled}
    advice = "remove or merge some policies; the last ones by order and name are left out"
    return [
        written[policy.rank].problem(
            Finding(("metadata", "name"), f"is not in force: {reason}", advice)
        )
        for policy, reason in policies.refused
    ]
