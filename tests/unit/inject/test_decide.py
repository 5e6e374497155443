"""What a decision says besides the patch: reasons, warnings, audit annotations, refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from textwrap import indent
from typing import Any

import pytest

from webhook import testing
from webhook.inject import ours
from webhook.inject.decide import decide
from webhook.inject.decision import Code, Decision, Options
from webhook.policy.namespace import Namespace
from webhook.review.request import Request

SHOP = Namespace("shop")
ENFORCING = Namespace("shop", {"initject.dev/enforce": "true"})
FORBID = "optOut: Forbid\nonConflict: Reject\nonError: Reject\n"
TEMPLATE = "\"${object.metadata.annotations['secret']}${object.metadata.labels['none']}\""


def policy(name: str, spec: str = "", *, step: str = "", container: str = "") -> str:
    """A policy with one step, named after the policy where `step` does not say otherwise."""
    image = "image: registry.example.com/tool:1"
    text = f"match: {{}}\n{spec}" if "match:" not in spec else spec
    text += f"steps: [{{name: {step or name}, container: {{{image}{container}}}}}]\n"
    head = "apiVersion: initject.dev/v1alpha1\nkind: ClusterInitPolicy\n"
    return f"{head}metadata: {{name: {name}}}\nspec:\n{indent(text, '  ')}"


def admit(pod: Mapping[str, Any], *policies: str, namespace: Namespace | None = SHOP) -> Decision:
    """The decision about a pod in the namespace `shop`."""
    request = Request(uid="1", namespace="shop", object=pod)
    return decide(request, testing.policies("\n---\n".join(policies)), namespace, Options())


def codes(decision: Decision) -> list[tuple[Code, str]]:
    return [(reason.code, reason.policy) for reason in decision.reasons]


def again(decision: Decision) -> dict[str, Any]:
    """The pod of a decision as it comes in the second call."""
    pod: dict[str, Any] = json.loads(json.dumps(decision.pod))
    return pod


@pytest.mark.parametrize("annotations", [{}, {"a": "b"}])
def test_pods_that_differ_in_what_a_template_reads_do_not_share_it(
    annotations: dict[str, str],
) -> None:
    """Each pod gets its own text, and the same again, whichever pods came in between."""
    text = policy("one", container=', args: ["${object.metadata.labels.app}"]')

    def args(app: str) -> tuple[list[str], str]:
        pod = testing.pod()
        pod["metadata"] = {"labels": {"app": app}, "annotations": annotations}
        after = again(admit(pod, text))
        marker = json.loads(after["metadata"]["annotations"][ours.MARKER])
        args = after["spec"]["initContainers"][0]["args"]
        return args, marker["containers"]["one"]["args"]

    first, second = args("shop"), args("cart")

    assert (["shop"], ["cart"]) == (first[0], second[0])
    assert first[1] != second[1]
    assert (first, second) == (args("shop"), args("cart"))


@pytest.mark.parametrize("name", [ours.MARKER, ours.SKIPPED])
def test_an_annotation_of_ours_without_a_text_is_none(name: str) -> None:
    """A policy in conflict is left out, whatever a pod's author has made of our annotations."""
    pod = testing.pod(initContainers=[{"name": "one", "image": "registry.example.com/app:1"}])
    pod["metadata"]["annotations"] = {name: None}

    decision = admit(pod, policy("one"))

    assert (True, (), [(Code.CONFLICT, "one")]) == (
        decision.allowed,
        decision.applied,
        codes(decision),
    )


@pytest.mark.parametrize("place", ["labels", "annotations"])
def test_a_value_that_means_nothing_is_warned_of(place: str) -> None:
    """A pod with an odd switch is injected, and its user told."""
    pod = testing.pod(**{place: {"initject.dev/inject": "off"}})  # type: ignore[arg-type]
    decision = admit(pod, policy("one"))

    assert ("one",) == decision.applied
    assert (
        f"{place[:-1]} initject.dev/inject of the pod has no meaning: use disabled or enabled",
    ) == decision.warnings


@pytest.mark.parametrize(
    ("labels", "warned"),
    [
        ({"initject.dev/inject": "yes"}, True),
        ({"initject.dev/enforce": "yes"}, True),
        ({"initject.dev/inject": "true", "initject.dev/enforce": "false"}, False),
        ({"initject.dev/inject": "enabled"}, False),
    ],
)
def test_a_namespace_with_a_value_that_means_nothing_is_warned_of(
    labels: dict[str, str], warned: bool
) -> None:
    """The user of a pod is told; the switch is as if it were not there."""
    decision = admit(testing.pod(), policy("one"), namespace=Namespace("shop", labels))

    assert (("one",), warned) == (decision.applied, bool(decision.warnings))


def test_what_is_left_out_is_said_without_any_value() -> None:
    """Annotation, audit annotation and warning name policy, reason and field, and no text of
    the pod."""
    pod = testing.pod(annotations={"secret": "hunter2"})
    decision = admit(pod, policy("one", container=f", args: [{TEMPLATE}]"))
    skipped = "one=template_failed"

    assert decision.pod is not None
    assert skipped == decision.pod["metadata"]["annotations"][ours.SKIPPED]
    assert {"skipped": skipped} == decision.audit
    assert [(Code.TEMPLATE_FAILED, "one")] == codes(decision)
    assert [
        "initject left out policy one: steps[0].container.args[0]: no such key: labels"
    ] == list(decision.warnings)


def test_another_operating_system_is_nothing_to_act_on() -> None:
    """It is written on the pod and audited, but no warning."""
    decision = admit(testing.pod(os={"name": "windows"}), policy("one"))

    assert ({"skipped": "one=os_unsupported"}, ()) == (decision.audit, decision.warnings)


