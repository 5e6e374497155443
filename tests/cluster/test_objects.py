"""Every case of the gallery on a node: its policies as objects, its pod through the Service.

Cases are asked one after another, for policies of one would apply to the pod of another. A case is
left out for a reason that is counted below, so that none is lost without a word.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import trustme
import yaml

from tests.cluster import release, samples, test_gallery, variants
from tests.cluster.api import Answer, Json, User, collection
from tests.cluster.nodes import OPTED_IN, Node
from tests.cluster.registration import in_force, until
from tests.cluster.variants import Variant
from webhook import testing
from webhook.document import read
from webhook.inject import decide
from webhook.inject.decision import Decision
from webhook.policy.namespace import Namespace

NOT_A_CREATION = "not about creating a pod"
UNKNOWN = "in a cluster the labels of a namespace are known"
LEFT_OUT = {NOT_A_CREATION: 7, UNKNOWN: 5}
KINDS = {"ClusterInitPolicy", "InitPolicy"}
MANY = 30  # more policies than any case has
NOTHING = {"namespaces": ["nothing-is-called-so"]}
# In force all the time, for pods of one label alone: what do the releases know of namespaces.
MARKER = "gallery-marker"
PROBE = f"""
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {{name: {MARKER}}}
spec:
  match: {{podSelector: {{matchLabels: {{{MARKER}: "yes"}}}}}}
  steps:
    - name: {MARKER}
      container:
        image: localhost/busybox:1
        command: [echo]
        args: ["${{namespaceObject.metadata.annotations['{MARKER}']}}"]
