"""The workshop for tests of policies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from webhook import testing
from webhook.document import write
from webhook.errors import PatchError
from webhook.inject.decision import Decision

POLICY = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: database}
spec:
  match:
    podSelector: {matchLabels: {app: checkout}}
    workloads: [StatefulSet]
  steps:
    - name: wait
      container: {image: registry.example.com/tools/wait:1.4}
"""


def test_admit() -> None:
    """A pod that a policy is for gets its step, in the decision's pod and in its patch."""
    policies = testing.policies(POLICY)
    pod = testing.pod(labels={"app": "checkout"}, owner=("StatefulSet", "checkout"))

    decision = testing.admit(policies, pod)

    assert decision.applied == ("database",)
    assert decision.pod is not None
    assert [container["name"] for container in decision.pod["spec"]["initContainers"]] == ["wait"]


def test_a_pod_that_no_policy_is_for() -> None:
    """Another pod gets no patch."""
    decision = testing.admit(testing.policies(POLICY), testing.pod(labels={"app": "checkout"}))

    assert (decision.applied, decision.patch) == ((), ())


def test_policies_with_errors() -> None:
    """Errors in policies are raised, all at once, one line each."""
    text = POLICY.replace("workloads", "workload").replace("name: wait", "nam: wait")

    with pytest.raises(testing.CaseError) as caught:
        testing.policies(text)

    assert sorted({":".join(line.split(":")[:2]) + ":" for line in caught.value.lines}) == [
        "policy.yaml:7:",
        "policy.yaml:9:",
    ]


@pytest.mark.parametrize(
    ("patch", "cause"),
    [
        ([{"op": "add", "path": "/nowhere/else", "value": 1}], "does not apply"),
        ([{"op": "add", "path": "/metadata/uid", "value": "x"}], "planned pod"),
    ],
)
def test_a_wrong_patch_is_a_bug(patch: list[dict[str, Any]], cause: str) -> None:
    """A patch that does not lead to the planned pod is found by the second opinion."""
    pod = testing.pod()
    decision = Decision(patch=tuple(patch), pod=pod)

    with pytest.raises(PatchError, match=cause):
        testing.prove(pod, decision)


def test_the_review_is_a_creation_in_the_pods_namespace() -> None:
    """What is asked is what an API server asks, with the pod's namespace and no user."""
    request = testing.review(testing.pod(namespace="shop"), request={"dryRun": True})["request"]

    assert (request["operation"], request["namespace"], request["name"]) == (
        "CREATE",
        "shop",
        "app",
    )
    assert (request["userInfo"], request["dryRun"]) == ({}, True)


@pytest.fixture
def case(tmp_path: Path) -> testing.Case:
    """A case that has everything but what it expects."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "pod.yaml").write_text(write.write([testing.pod(labels={"app": "checkout"})]))
    return testing.Case("a-case", tmp_path)


def test_update_writes_once(case: testing.Case) -> None:
    """`update` writes what was missing or differs, and nothing where all is well."""
    first = testing.update(testing.run(case))
    second = testing.update(testing.run(case))

    assert (first, second) == (True, False)
    assert testing.run(case).passed


def test_a_workload_may_be_expected_as_its_pod(case: testing.Case) -> None:
    """For a workload, `kind: Pod` is the pod that its controller creates, after."""
    template = {"metadata": {"labels": {"app": "checkout"}}, "spec": testing.pod()["spec"]}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "checkout"},
        "spec": {"template": template},
    }
    (case.folder / "pod.yaml").write_text(write.write([manifest]))
    (case.folder / "expected.yaml").write_text("apiVersion: v1\nkind: Pod\n")

    after = testing.run(case).after

    assert after is not None
    assert after["metadata"]["name"] == "checkout-0"
    assert [container["name"] for container in after["spec"]["initContainers"]] == ["wait"]


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("pod.yaml", "a: [", "pod.yaml:"),
        ("pod.yaml", "apiVersion: v1\nkind: Service\n", "neither a Pod nor a workload"),
        ("pod.yaml", "a: 1\n---\nb: 2\n", "not exactly one object"),
        ("policy.yaml", POLICY.replace("match:", "matches:"), "policy.yaml:5:3: spec.matches: "),
        ("request.yaml", "options: {inject: some}\n", "options.inject: "),
        ("request.yaml", "kind: [1]\n", "request.kind"),
    ],
)
def test_an_unusable_case(case: testing.Case, file: str, text: str, line: str) -> None:
    """A case that cannot be run says which file is wrong, and how."""
    (case.folder / file).write_text(text)

    problems = testing.run(case).problems

    assert [line in problem for problem in problems] == [True]


def test_options_of_a_case(case: testing.Case) -> None:
    """`options` in request.yaml are those of the decision, not a field of the request."""
    (case.folder / "request.yaml").write_text(
        "options: {inject: opt-in, excluded-namespaces: ['kube-*']}\ndryRun: true\n"
    )
    asked = testing.ask(case)

    assert asked.options.inject == "opt-in"
    assert [glob.text for glob in asked.options.excluded] == ["kube-*"]
    assert asked.review["request"]["dryRun"] is True


def test_cases_are_found_by_their_pod(tmp_path: Path) -> None:
    """Every folder with a pod.yaml is a case, named by its path, hidden folders left out."""
    for name in ("b/two", "a", ".git/x"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "pod.yaml").touch()

    names = [found.name for found in testing.load_cases(tmp_path)]

    assert names == ["a", "b/two"]


def test_a_folder_that_is_a_case(case: testing.Case) -> None:
    """The folder that is searched may be the case itself, and gives it its name."""
    assert testing.load_cases(case.folder) == [replace(case, name=case.folder.name)]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}, True), ({"a": 1}, {"a": True}, False)],
)
def test_same(one: object, other: object, equal: bool) -> None:
    """The order of keys counts for nothing, the type of a value does."""
    assert equal is testing.same(one, other)