def test_one_refusal_plans_everything_and_applies_nothing() -> None:
    """All policies that refuse are named; those that would have applied are told as planned."""
    refuse = "onConflict: Reject\n"
    pod = testing.pod(initContainers=[{"name": "a", "image": "x"}, {"name": "b", "image": "x"}])
    decision = admit(pod, policy("a", refuse), policy("b", refuse), policy("c"))

    assert (
        'policy "a", steps[0].name: an init container a is already there; '
        'policy "b", steps[0].name: an init container b is already there'
    ) == decision.message
    assert (False, (), ()) == (decision.allowed, decision.patch, decision.applied)
    assert [(Code.CONFLICT, "a"), (Code.CONFLICT, "b"), (Code.PLANNED, "c")] == codes(decision)


def test_what_others_changed_is_told_but_not_audited() -> None:
    """The audit annotations of the second call are those of the first."""
    first = admit(testing.pod(), policy("one"))
    pod = again(first)
    pod["spec"]["initContainers"][0]["image"] = "mirror.example.com/tool:1"
    second = admit(pod, policy("one"))
    (_, changed) = second.reasons

    assert (Code.CHANGED, "one: image") == (changed.code, changed.field)
    assert {"injected": "one"} == first.audit == second.audit


def test_what_no_policy_plans_any_more_is_told() -> None:
    """Containers and volumes of an old policy stay, as orphans."""
    old = policy("old", "volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]\n")
    decision = admit(again(admit(testing.pod(), old)), policy("new"))
    orphans = [reason.field for reason in decision.reasons if reason.code is Code.ORPHAN]

    assert ["initContainers[old]", "volumes[v]"] == orphans


def test_demands_that_contradict_each_other_are_told() -> None:
    """The block keeps its position; the user is told which demand and why."""
    init = [{"name": "mesh", "image": "x"}, {"name": "vault", "image": "x"}]
    decision = admit(
        testing.pod(initContainers=init),
        policy("one", "placement: {before: [mesh], after: [vault]}\n"),
    )
    clause = "cannot be after vault and before mesh: keeps its position"

    assert ("one",) == decision.applied
    assert (f"initject policy one: placement: {clause}",) == decision.warnings
    assert [(Code.APPLIED, "one"), (Code.PLACEMENT, "one")] == codes(decision)


def test_what_a_policy_writes_is_told_where_it_costs() -> None:
    """Copied resources cost nothing; written ones are compared with what the pod asked for."""
    size = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    pod = testing.pod()
    pod["spec"]["containers"][0]["resources"] = size
    written = ", resources: {requests: {cpu: 300m, memory: 16Mi}, limits: {memory: 16Mi}}"
    costs = [r for r in admit(pod, policy("one", container=written)).reasons if r.code is Code.COST]

    assert ["resources.requests.cpu"] == [reason.field for reason in costs]
    assert costs[0].detail.endswith("rises by 200m")
    assert [(Code.APPLIED, "one")] == codes(admit(pod, policy("one")))


def test_an_audit_policy_says_what_it_would_do() -> None:
    """In the reasons and the audit annotation, nowhere on the pod."""
    decision = admit(testing.pod(), policy("one", "mode: Audit\n"))

    assert {"audited": "one"} == decision.audit
    assert [(Code.AUDITED, "one")] == codes(decision)
    assert ((), ()) == (decision.patch, decision.warnings)


def test_a_pod_that_opts_out_is_told_for_each_policy_that_lets_it() -> None:
    """Where a namespace enforces, only policies that forbid it apply."""
    pod = testing.pod(labels={"initject.dev/inject": "disabled"})
    decision = admit(pod, policy("lax"), policy("strict", FORBID), namespace=ENFORCING)

    assert [(Code.OPTED_OUT, "lax"), (Code.APPLIED, "strict")] == codes(decision)
    assert {"injected": "strict"} == decision.audit


def test_a_namespace_that_enforces_has_every_answered_pod_marked() -> None:
    """Also where nothing applied: the marker is empty then."""
    decision = admit(
        testing.pod(), policy("one", "match: {namespaces: [x]}\n"), namespace=ENFORCING
    )

    assert decision.pod is not None
    assert {ours.MARKER: "{}"} == decision.pod["metadata"]["annotations"]


def test_a_refusal_names_the_policy_that_refused() -> None:
    """The policy that refuses is told apart from one left out, in the audit too."""
    pod = testing.pod(initContainers=[{"name": "taken", "image": "registry.example.com/a:1"}])
    decision = admit(
        pod,
        policy("skips", "onConflict: Skip\n", step="taken"),
        policy("refuses", "onConflict: Reject\n", step="taken"),
    )

    assert ("refuses",) == decision.refused_by
    assert {"refused": "refuses", "skipped": "skips=conflict"} == decision.audit


@pytest.mark.parametrize("spec", ["", "onConflict: Reject\n"])
def test_a_pod_without_room_for_a_marker_is_not_broken(spec: str) -> None:
    """Annotations that fill what the API server takes leave the policy out, or refuse the pod."""
    pod = testing.pod(annotations={"note": "é" * (128 * 1024 - 60)})
    decision = admit(pod, policy("one", spec))

    assert () == decision.patch
    assert [(Code.CONFLICT, "one")] == codes(decision)
    assert bool(spec) is not decision.allowed


def test_a_pod_with_long_annotations_is_injected() -> None:
    """As long as both fit, long annotations are no reason to do nothing."""
    decision = admit(testing.pod(annotations={"note": "x" * 250_000}), policy("one"))

    assert ("one",) == decision.applied
