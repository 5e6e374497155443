"""Pods as the controllers of Kubernetes send them: injected, and running to Ready or Complete."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.images import TOOLS
from tests.cluster.nodes import Node
from tests.cluster.registration import until
from tests.cluster.release import Release

LASTING = ("Deployment", "StatefulSet", "DaemonSet")
ENDING = ("Job", "CronJob")


def policy(space: str, kind: str) -> Json:
    """One for pods of a kind of owner, whose step says for whom it has run."""
    name = f"said-{kind.lower()}"
    container = {
        "image": TOOLS,
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", 'echo "$0" > /said/kind', kind],
        "volumeMounts": [{"name": name, "mountPath": "/said"}],
    }
    mount = {"containers": ["*"], "mountPath": f"/said/{kind}", "readOnly": True}
    return {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": "InitPolicy",
        "metadata": {"name": kind.lower(), "namespace": space},
        "spec": {
            "match": {"workloads": [kind]},
            "steps": [{"name": f"for-a-{kind.lower()}", "container": container}],
            "volumes": [{"name": name, "emptyDir": {"sizeLimit": "1Mi"}, "mountInto": [mount]}],
        },
    }


def template(script: str, **spec: object) -> Json:
    container = {
        "name": "app",
        "image": TOOLS,
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", f"cat /said/*/kind; {script}"],
    }
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec},
    }


def workload(space: str, kind: str) -> Json:
    lasting = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": template("sleep 3600"),
        **({} if kind == "DaemonSet" else {"replicas": 2}),
        **({"serviceName": "web"} if kind == "StatefulSet" else {}),
    }
    job = {"template": template("true", restartPolicy="Never")}
    spec = {
        "Job": {**job, "completions": 2, "parallelism": 2},
        "CronJob": {"schedule": "* * * * *", "jobTemplate": {"spec": job}},
    }
    return {
        "apiVersion": "batch/v1" if kind in ENDING else "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": space},
        "spec": spec.get(kind, lasting),
    }


@pytest.fixture(scope="module")
def spaces(installed: Release) -> Iterator[dict[str, str]]:
    """A namespace for each kind, with policies for all kinds and a workload of this one.

    All start together: a CronJob takes until the next minute.
    """
    node = installed.node
    with contextlib.ExitStack() as stack:
        found = {kind: stack.enter_context(node.space()) for kind in (*LASTING, *ENDING)}
        installed.apply(*(policy(space, kind) for space in found.values() for kind in found))
        installed.caught_up()
        installed.apply(*(workload(space, kind) for kind, space in found.items()))
        yield found


def injected(pod: Json) -> list[str]:
    return [one["name"] for one in pod["spec"].get("initContainers", [])]


def said(node: Node, pods: list[Json]) -> set[str]:
    """What the applications read from the volume that the step has filled."""
    return {node.log(pod["metadata"]["namespace"], pod["metadata"]["name"], "app") for pod in pods}


@pytest.mark.parametrize("kind", LASTING)
def test_pods_of_a_workload_that_lasts_are_injected_and_become_ready(
    installed: Release, spaces: dict[str, str], kind: str
) -> None:
    """By the policy for this kind of owner, and by no other."""
    node, space, count = installed.node, spaces[kind], 1 if kind == "DaemonSet" else 2

    node.run(f"kubectl -n {space} rollout status {kind.lower()}/web --timeout=120s")

    pods = node.pods(space)
    assert [[f"for-a-{kind.lower()}"]] * count == [injected(pod) for pod in pods]
    assert [True] * count == [nodes.ready(pod) for pod in pods]
    assert {f"{kind}\n"} == said(node, pods)


@pytest.mark.parametrize("kind", ENDING)
def test_pods_of_a_job_are_injected_and_it_completes(
    installed: Release, spaces: dict[str, str], kind: str
) -> None:
    """A policy for Jobs matches those of a CronJob too: that is who owns their pods."""
    node, space = installed.node, spaces[kind]
    jobs = f"/apis/batch/v1/namespaces/{space}/jobs"
    kinds = ["Job"] if kind == "Job" else ["CronJob", "Job"]
    names = [f"for-a-{one.lower()}" for one in kinds]

    until(lambda: bool(node.api.ask("GET", jobs).body["items"]), "a Job", seconds=70)
    node.run(f"kubectl -n {space} wait --for=condition=Complete job --all --timeout=120s")

    pods = node.pods(space)
    assert [names] * len(pods) == [injected(pod) for pod in pods]
    assert {"Succeeded"} == {pod["status"]["phase"] for pod in pods}
    assert {"".join(f"{one}\n" for one in kinds)} == said(node, pods)


def test_a_rollout_replaces_pods_by_injected_ones(
    installed: Release, spaces: dict[str, str]
) -> None:
    """`kubectl rollout restart`: each new pod has the step, once."""
    node, space = installed.node, spaces["Deployment"]
    node.run(f"kubectl -n {space} rollout status deployment/web --timeout=120s")

    node.run(f"kubectl -n {space} rollout restart deployment/web")
    node.run(f"kubectl -n {space} rollout status deployment/web --timeout=120s")

    running = [pod for pod in node.pods(space) if "deletionTimestamp" not in pod["metadata"]]
    assert [["for-a-deployment"]] * 2 == [injected(pod) for pod in running]
