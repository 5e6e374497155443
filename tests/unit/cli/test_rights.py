"""`initject preview -o rights`: what pods need that wait for objects of the cluster."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.cli.conftest import DEPLOYMENT, POD
from tests.unit.cli.test_preview import Preview
from webhook.cli.render import rights


def pod(*args: str, command: list[str] | None = None, **spec: Any) -> dict[str, Any]:
    """A pod that waits; `args` are those of the step."""
    step = {"name": "wait", "command": command or ["initject", "wait"], "args": list(args)}
    return {"spec": {"initContainers": [step], "containers": [{"name": "app"}], **spec}}


def rules(*pods: dict[str, Any]) -> dict[str, list[tuple[str, str, list[str]]]]:
    """By namespace and name of the Role: group, resource and names of each rule."""
    found = rights.objects_for(need for one in pods for need in rights.needs(one, "shop"))
    return {
        "/".join((role["metadata"]["namespace"], role["metadata"]["name"])): [
            (rule["apiGroups"][0], rule["resources"][0], rule["resourceNames"])
            for rule in role["rules"]
        ]
        for role in found
        if role["kind"] == "Role"
    }


def test_each_object_is_named_in_its_namespace() -> None:
    """For the account of the pod; the same need of several pods is one."""
    one = pod(
        *("--timeout=2m", "--mode", "any", "tcp", "host=job", "port=1", "job", "name=load"),
        *("pod", "name=db-0", "namespace=data", "job", "name=clean", "job://data/load"),
        serviceAccountName="checkout",
    )

    assert {
        "data/initject-wait:shop:checkout": [
            ("", "pods", ["db-0"]),
            ("batch", "jobs", ["load"]),
        ],
        "shop/initject-wait:checkout": [("batch", "jobs", ["clean", "load"])],
    } == rules(one, one)


def test_a_role_is_bound_to_the_account_of_the_pod() -> None:
    """The account that a pod has without naming one is `default`."""
    role, binding = rights.objects_for(rights.needs(pod("job", "name=load"), "shop"))

    assert ["list", "watch"] == role["rules"][0]["verbs"]
    assert [{"kind": "ServiceAccount", "name": "default", "namespace": "shop"}] == binding[
        "subjects"
    ]
    assert role["metadata"] == binding["metadata"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("Certificate", "certificates"), ("Policy", "policies"), ("Ingress", "ingresses")],
)
def test_the_resource_of_a_kind_that_is_not_known_is_a_guess(kind: str, plural: str) -> None:
    """And it is said to be one."""
    one = pod("object", "api-version=x.io/v1", f"kind={kind}", "name=a", "condition=Ready")
    needs = rights.needs(one, "shop")

    assert {"shop/initject-wait:default": [("x.io", plural, ["a"])]} == rules(one)
    assert [f"{plural}.x.io is a guess for {kind} of x.io/v1"] == [
        text.partition(";")[0] for text in rights.guesses(needs)
    ]


@pytest.mark.parametrize(
    "one",
    [
        pod("tcp", "host=job", "port=1"),
        pod("job", "name=No_Name"),
        pod("job"),
        pod("job", "name=load", command=["echo"]),
        pod("job", "name=load", command=["initject", "fetch"]),
        {},
    ],
)
def test_whoever_waits_for_no_object_needs_nothing(one: dict[str, Any]) -> None:
    """Nor does a command of somebody else, or one that is wrong."""
    assert [] == rights.needs(one, "shop")


POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: after-the-load}
spec:
  match: {podSelector: {matchLabels: {app: checkout}}}
  steps:
    - {name: wait, waitFor: [{job: {name: load}}]}
"""


def test_the_preview_says_who_needs_a_role_and_prints_it(preview: Preview) -> None:
    """The note below a verdict names the option; what that prints is for kubectl apply."""
    shown = preview(DEPLOYMENT, POD, policy=POLICY)
    printed = preview(DEPLOYMENT, POD, policy=POLICY, options=("-o", "rights"))
    entries = preview(DEPLOYMENT, POD, policy=POLICY, options=("-o", "json")).json

    who = "needs a Role for the service account payments/default: initject preview -o rights"
    assert 1 == shown.out.count(who)
    role, binding = yaml.safe_load_all(printed.out)
    assert ("Role", "RoleBinding") == (role["kind"], binding["kind"])
    assert ([role, binding], []) == (entries[0]["rights"], entries[1]["rights"])


def test_without_such_pods_there_are_none(preview: Preview) -> None:
    """Nothing on standard output, and a line that says so."""
    ran = preview(DEPLOYMENT, options=("-o", "rights"))

    assert ("", "no pod waits for objects of the cluster\n") == (ran.out, ran.err)