"""


@dataclass(frozen=True, slots=True)
class Question:
    """A case as it is asked of a cluster, where each namespace has labels that are known."""

    name: str
    reading: testing.Asked
    namespace: Namespace
    decision: Decision
    policies: tuple[Json, ...]
    left_out: str = ""

    @property
    def pod(self) -> Json:
        return test_gallery.sent(self.reading.made.pod)


def questions() -> dict[str, Question]:
    """Every case that can be read; the others fail offline."""
    found = {}
    for name, case in test_gallery.CASES.items():
        with contextlib.suppress(testing.CaseError):
            found[name] = question(name, case)
    return found


def question(name: str, case: testing.Case) -> Question:
    reading = testing.ask(case)
    request = reading.review["request"]
    space = request["namespace"]
    given = reading.namespace or Namespace(space)
    labels = {**given.labels, "kubernetes.io/metadata.name": space}
    known = replace(given, labels=labels)
    offline, here = (
        decide.decide(testing.question(reading.review), reading.policies, one, reading.options)
        for one in (reading.namespace, known)
    )
    reason = "" if told(offline) == told(here) else UNKNOWN
    if not creates(request):
        reason = NOT_A_CREATION
    documents, _ = read.read(case.text(testing.POLICY) or "", file=name)
    policies = tuple(objects((document.value for document in documents), space))
    return Question(name, reading, known, here, policies, reason)


def told(decision: Decision) -> tuple[Any, ...]:
    return decision.allowed, decision.message, decision.pod, tuple(decision.warnings)


def creates(request: Json) -> bool:
    pod = request["kind"]["kind"] == (request["object"] or {}).get("kind") == "Pod"
    return pod and request["operation"] == "CREATE" and not request.get("subResource")


def objects(values: Iterable[Any], space: str) -> Iterator[Json]:
    """The policies of these documents, lists opened."""
    for value in values:
        if value and value["kind"] in KINDS:
            metadata = dict(value["metadata"])
            if value["kind"] == "InitPolicy":
                metadata.setdefault("namespace", "default")
            yield {**value, "metadata": metadata}
        elif value and "items" in value:
            yield from objects(value["items"], space)


QUESTIONS = questions()
SAMPLES = {f"tests/cases/{name}": said for name, said in samples.SAMPLES.items()}
ASKED = {name: one for name, one in QUESTIONS.items() if not one.left_out}


def option_sets() -> dict[str, list[str]]:
    """A name of a release for each set of options that cases have, as flags."""
    found = {tuple(variants.flags(one.reading.settings)) for one in ASKED.values()}
    return {f"gallery-{number}": list(flags) for number, flags in enumerate(sorted(found))}


@pytest.fixture(scope="module")
def releases(bare_node: Node, ca: trustme.CA) -> Iterator[dict[str, Variant]]:
    """A release for each set of options, all of which watch the same policies."""
    crds = [one for one in release.rendered() if one["kind"] == "CustomResourceDefinition"]
    release.apply(bare_node, crds)
    bare_node.run("kubectl wait --for=condition=Established crd --all")
    release.apply(bare_node, [yaml.safe_load(PROBE)])
    bare_node.api.space(MARKER, OPTED_IN)
    wanted = option_sets()
    started = variants.start(bare_node, ca, wanted)
    test_gallery.prepare(bare_node.api, [one.pod for one in ASKED.values()])
    for name in started:
        until(lambda name=name: in_force(bare_node.api, name), f"{name} in force")
    yield started
    for one in started.values():
        one.close()


def place(one: Question) -> str:
    """Cases with the same options, and among them with the same namespace, come together."""
    return f"{variants.flags(one.reading.settings)} {one.namespace} {one.name}"


class Asker:
    """Asks one question after another of the releases."""

    def __init__(self, node: Node, releases: dict[str, Variant]) -> None:
        self.node, self.releases = node, releases
        self._flags = option_sets()
        self._asked = ""
        self.answers: dict[str, tuple[Answer, Answer]] = {}
        self.started: dict[str, Json] = {}
        self.ran: dict[str, Json] = {}
        self._there: dict[tuple[str, str], Namespace] = {}
        self._tokens = itertools.count(1)
        self._before: dict[str, Json] = {}

    def ask_all(self, questions: Iterable[Question]) -> None:
        """Ask each question once, and keep what its pod came to where it was started."""
        for number, one in enumerate(sorted({x.name: x for x in questions}.values(), key=place)):
            self.answers[one.name] = self.ask(one)
            if number % 20 == 0:
                self.reap()
        until(self.reap, "the kubelet has run every sample", seconds=600)

    def reap(self) -> bool:
        """Delete the pods that have run: the node has no room for all at once. Whether all have."""
        for name in self.started.keys() - self.ran.keys():
            metadata = self.started[name]
            pod = self.node.pod(metadata["namespace"], metadata["name"])
            if samples.started(pod):
                self.ran[name] = pod
                self.delete(metadata)
        return self.ran.keys() == self.started.keys()

    def delete(self, metadata: Json) -> None:
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self.node.api.ask("DELETE", path)

    def ask(self, one: Question) -> tuple[Answer, Answer]:
        """What comes of the pod, and what the server makes of the pod that is expected."""
        self.turn_to(self.variant(one))
        self.settle(one.namespace)
        self.put(one.policies)
        try:
            if one.name in SAMPLES:
                self.start(one)
            return self.create(one), self.expected(one)
        finally:
            self.take_away(one.policies)

    def create(self, one: Question) -> Answer:
        return self.node.api.create(one.pod, user=self.author(one), dry_run=True)

    def author(self, one: Question) -> User:
        return test_gallery.author(one.reading, f"{self.variant(one)}:{one.name}")

    def start(self, one: Question) -> None:
        """Create the pod for real, for the kubelet to run."""
        pod = samples.real(one.pod, len(self.started))
        self.node.api.ensure(*samples.referred(one.decision.pod or one.pod))
        answer = self.node.api.create(pod, user=self.author(one))
        assert answer.code == 201, answer.message
        self.started[one.name] = answer.body["metadata"]

    def expected(self, one: Question) -> Answer:
        pod = one.decision.pod or one.reading.made.pod
        return self.node.api.create(test_gallery.sent(pod), dry_run=True)

    def variant(self, one: Question) -> str:
        wanted = variants.flags(one.reading.settings)
        (name,) = (name for name, flags in self._flags.items() if flags == wanted)
        return name

    def put(self, policies: tuple[Json, ...]) -> None:
        """Create the policies of a case; returns when every release has them in force."""
        for value in policies:
            if "namespace" in value["metadata"]:
                self.node.api.space(value["metadata"]["namespace"])
            answer = self.node.api.create(value)
            assert answer.code == 201, answer.message
        self.count(1 + len(policies))

    def take_away(self, policies: tuple[Json, ...]) -> None:
        for value in policies:
            self.node.api.ask("DELETE", f"{collection(value)}/{value['metadata']['name']}")
        self.count(1)

    def turn_to(self, name: str) -> None:
        """Ask another release from now on; returns when it has seen all that was before."""
        if name != self._asked:
            self._asked = name
            many = [release.policy(f"many-{n}", match=NOTHING) for n in range(MANY)]
            self.put(tuple(many))
            self.take_away(tuple(many))

    def count(self, expected: int) -> None:
        """Return when the release that is asked has so many policies in force."""
        asked = self.releases[self._asked]
        until(lambda: asked.in_force() == expected, f"{expected} policies in force", pause=0.01)

    def settle(self, space: Namespace) -> None:
        """Give a namespace its labels and annotations; returns when the releases know them."""
        if self._there.get((self._asked, space.name)) == space:
            return
        path = f"/api/v1/namespaces/{space.name}"
        now = self.node.api.ask("GET", path).body
        self._before.setdefault(space.name, now)
        metadata = now["metadata"] | {"labels": dict(space.labels)}
        metadata["annotations"] = dict(space.annotations)
        assert 200 == self.node.api.ask("PUT", path, now | {"metadata": metadata}).code
        self.known(space)
        self._there[self._asked, space.name] = space

    def known(self, space: Namespace) -> None:
        """Return when the releases know it: they have seen a later change of another namespace."""
        token = str(next(self._tokens))
        path = f"/api/v1/namespaces/{MARKER}"
        now = self.node.api.ask("GET", path).body
        metadata = now["metadata"] | {"annotations": {MARKER: token}}
        assert 200 == self.node.api.ask("PUT", path, now | {"metadata": metadata}).code
        until(lambda: self.marked(self._asked) == [token], f"{space.name} is known")

    def marked(self, release: str) -> list[str]:
        """What a step in the marker namespace is told of its annotation."""
        pod = testing.pod(MARKER, namespace=MARKER, labels={MARKER: "yes"})
        user = User(MARKER, case=f"{release}:{MARKER}")
        body = self.node.api.create(pod, user=user, dry_run=True).body
        return [one["args"][0] for one in body["spec"].get("initContainers", [])]

    def restore(self) -> None:
        """Give every namespace back what it had, and delete what was started."""
        for name in self.started.keys() - self.ran.keys():
            self.delete(self.started[name])
        for name, before in self._before.items():
            path = f"/api/v1/namespaces/{name}"
            metadata = before["metadata"]
            del metadata["resourceVersion"]
            self.node.api.ask("PUT", path, before | {"metadata": metadata})


@pytest.fixture(scope="module")
def asker(
    request: pytest.FixtureRequest,
    bare_node: Node,
    releases: dict[str, Variant],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Asker]:
    """Who has asked every case that is wanted, in an order that changes namespaces rarely."""
    pods = [ASKED[name].decision.pod or ASKED[name].pod for name in SAMPLES]
    bare_node.load(samples.write_image(pods, tmp_path_factory.mktemp("samples")))
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = [
        ASKED[item.callspec.params["name"]]
        for item in items
        if item.module is request.module and "name" in item.fixturenames
    ]
    asker = Asker(bare_node, releases)
    began = time.monotonic()
    asker.ask_all(chosen)
    sys.stdout.write(f"{len(asker.answers)} cases in {time.monotonic() - began:.0f} s\n")
    yield asker
    asker.restore()


@pytest.mark.parametrize("name", ASKED)
def test_the_api_server_stores_what_the_case_expects(name: str, asker: Asker) -> None:
    """What comes back is what the server itself makes of the expected pod, or the refusal."""
    assert testing.run(test_gallery.CASES[name]).passed, "the case fails offline"
    decision = QUESTIONS[name].decision
    answer, expected = asker.answers[name]

    if not decision.allowed:
        end = f'.initject.dev" denied the request: {decision.message}'
        assert 403 == answer.code
        assert answer.message.endswith(end), answer.message
        return
    assert (201, "") == (expected.code, expected.message)
    assert (201, "") == (answer.code, answer.message)
    stored = test_gallery.stored
    assert "" == testing.difference(stored(expected.body), stored(answer.body))
    assert tuple(decision.warnings) == tuple(w for w in answer.warnings if w in decision.warnings)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_kubelet_runs_what_was_injected(name: str, asker: Asker) -> None:
    """Each init container once, in the order of the case, and then the application."""
    assert SAMPLES[name] == samples.ran(asker.ran[name])


def test_each_subject_has_a_sample() -> None:
    """A subject of the gallery without one has never been run."""
    subjects = {name.split("/")[2] for name in test_gallery.CASES if name.startswith("tests/")}
    assert subjects == {name.split("/")[2] for name in SAMPLES}


def test_what_is_left_out_is_counted() -> None:
    """A case that a cluster cannot be asked has a reason, and there are as many as we know of."""
    assert LEFT_OUT == Counter(one.left_out for one in QUESTIONS.values() if one.left_out)
    assert set(test_gallery.CASES) == set(QUESTIONS)
