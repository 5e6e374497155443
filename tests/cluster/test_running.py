"""What injected pods do on a node: the order of steps, their failures, their words, sidecars."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.cluster import nodes
from tests.cluster.api import Json
from tests.cluster.images import TOOLS
from tests.cluster.nodes import Node
from tests.cluster.release import Release

OUT = {"name": "out", "mountPath": "/out"}


def step(name: str, script: str, **more: Any) -> Json:
    """A step that is a shell script and sees the volume `out`."""
    container = {
        "image": TOOLS,
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", script],
        "volumeMounts": [OUT],
        **more,
    }
    return {"name": name, "container": container}


def policy(space: str, name: str, *steps: Json, order: int = 100, **spec: Any) -> Json:
    """A policy for all pods of a namespace, with a volume of its own where none is told."""
    volume = {"name": "out", "emptyDir": {"sizeLimit": "1Mi"}}
    mount = {"containers": ["*"], "mountPath": "/out"}
    return {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": "InitPolicy",
        "metadata": {"name": name, "namespace": space},
        "spec": {"steps": list(steps), "volumes": [{**volume, "mountInto": [mount]}], **spec}
        | {"order": order},
    }


def pod(space: str, script: str, *, restart: str = "Never", **spec: Any) -> Json:
    """A pod that runs a shell script."""
    container = {
        "name": "app",
        "image": TOOLS,
        "imagePullPolicy": "Never",
        "command": ["sh", "-euc", script],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": space},
        "spec": {
            "containers": [container],
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 0,
            **spec,
        },
    }


def run(installed: Release, space: str, policies: list[Json], wanted: Json) -> Node:
    """Put policies in force and create a pod."""
    installed.apply(*policies)
    installed.caught_up()
    answer = installed.node.api.create(wanted)
    assert answer.code == 201, answer.message
    return installed.node


def ended(pod: Json) -> bool:
    return pod["status"].get("phase") in {"Succeeded", "Failed"}


def states(pod: Json) -> dict[str, Json]:
    """By its name, what is known of each container."""
    kinds = ("initContainerStatuses", "containerStatuses")
    return {one["name"]: one for kind in kinds for one in pod["status"].get(kind, [])}


def test_steps_run_one_after_another_in_the_order_of_their_policies(
    installed: Release, space: str
) -> None:
    """Each reads what those before it have written; then comes the author's own, then the app."""
    first = policy(
        space,
        "first",
        step("one", "echo one > /out/order"),
        step("two", "grep one /out/order; echo two >> /out/order"),
        order=1,
    )
    second = policy(space, "second", step("three", "true", volumeMounts=[]), volumes=[], order=2)
    own = {"name": "own", "image": TOOLS, "command": ["true"]}

    node = run(
        installed, space, [second, first], pod(space, "cat /out/order", initContainers=[own])
    )
    done = node.reach(space, "web", nodes.succeeded)

    assert ["one", "two", "three", "own"] == [c["name"] for c in done["spec"]["initContainers"]]
    assert "one\ntwo\n" == node.log(space, "web", "app")
    times = [states(done)[name]["state"]["terminated"] for name in ("one", "two", "three", "own")]
    assert [0] * 4 == [time["exitCode"] for time in times]
    assert all(a["finishedAt"] <= b["startedAt"] for a, b in itertools.pairwise(times))


def test_what_a_step_says_at_its_end_is_in_the_status_of_the_pod(
    installed: Release, space: str
) -> None:
    """Its termination message, where `kubectl describe` shows it."""
    said = step("tell", "echo 'fetched 3 files' > /dev/termination-log")

    node = run(installed, space, [policy(space, "tell", said)], pod(space, "true"))
    done = node.reach(space, "web", nodes.succeeded)

    ended = states(done)["tell"]["state"]["terminated"]
    assert (0, "fetched 3 files\n") == (ended["exitCode"], ended["message"])
    assert "fetched 3 files" in node.run(f"kubectl -n {space} describe pod web")


