"""Laws that hold for every pod and every set of policies."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.pods import pods, policy_sets
from webhook.inject.decide import decide
from webhook.inject.decision import Code, Decision, Options
from webhook.inject.explain import explain
from webhook.policy import glob
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review.request import Request

Json = dict[str, Any]
OPTIONS = Options(keep_first=(glob.parse("restore-wait"),))
namespaces = st.sampled_from(
    (Namespace("shop"), Namespace("shop", {"initject.dev/enforce": "true"}))
)
OURS = ("initject.dev/injected", "initject.dev/skipped")


def admit(pod: Json, policies: PolicySet, namespace: Namespace) -> Decision:
    request = Request(uid="1", namespace="shop", object=pod, raw={"namespace": "shop"})
    return decide(request, policies, namespace, OPTIONS)


def applied(pod: Json, decision: Decision) -> Json:
    return jsonpatch.apply_patch(pod, list(decision.patch)) if decision.allowed else pod


def init_names(pod: Json) -> list[str]:
    return [c["name"] for c in pod["spec"].get("initContainers") or []]


@given(pods(), policy_sets(), namespaces)
def test_the_patch_applied_by_another_library_is_the_planned_pod(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """What an independent RFC 6902 library makes of the patch is the pod that was planned."""
    decision = admit(pod, policies, namespace)

    assert not decision.allowed or decision.pod == applied(pod, decision)


@given(pods(), policy_sets(), namespaces)
def test_deciding_leaves_the_request_as_it_was(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """Nothing of the request is changed in place."""
    before = copy.deepcopy(pod)

    admit(pod, policies, namespace)

    assert before == pod


@given(pods(), policy_sets(), namespaces)
def test_an_admitted_pod_is_admitted_again_without_a_patch(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """The pod that we return gets no patch and the same audit annotations in the second call."""
    first = admit(pod, policies, namespace)
    second = admit(applied(pod, first), policies, namespace)

    assert not first.allowed or ((), first.audit) == (second.patch, second.audit)


@given(pods(), policy_sets(), namespaces)
def test_what_the_server_adds_to_our_containers_changes_nothing(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """Token mounts, defaults and limits that the API server adds do not bring a second patch."""
    first = admit(pod, policies, namespace)
    if not first.allowed:
        return
    after = applied(pod, first)
    spec = after["spec"]
    spec.setdefault("volumes", []).append(
        {"name": "kube-api-access-x", "projected": {"sources": []}}
    )
    for container in spec.get("initContainers") or []:  # the others came with their defaults
        container.setdefault("imagePullPolicy", "IfNotPresent")
        container.setdefault("terminationMessagePath", "/dev/termination-log")
        token = "/var/run/secrets/kubernetes.io/serviceaccount"
        container.setdefault("volumeMounts", []).append(
            {"name": "kube-api-access-x", "mountPath": token}
        )

    assert () == admit(after, policies, namespace).patch


@given(pods(), policy_sets(), namespaces)
def test_what_we_do_not_own_stays_as_it_was(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """Every field of the pod survives, unknown ones too: we only add."""
    decision = admit(pod, policies, namespace)
    after = applied(pod, decision)
    for annotation in OURS:
        after["metadata"].get("annotations", {}).pop(annotation, None)
    _assert_within(pod, after)


def _assert_within(before: Any, after: Any) -> None:
    """Everything of `before` is in `after`; lists of named things may have gained some."""
    if isinstance(before, dict):
        assert set(before) <= set(after)
        for key, value in before.items():
            _assert_within(value, after[key])
    elif (
        isinstance(before, list) and before and isinstance(before[0], dict) and "name" in before[0]
    ):
        kept = [item for item in after if any(item == b or _name(item) == _name(b) for b in before)]
        assert len(before) == len(kept)
        for one, other in zip(before, kept, strict=True):
            _assert_within(one, other)
    elif before != []:  # to an empty list we may add
        assert before == after


def _name(item: Json) -> object:
    return (item.get("name"), item.get("mountPath"))


ALLOWED = ("/spec/initContainers", "/spec/volumes", "/metadata/annotations")


@given(pods(), policy_sets(), namespaces)
def test_operations_stay_in_our_rooms(pod: Json, policies: PolicySet, namespace: Namespace) -> None:
    """A fresh pod gets `add` only, in the places that are ours to add to."""
    for operation in admit(pod, policies, namespace).patch:
        path = operation["path"]
        mounts = path.startswith("/spec/containers/") and "/volumeMounts" in path

        assert operation["op"] == "add"
        assert mounts or path.startswith(ALLOWED)


@given(pods(), policy_sets(), namespaces)
def test_placement_holds_or_is_named(pod: Json, policies: PolicySet, namespace: Namespace) -> None:
    """Each `before` and `after` holds in the pod after, or a reason says that it cannot."""
    decision = admit(pod, policies, namespace)
    if not decision.allowed:
        return
    order = init_names(applied(pod, decision))
    named = {r.policy for r in decision.reasons if r.code is Code.PLACEMENT}
    own = {s.name for p in policies.policies if p.key in decision.applied for s in p.steps}
    for policy in policies.policies:
        if policy.key not in decision.applied or policy.key in named:
            continue
        places = [order.index(step.name) for step in policy.steps]
        foreign = [(i, n) for i, n in enumerate(order) if n not in own]
        assert all(max(places) < i for i, n in foreign if any(g.matches(n) for g in policy.before))
        assert all(min(places) > i for i, n in foreign if any(g.matches(n) for g in policy.after))


@given(pods(), policy_sets(), namespaces)
def test_steps_run_in_the_order_of_policies(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """Our containers follow each other as planned; the others keep their own order."""
    decision = admit(pod, policies, namespace)
    order = init_names(applied(pod, decision))
    put = [p for p in policies.policies if p.key in decision.applied]
    wanted = [s.name for last in (False, True) for p in put if p.last is last for s in p.steps]

    assert wanted == [name for name in order if name in set(wanted)]
    assert [n for n in init_names(pod) if n not in wanted] == [n for n in order if n not in wanted]


@given(pods(), policy_sets(), namespaces, st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_a_shuffled_pod_is_repaired_at_once(
    pod: Json, policies: PolicySet, namespace: Namespace, random: Any
) -> None:
    """When another webhook reorders everything, one more call settles it: the next has no patch."""
    first = admit(pod, policies, namespace)
    if not first.allowed:
        return
    after = applied(pod, first)
    random.shuffle(after["spec"].get("initContainers") or [])
    second = admit(after, policies, namespace)
    third = admit(applied(after, second), policies, namespace)

    assert (True, ()) == (second.allowed, third.patch)


@given(pods(), policy_sets(), namespaces)
def test_explaining_agrees_with_deciding(
    pod: Json, policies: PolicySet, namespace: Namespace
) -> None:
    """Asking every policy finds the same ones applied as the index-led decision."""
    request = Request(uid="1", namespace="shop", object=pod, raw={"namespace": "shop"})
    told = explain(request, policies, namespace, OPTIONS)
    held = [v.policy for v in told.policies if v.reason.code is Code.APPLIED]

    assert list(decide(request, policies, namespace, OPTIONS).applied) == held
