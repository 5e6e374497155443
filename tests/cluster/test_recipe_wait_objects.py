"""Pods that wait for objects of the cluster, on a node: Jobs, workloads, conditions, and rights."""

from __future__ import annotations

import pytest
import yaml

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.images import TOOLS
from tests.cluster.nodes import Node
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.test_running import ended, policy, run, states
from tests.cluster.test_running import pod as raw_pod

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SHOP = {"podSelector": {"matchLabels": {"role": "shop"}}}


def pod(space: str, **spec: object) -> Json:
    """A pod that the policies of these tests are for."""
    wanted = raw_pod(space, "true", **spec)
    wanted["metadata"]["labels"] = {"role": "shop"}
    return wanted


def template(role: str, script: str, **spec: object) -> Json:
    """That of a workload."""
    container = {
        "name": "app",
        "image": TOOLS,
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", script],
    }
    return {
        "metadata": {"labels": {"role": role}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


def waiting(space: str, *targets: Json, **more: object) -> Json:
    """A policy that lets pods of the shop wait, and no others: a Job must not wait for itself."""
    step = {"name": "wait", "waitFor": list(targets), **more}
    return policy(space, "shop", step, volumes=[], match=SHOP)


def job(space: str, script: str, **spec: object) -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "load", "namespace": space},
        "spec": {
            "backoffLimit": 0,
            "template": template("load", script, restartPolicy="Never"),
            **spec,
        },
    }


def allow(node: Node, *values: Json) -> None:
    """Apply what `preview -o rights` prints for a policy and the manifests behind it."""
    for name, value in zip(("policy", "manifest"), values, strict=True):
        (node.home / f"{name}.yaml").write_text(yaml.safe_dump(value))
    node.run("initject preview -o rights --policies policy.yaml manifest.yaml | kubectl apply -f -")


def says(node: Node, space: str, name: str, text: str) -> None:
    """Return when the step of a pod has said something."""
    node.reach(space, name, lambda one: "running" in states(one).get("wait", {}).get("state", {}))
    try:
        until(lambda: text in node.log(space, name, "wait"), text, seconds=60)
    except AssertionError as error:
        message = f"{error}\n{node.log(space, name, 'wait')}"
        raise AssertionError(message) from error


def end(done: Json) -> Json:
    found: Json = states(done)["wait"]["state"]["terminated"]
    return found


def test_a_deployment_starts_when_its_job_has_completed(installed: Release, space: str) -> None:
    """By the token of the step alone: nobody else in the pod has one."""
    node = installed.node
    rules = waiting(space, {"job": {"name": "load"}}, timeout="3m")
    shop = template("shop", "sleep 3600", automountServiceAccountToken=False)
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": space},
        "spec": {"selector": {"matchLabels": {"role": "shop"}}, "template": shop},
    }
    allow(node, rules, deployment)
    installed.apply(rules)
    installed.caught_up()
    installed.apply(deployment)
    until(lambda: bool(node.pods(space)), "a pod")
    (found,) = node.pods(space)
    name = found["metadata"]["name"]

    says(node, space, name, "there is no Job of that name")
    installed.apply(job(space, "sleep 2", suspend=True))
    says(node, space, name, "the Job is suspended")
    node.run(f'kubectl -n {space} patch job load -p \'{{"spec": {{"suspend": false}}}}\'')
    says(node, space, name, "the Job is not complete: 1 pods active")
    node.run(f"kubectl -n {space} rollout status deployment/shop --timeout=120s")

    done = node.pod(space, name)
    (step,) = done["spec"]["initContainers"]
    assert [ACCOUNT] == [mount["mountPath"] for mount in step["volumeMounts"]]
    assert "volumeMounts" not in done["spec"]["containers"][0]
    assert 0 == states(done)["wait"]["restartCount"]


def test_a_pod_with_a_token_gets_one_for_the_step_once(installed: Release, space: str) -> None:
    """The API server adds no second mount there, and the pod is as planned when seen again."""
    node = installed.node
    rules = waiting(space, {"pod": {"name": "nobody"}})

    run(installed, space, [rules], pod(space))
    found = node.pod(space, "web")

    (step,) = found["spec"]["initContainers"]
    assert ["wait-account"] == [mount["name"] for mount in step["volumeMounts"]]
    (mount,) = found["spec"]["containers"][0]["volumeMounts"]
    assert mount["name"].startswith("kube-api-access-")
    for field in ("status", "nodeName"):
        found.pop(field, None)
        found["spec"].pop(field, None)
    found["metadata"] = {
        key: found["metadata"][key] for key in ("namespace", "labels", "annotations")
    } | {"name": "again"}
    again = node.api.create(found, dry_run=True)
    assert again.code == 201, again.message
    assert found["spec"] == {
        key: value for key, value in again.body["spec"].items() if key in found["spec"]
    }


