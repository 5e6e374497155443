from __future__ import annotations

import pytest

from tests.unit.policy.texts import MINIMAL, parsed, policy, told
from webhook.policy.namespace import Namespace

STEPS = "steps: [{name: a, container: {image: x:1}}]"
HEAD = "apiVersion: initject.dev/v1alpha1\nkind: "


def test_a_policy_is_read_with_its_defaults() -> None:
    """A minimal policy is whole: every field has the documented default."""

    result = parsed(MINIMAL)

    [one] = result.policies
    spec = one.spec
    assert ("ClusterInitPolicy", "minimal", "", "minimal", ()) == (
        one.kind,
        one.name,
        one.namespace,
        one.key,
        one.path,
    )
    assert (100, "First", "Skip", "Skip", "Allow", "Enforce") == (
        spec.order,
        spec.placement.position,
        spec.on_conflict,
        spec.on_error,
        spec.opt_out,
        spec.mode,
    )
    assert {"image": "registry.example.com/tool:1.0"} == spec.steps[0].container
    assert () == result.problems


def test_lists_are_opened_and_places_kept() -> None:
    """Policies inside Lists, typed ones too, are read where they stand."""

    text = f"""\
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {{name: x}}
  - apiVersion: initject.dev/v1alpha1
    kind: InitPolicyList
    items:
      - metadata: {{name: a, namespace: b}}
        spec: {{{STEPS}}}
"""

    result = parsed(text)

    [one] = result.policies
    assert ("b/a", ("items", 1, "items", 0), 1) == (one.key, one.path, result.others)


def test_objects_of_a_cluster_are_read() -> None:
    """What `kubectl get -o yaml` adds to metadata, and a status, is no problem."""

    metadata = "{name: a, uid: x, generation: 1, managedFields: [{manager: m}], labels: {a: b}}"
    text = policy(STEPS, metadata=metadata) + "\nstatus: {conditions: []}\n"

    assert [] == told(parsed(text).problems)


def test_namespaces_get_the_label_of_the_api_server() -> None:
    """A Namespace is kept with its labels, its name among them as Kubernetes sets it."""

    labels = "{team: a, kubernetes.io/metadata.name: other}"
    text = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: pay, labels: {labels}}}"

    expected = Namespace("pay", {"team": "a", "kubernetes.io/metadata.name": "pay"}, {})
    assert (expected,) == parsed(text).namespaces


def test_other_objects_and_empty_documents_are_passed_over() -> None:
    """Kubernetes objects of other kinds are counted, nothing is no object."""

    deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}"

    result = parsed(deployment, "", "# only a comment", deployment)

    assert (2, ()) == (result.others, result.problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a]", "1:1: must be a Kubernetes object, not a list; begin with apiVersion, kind"),
        ("kind: InitPolicy", "1:1: apiVersion: is missing; add for example apiVersion: initject.d"),
        (
            "apiversion: v1\nkind: Pod",
            "1:1: apiVersion: is missing; did you mean it by apiversion?",
        ),
        ("apiVersion: v1\nkind: 3", "2:7: kind: must be a string, not the number 3; write for"),
        ("apiVersion: v1\nkind: ''", "2:7: kind: is empty; write for example ClusterInitPolicy"),
        (
            HEAD + "InitPolcy",
            "2:7: kind: there is no kind InitPolcy in initject.dev/v1alpha1; did you mean InitPol",
        ),
        (
            HEAD + "Pipeline",
            "2:7: kind: there is no kind Pipeline in initject.dev/v1alpha1; use one of ClusterIn",
        ),
        (
            "apiVersion: initject.dev/v1\nkind: InitPolicy",
            "1:13: apiVersion: there is no version initject.dev/v1; write apiVersion: initject.d",
        ),
        (
            "apiVersion: v1\nkind: InitPolicy",
            "1:13: apiVersion: v1 is not that of InitPolicy; write apiVersion: initject.dev/v1al",
        ),
        (
            "apiVersion: injitect.dev/v1alpha1\nkind: Initpolicy",
            "1:13: apiVersion: there is no group injitect.dev; write apiVersion: initject.dev/v1",
        ),
        (HEAD + "InitPolicy\nmetadata: {name: a, namespace: b}", "1:1: spec: is missing; add it"),
        (HEAD + f"ClusterInitPolicy\nspec: {{{STEPS}}}", "1:1: metadata: is missing; add metadata"),
        (policy(STEPS, metadata="[a]"), "3:11: metadata: must be a map, not a list; write {name"),
        (policy(STEPS, metadata="{}"), "3:11: metadata.name: is missing; add a name"),
        (policy(STEPS, metadata="{generateName: a}"), "3:11: metadata.name: is missing; generate"),
        (policy(STEPS, metadata="{name: 1}"), "3:18: metadata.name: must be a string, not the nu"),
        (policy(STEPS, metadata="{name: A_b}"), "3:18: metadata.name: the name 'A_b' must consi"),
        (
            policy(STEPS, kind="InitPolicy"),
            "3:11: metadata.namespace: is missing: in files it must say which namespace the poli",
        ),
        (
            policy(STEPS, kind="InitPolicy", metadata="{name: a, namespace: B}"),
            "3:32: metadata.namespace: the namespace 'B' must consist of lower-case letters, dig",
        ),
        (
            policy(STEPS, metadata="{name: a, namespace: b}"),
            "3:32: metadata.namespace: a ClusterInitPolicy has no namespace; remove it and use m",
        ),
        (policy(STEPS) + "\nspce: 1", "6:7: spce: unknown field spce; did you mean spec?"),
        (policy(STEPS) + "\norder: 1", "6:8: order: unknown field order; write it inside spec: "),
        (
            policy(STEPS) + "\npodSelector: {}",
            "6:14: podSelector: unknown field podSelector; write it inside spec: spec.match.podS",
        ),
        (
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {b: true}}",
            "3:33: metadata.labels.b: must be a string, not the boolean true; write it in quotes",
        ),
    ],
)
def test_what_is_no_policy_though_it_should_be_is_refused(text: str, expected: str) -> None:
    """A wrong envelope is told with its place, the nearest right word and what to do."""

    result = parsed(text)

    [line] = told(result.problems)
    assert expected == line[: len(expected)]
    assert () == result.policies


def test_two_policies_of_one_name_are_refused_with_both_places() -> None:
    """The second of two policies with the same kind, namespace and name names the first."""

    one = policy(STEPS, kind="InitPolicy", metadata="{name: a, namespace: one}")
    other = policy(STEPS, kind="InitPolicy", metadata="{name: a, namespace: two}")

    assert [
        "15:18: metadata.name: InitPolicy one/a is already at policy.yaml:3:18; "
        "rename or remove one of them"
    ] == told(parsed(one, other, one).problems)


def test_every_problem_of_every_document_comes_at_once() -> None:
    """One pass tells what is wrong in all documents; the sound ones are kept."""

    result = parsed(policy("steps: []"), MINIMAL, policy("{}", metadata="{name: B}"))

    assert ["minimal"] == [one.key for one in result.policies]
    assert ["spec.steps", "metadata.name", "spec.steps"] == [
        p.field for p in sorted(result.problems)
    ]
