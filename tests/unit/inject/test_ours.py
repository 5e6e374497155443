"""What is ours: comparing a container in the pod with the plan and the marker."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.inject import ours
from webhook.inject.ours import State
from webhook.policy import glob

PLAN: dict[str, Any] = {
    "name": "wait",
    "image": "tools/wait:2",
    "args": ["--fast"],
    "env": [{"name": "HOST", "value": "db"}, {"name": "EMPTY"}],
    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    "securityContext": {"runAsUser": 65532},
}
MARKED = ours.digests(ours.leaves(PLAN))


def changed(**fields: Any) -> dict[str, Any]:
    """The planned container as somebody else left it."""
    return {**PLAN, **fields}


def test_a_container_with_the_servers_additions_is_as_planned() -> None:
    """Defaults, resources and a token mount that others added do not matter."""
    mounts = [*PLAN["volumeMounts"], {"name": "token", "mountPath": "/var/run/secrets"}]
    env = [{"name": "EMPTY", "value": ""}, {"name": "MORE", "value": "x"}, PLAN["env"][0]]
    present = changed(
        volumeMounts=mounts, env=env, imagePullPolicy="Always", resources={"limits": {"cpu": "1"}}
    )

    assert State.AS_PLANNED is ours.compare(PLAN, present, None).state


@pytest.mark.parametrize(
    "addition",
    [
        {"command": ["sh"]},
        {"envFrom": [{"secretRef": {"name": "x"}}]},
        {"workingDir": "/tmp"},
        {"restartPolicy": "Always"},
        {"lifecycle": {"preStop": {}}},
        {"securityContext": {"runAsUser": 65532, "privileged": True}},
        {"env": [*PLAN["env"], {"name": "LD_PRELOAD", "value": "/x.so"}]},
    ],
)
def test_an_addition_that_decides_what_runs_makes_it_anothers(addition: dict[str, Any]) -> None:
    """Without our marker such a look-alike is a conflict; with it, it is told and left."""
    present = changed(**addition)

    assert State.FOREIGN is ours.compare(PLAN, present, None).state
    assert 1 == len(ours.compare(PLAN, present, MARKED).changed)


@pytest.mark.parametrize(
    "addition",
    [{"command": ["sh"]}, {"securityContext": {"runAsUser": 0}}, {"image": "evil:1"}, {"args": []}],
)
def test_where_opting_out_is_forbidden_everything_is_set_again(addition: dict[str, Any]) -> None:
    """Under force the container is as planned again, and nothing that was added stays."""
    outcome = ours.compare(PLAN, changed(**addition), MARKED, force=True)

    assert (State.MERGED, PLAN) == (outcome.state, outcome.value)


def test_a_mirrors_image_stays_even_under_force() -> None:
    """A registry that is on the list of mirrors may have written the image."""
    present = changed(image="mirror.example.com/tools/wait:2")
    mirrors = (glob.parse("mirror.example.com/*"),)
    outcome = ours.compare(PLAN, present, MARKED, force=True, mirrors=mirrors)

    assert (State.AS_PLANNED, ("image",)) == (outcome.state, outcome.changed)


def test_what_others_changed_stays_and_is_told() -> None:
    """With the marker's digest equal to today's plan, a difference is somebody else's."""
    outcome = ours.compare(PLAN, changed(image="mirror/wait:2"), MARKED)

    assert (State.AS_PLANNED, ("image",)) == (outcome.state, outcome.changed)


def test_what_our_plan_changed_is_set_in_place() -> None:
    """A field whose plan changed since the marker is set; the server's additions stay."""
    old = {**PLAN, "image": "tools/wait:1"}
    present = {**old, "terminationMessagePath": "/dev/termination-log"}
    outcome = ours.compare(PLAN, present, ours.digests(ours.leaves(old)))

    assert {**present, "image": "tools/wait:2"} == outcome.value


def test_what_the_plan_no_longer_has_is_removed() -> None:
    """A variable, a mount and a flag that the marker names and the plan does not are taken away."""
    old = changed(
        env=[*PLAN["env"], {"name": "OLD", "value": "1"}],
        volumeMounts=[*PLAN["volumeMounts"], {"name": "old", "mountPath": "/old"}],
        workingDir="/old",
    )
    outcome = ours.compare(PLAN, old, ours.digests(ours.leaves(old)))

    assert PLAN == outcome.value


def test_a_mount_that_is_no_longer_read_only_stays_a_mount() -> None:
    """Removing one field of an entry does not remove the entry."""
    mounts = [{"name": "data", "mountPath": "/data"}]
    plan = changed(volumeMounts=mounts)
    outcome = ours.compare(plan, PLAN, MARKED)

    assert plan == outcome.value


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"containers": 1}', '{"containers": {"a": 1}}', "{" * 999]
)
def test_a_marker_that_cannot_be_read_is_none(text: str) -> None:
    """Whatever stands in the annotation, it is at most a hint."""
    assert ours.NO_MARKER == ours.read_marker({ours.MARKER: text})


def test_an_empty_directory_is_in_place_when_the_server_filled_it() -> None:
    """`emptyDir: {}` is as planned whatever stands in it."""
    plan = {"name": "v", "emptyDir": {}}

    assert (
        State.AS_PLANNED
        is ours.compare(plan, {"name": "v", "emptyDir": {"medium": ""}}, None).state
    )
    assert State.FOREIGN is ours.compare(plan, {"name": "v", "hostPath": {"path": "/"}}, None).state