def test_a_job_that_fails_ends_the_wait_at_once(installed: Release, space: str) -> None:
    """With status 1, and the reason in the status of the pod."""
    node = installed.node
    rules = waiting(space, {"job": {"name": "load"}}, {"dns": {"host": "nobody.invalid"}})
    allow(node, rules, pod(space))

    run(installed, space, [rules], pod(space))
    says(node, space, "web", "there is no Job of that name")
    installed.apply(job(space, "exit 3"))
    done = node.reach(space, "web", ended, seconds=60)

    assert 1 == end(done)["exitCode"]
    assert end(done)["message"].startswith("initject wait: failed after ")
    assert "job://load: the Job has failed: BackoffLimitExceeded: " in end(done)["message"]


def test_a_right_that_is_missing_is_named_in_the_status_of_the_pod(
    installed: Release, space: str
) -> None:
    """Who may not do what, where."""
    rules = waiting(space, {"job": {"name": "load"}}, timeout="2s")

    node = run(installed, space, [rules], pod(space))
    done = node.reach(space, "web", ended)

    assert 210 == end(done)["exitCode"]
    assert (
        f"job://load: system:serviceaccount:{space}:default "
        f"may not list jobs.batch named load in the namespace {space}"
    ) in end(done)["message"]


def test_a_right_may_come_late(installed: Release, space: str) -> None:
    """The step asks again until it has it."""
    node = installed.node
    rules = waiting(space, {"job": {"name": "load"}}, timeout="2m")
    installed.apply(job(space, "true"))

    run(installed, space, [rules], pod(space))
    says(node, space, "web", "may not list jobs.batch named load")
    allow(node, rules, pod(space))
    done = node.reach(space, "web", nodes.succeeded, seconds=90)

    assert 0 == end(done)["exitCode"]


def lasting(space: str, kind: str) -> Json:
    of = template(kind.lower(), "sleep 3600")
    selector = {"matchLabels": of["metadata"]["labels"]}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "db", "namespace": space},
        "spec": {"selector": selector, "template": of}
        | ({"serviceName": "db", "replicas": 2} if kind == "StatefulSet" else {}),
    }


CONDITION = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "name": "db",
    "condition": {"type": "Available"},
}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "name": "initpolicies.initject.dev",
    "condition": {"type": "Established"},
}
EVERY = [
    {"deployment": {"name": "db"}},
    {"statefulSet": {"name": "db"}},
    {"pod": {"name": "db-1"}},
    {"object": CONDITION},
    {"object": DEFINITION},
]


@pytest.mark.parametrize("namespace", ["own", "other"])
def test_all_kinds_are_waited_for_at_once(installed: Release, space: str, namespace: str) -> None:
    """In the pod's own namespace or in another; a kind without namespaces needs a ClusterRole."""
    node = installed.node
    with node.space() as other:
        where = space if namespace == "own" else other
        named = {} if namespace == "own" else {"namespace": other}
        every = [{kind: {**target, **named}} for one in EVERY for kind, target in one.items()]
        rules = waiting(space, *every, timeout="3m")
        allow(node, rules, pod(space))
        role = f"--clusterrole={space} --serviceaccount={space}:default"
        node.run(
            f"kubectl create clusterrole {space} --verb=list,watch "
            "--resource=customresourcedefinitions.apiextensions.k8s.io "
            f"&& kubectl create clusterrolebinding {space} {role}"
        )
        run(installed, space, [rules], pod(space))
        says(node, space, "web", "there is no StatefulSet of that name")
        installed.apply(*(lasting(where, kind) for kind in ("Deployment", "StatefulSet")))
        done = node.reach(space, "web", nodes.succeeded, seconds=120)
        node.run(f"kubectl delete clusterrolebinding,clusterrole {space}")

        assert 0 == end(done)["exitCode"]
        rolled = node.api.ask("GET", f"/apis/apps/v1/namespaces/{where}/statefulsets/db").body[
            "status"
        ]
        assert 2 == rolled["readyReplicas"]
