"""What `preview` and `explain` are asked about: policies, manifests, and what is known around."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import click

from webhook import chosen, testing
from webhook.cli import options
from webhook.cli.render import problems
from webhook.document import read
from webhook.document.problem import Finding, Problem
from webhook.inject import decide
from webhook.inject.decision import Options
from webhook.manifest import stream, waits, workload
from webhook.policy import load, parse
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review.request import Request
from webhook.settings import Settings


@dataclass(frozen=True, slots=True)
class Subject:
    """One manifest that leads to a pod, and the question that the API server would ask."""

    item: stream.Item
    made: workload.Made
    request: Request
    namespace: Namespace | None

    @property
    def title(self) -> str:
        """`Deployment payments/checkout`."""
        return f"{self.made.kind} {self.made.namespace}/{self.made.name}"


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything read: `subjects` are in the order of `documents`, `others` are left untouched."""

    documents: Sequence[read.Document]
    subjects: Sequence[Subject]
    others: int
    policies: PolicySet
    options: Options


def scene(
    files: Sequence[str],
    settings: Settings,
    *,
    namespace: str,
) -> Scene:
    """Reads the policies of `settings` and the manifests; `namespace` is for those without one.

    With an error in either, prints every problem on standard error and ends with status 1: nothing
    is decided by half of the policies. Namespaces of which no labels are known, though a policy or
    a setting asks for them, are named there too.
    """
    texts, unread = options.sources([*settings.policies, *settings.namespaces])
    loaded = load.load(texts, chosen.defaults(settings))
    documents, found = _read(files)
    _stop([*unread, *loaded.problems, *found])
    items = stream.items(documents)
    spaces = {
        **(loaded.namespaces or {}),
        **{space.name: space for space in parse.parse(documents).namespaces},
    }
    subjects = list(_subjects(items, spaces, namespace))
    others = len(items) - len(subjects)
    result = Scene(documents, subjects, others, loaded.policies, chosen.options(settings))
    _say_unknown(result)
    return result


def waiting(texts: Iterable[options.Source], loaded: load.Loaded) -> list[Problem]:
    """What workloads among the texts make of the steps that wait in their pods, as warnings.

    They are decided as they would be without any setting; what is no workload, or none that can be
    read, says nothing here.
    """
    found: list[Problem] = []
    for file, text in texts:
        for item in stream.items(read.read(text, file=file)[0]):
            found += (item.document.problem(one) for one in _waiting(item, loaded))
    return found


def _waiting(item: stream.Item, loaded: load.Loaded) -> list[Finding]:
    if not workload.makes_pods(item.value):
        return []
    made = workload.pod_of(item.value, namespace="default")
    if isinstance(made, Finding):
        return []
    request = testing.question(testing.review(made.pod))
    space = (loaded.namespaces or {}).get(made.namespace)
    decision = decide.decide(request, loaded.policies, space, chosen.options(Settings()))
    after = decision.pod if decision.allowed and decision.patch else None
    found = waits.findings(item.value, after, made.template) if after else []
    return [one.under(item.path) for one in found]


def _read(files: Sequence[str]) -> tuple[list[read.Document], list[Problem]]:
    documents: list[read.Document] = []
    texts, found = options.sources(files)
    for file, text in texts:
        more, wrong = read.read(text, file=file)
        documents += more
        found += wrong
    return documents, found


def _stop(found: Sequence[Problem]) -> None:
    errors, _ = problems.split(found)
    if errors:
        click.echo("\n".join(map(problems.line, errors)), err=True)
        raise click.exceptions.Exit(1)


def _subjects(
    items: Iterable[stream.Item], spaces: Mapping[str, Namespace], namespace: str
) -> Iterable[Subject]:
    found: list[Problem] = []
    for item in items:
        if not workload.makes_pods(item.value):
            continue
        made = workload.pod_of(item.value, namespace=namespace)
        if isinstance(made, Finding):
            found.append(item.document.problem(made.under(item.path)))
            continue
        asked = testing.question(testing.review(made.pod))
        yield Subject(item, made, asked, spaces.get(made.namespace))
    _stop(found)


def _say_unknown(scene: Scene) -> None:
    needs = [policy.key for policy in scene.policies.policies if policy.needs_namespace]
    if not needs and scene.options.inject != "opt-in":
        return
    who = f"policy {needs[0]} needs them" if needs else "--inject opt-in needs them"
    unknown = {s.made.namespace: None for s in scene.subjects if s.namespace is None}
    for name in unknown:
        line = (
            f"namespace {name}: its labels are not known, and {who}; "
            "give the Namespace object in --namespaces or among the FILEs"
        )
        click.echo(click.style("note: ", fg="yellow") + line, err=True)