def test_a_step_that_fails_is_started_again_until_it_succeeds(
    installed: Release, space: str
) -> None:
    """The pod starts late, not never; the volume keeps what the first run has left."""
    script = (
        "test -e /out/again && exit; touch /out/again; echo early > /dev/termination-log; exit 3"
    )

    node = run(
        installed,
        space,
        [policy(space, "flaky", step("flaky", script))],
        pod(space, "ls /out", restart="OnFailure"),
    )
    done = node.reach(space, "web", nodes.succeeded, seconds=90)

    flaky = states(done)["flaky"]
    assert (1, 0) == (flaky["restartCount"], flaky["state"]["terminated"]["exitCode"])
    assert "again\n" == node.log(space, "web", "app")


def test_a_step_that_fails_fails_a_pod_that_is_never_restarted(
    installed: Release, space: str
) -> None:
    """The application is not started, and the status says which step it was, and why."""
    script = "echo 'no such table' > /dev/termination-log; exit 4"

    node = run(
        installed, space, [policy(space, "wrong", step("wrong", script))], pod(space, "true")
    )
    done = node.reach(space, "web", ended)

    found = states(done)
    assert "Failed" == done["status"]["phase"]
    failed = found["wrong"]["state"]["terminated"]
    assert (4, "no such table\n") == (failed["exitCode"], failed["message"])
    assert {"waiting"} == set(found["app"]["state"])


SIDECAR = {
    "restartPolicy": "Always",
    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}},
    "startupProbe": {
        "exec": {"command": ["test", "-e", "/out/up"]},
        "periodSeconds": 1,
        "failureThreshold": 30,
    },
}


def test_a_sidecar_is_up_before_the_application_and_stays_up(
    installed: Release, space: str
) -> None:
    """The application starts once its startup probe has succeeded."""
    tunnel = step("tunnel", "sleep 1; touch /out/up; sleep 3600", **SIDECAR)

    node = run(
        installed,
        space,
        [policy(space, "tunnel", tunnel)],
        pod(space, "test -e /out/up; sleep 3600", restart="Always"),
    )
    up = node.reach(space, "web", nodes.ready)

    found = states(up)
    assert {"running"} == set(found["tunnel"]["state"])
    assert (True, True) == (found["tunnel"]["started"], found["app"]["ready"])
    assert [0, 0] == [found[name]["restartCount"] for name in ("tunnel", "app")]


def test_a_sidecar_does_not_keep_a_job_from_ending(installed: Release, space: str) -> None:
    """When the application has ended, the kubelet ends the sidecar, and the pod has succeeded."""
    tunnel = step("tunnel", "touch /out/up; sleep 3600", **SIDECAR)

    node = run(installed, space, [policy(space, "tunnel", tunnel)], pod(space, "test -e /out/up"))
    done = node.reach(space, "web", nodes.succeeded)

    assert {"terminated"} == set(states(done)["tunnel"]["state"])


def test_a_step_sees_what_it_borrows(installed: Release, space: str) -> None:
    """The application's variables, a Secret's among them, and its volume."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "database", "namespace": space},
        "stringData": {"password": "correct horse"},
    }
    borrowed = step("borrower", 'echo "$DB_HOST $DB_PASSWORD" > /cache/said', volumeMounts=[])
    borrowed["borrow"] = {"container": "app", "env": ["DB_*"], "volumeMounts": ["cache"]}
    wanted = pod(space, "cat /cache/said", volumes=[{"name": "cache", "emptyDir": {}}])
    wanted["spec"]["containers"][0] |= {
        "env": [
            {"name": "DB_HOST", "value": "postgres"},
            {
                "name": "DB_PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}},
            },
        ],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
    }
    installed.node.api.ensure(secret)

    node = run(installed, space, [policy(space, "borrower", borrowed, volumes=[])], wanted)
    node.reach(space, "web", nodes.succeeded)

    assert "postgres correct horse\n" == node.log(space, "web", "app")


@pytest.mark.parametrize("user", [0, 1000])
def test_a_step_runs_as_our_user_whatever_the_pods(
    installed: Release, space: str, user: int
) -> None:
    """65532, with a root file system that it cannot write."""
    script = "id -u > /out/id; touch /file 2>/dev/null || echo read-only >> /out/id"

    node = run(
        installed,
        space,
        [policy(space, "who", step("who", script))],
        pod(space, "cat /out/id", securityContext={"runAsUser": user}),
    )
    node.reach(space, "web", nodes.succeeded)

    assert "65532\nread-only\n" == node.log(space, "web", "app")
