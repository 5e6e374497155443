"""Comparing a container or volume in the pod with the plan and the marker."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.inject import ours
from webhook.inject.compare import State, compare
from webhook.policy import glob, trust

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

    assert State.AS_PLANNED is compare(PLAN, present, None).state


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

    assert State.FOREIGN is compare(PLAN, present, None).state
    assert 1 == len(compare(PLAN, present, MARKED).changed)


@pytest.mark.parametrize(
    "addition",
    [{"command": ["sh"]}, {"securityContext": {"runAsUser": 0}}, {"image": "evil:1"}, {"args": []}],
)
def test_where_opting_out_is_forbidden_everything_is_set_again(addition: dict[str, Any]) -> None:
    """Under force the container is as planned again, and nothing that was added stays."""
    outcome = compare(PLAN, changed(**addition), MARKED, force=True)

    assert (State.MERGED, PLAN) == (outcome.state, outcome.value)


def test_a_mirrors_image_stays_even_under_force() -> None:
    """A registry that is on the list of mirrors may have written the image."""
    present = changed(image="mirror.example.com/tools/wait:2")
    mirrors = (glob.parse("mirror.example.com/*"),)
    outcome = compare(PLAN, present, MARKED, force=True, mirrors=mirrors)

    assert (State.AS_PLANNED, ("image",)) == (outcome.state, outcome.changed)


def test_what_others_changed_stays_and_is_told() -> None:
    """With the marker's digest equal to today's plan, a difference is somebody else's."""
    outcome = compare(PLAN, changed(image="mirror/wait:2"), MARKED)

    assert (State.AS_PLANNED, ("image",)) == (outcome.state, outcome.changed)


def test_what_our_plan_changed_is_set_in_place() -> None:
    """A field whose plan changed since the marker is set; the server's additions stay."""
    old = {**PLAN, "image": "tools/wait:1"}
    present = {**old, "terminationMessagePath": "/dev/termination-log"}
    outcome = compare(PLAN, present, ours.digests(ours.leaves(old)))

    assert {**present, "image": "tools/wait:2"} == outcome.value


def test_what_the_plan_no_longer_has_is_removed() -> None:
    """A variable, a mount and a flag that the marker names and the plan does not are taken away."""
    old = changed(
        env=[*PLAN["env"], {"name": "OLD", "value": "1"}],
        volumeMounts=[*PLAN["volumeMounts"], {"name": "old", "mountPath": "/old"}],
        workingDir="/old",
    )
    outcome = compare(PLAN, old, ours.digests(ours.leaves(old)))

    assert PLAN == outcome.value


def test_a_mount_that_is_no_longer_read_only_stays_a_mount() -> None:
    """Removing one field of an entry does not remove the entry."""
    mounts = [{"name": "data", "mountPath": "/data"}]
    plan = changed(volumeMounts=mounts)
    outcome = compare(plan, PLAN, MARKED)

    assert plan == outcome.value


def test_an_empty_directory_is_in_place_when_the_server_filled_it() -> None:
    """`emptyDir: {}` is as planned whatever stands in it."""
    plan = {"name": "v", "emptyDir": {}}

    assert State.AS_PLANNED is compare(plan, {"name": "v", "emptyDir": {"medium": ""}}, None).state
    assert State.FOREIGN is compare(plan, {"name": "v", "hostPath": {"path": "/"}}, None).state


def test_what_the_server_fills_into_our_parts_is_no_difference() -> None:
    """Defaults in a hook, a variable, a probe and a volume are the server's, also under force."""
    sidecar = {
        "name": "s",
        "lifecycle": {"postStart": {"httpGet": {"port": 80}}},
        "livenessProbe": {"httpGet": {"port": 80}},
        "env": [{"name": "PYTHONPATH", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
    }
    get = {"port": 80, "scheme": "HTTP", "path": "/"}
    field = {"fieldPath": "spec.nodeName", "apiVersion": "v1"}
    present = {
        "name": "s",
        "lifecycle": {"postStart": {"httpGet": get}},
        "livenessProbe": {"httpGet": get, "periodSeconds": 10, "timeoutSeconds": 1},
        "env": [{"name": "PYTHONPATH", "valueFrom": {"fieldRef": field}}],
        "terminationMessagePath": "/dev/termination-log",
        "volumeMounts": [
            {"name": f"{trust.TOKEN_VOLUME}x", "mountPath": trust.TOKEN_PATH},
            {
                "name": "identity",
                "mountPath": "/var/run/secrets/cloud.example.com",
                "readOnly": True,
            },
        ],
    }
    volume = {"name": "v", "configMap": {"name": "c"}}
    stored = {"name": "v", "configMap": {"name": "c", "defaultMode": 420}}

    assert State.AS_PLANNED is compare(sidecar, present, None).state
    assert State.AS_PLANNED is compare(sidecar, present, None, force=True).state
    assert State.AS_PLANNED is compare(volume, stored, None, force=True).state


@pytest.mark.parametrize(
    "addition",
    [
        {"volumeMounts": [*PLAN["volumeMounts"], {"name": "evil", "mountPath": "/bin"}]},
        {"volumeMounts": [{**PLAN["volumeMounts"][0], "subPath": "evil"}]},
        {"volumeMounts": [*PLAN["volumeMounts"], {"name": "evil", "mountPath": trust.TOKEN_PATH}]},
        {"volumeMounts": [*PLAN["volumeMounts"],
                          {"name": "evil", "mountPath": "/var/run/secrets/../../../bin"}]},
        {"volumeDevices": [{"name": "evil", "devicePath": "/bin/wait"}]},
        {"terminationMessagePath": "/bin/wait"},
        {"livenessProbe": {"exec": {"command": ["kill", "1"]}}},
        {"env": [*PLAN["env"], {"name": "HOST", "value": "evil"}]},
        {"env": [{"name": "HOST", "value": "evil"}, *PLAN["env"]]},
        {"env": [*PLAN["env"], {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
        {"env": PLAN["env"][::-1]},
        {"env": [*PLAN["env"], {"name": "later", "value": "; evil"}]},
        {"brandNew": {"field": 1}},
    ],
)  # fmt: skip
def test_where_opting_out_is_forbidden_nothing_stays_that_could_change_what_runs(
    addition: dict[str, Any],
) -> None:
    """Under force such an addition goes; without the marker it is a conflict."""
    plan = {**PLAN, "args": ["--fast", "$(later)"]}
    present = {**plan, **addition}
    outcome = compare(plan, present, MARKED, force=True)

    assert (State.MERGED, plan) == (outcome.state, outcome.value)
    assert State.FOREIGN is compare(plan, present, None, force=True).state


@pytest.mark.parametrize(
    "present",
    [
        {"configMap": {"name": "c", "items": [{"key": "evil", "path": "run"}]}},
        {"configMap": {"name": "c"}, "hostPath": {"path": "/"}},
        {"projected": {"sources": [{"configMap": {"name": "c", "optional": True}}]}},
    ],
)
def test_a_volume_holds_what_is_planned_where_opting_out_is_forbidden(
    present: dict[str, Any],
) -> None:
    """What is chosen from a planned source, or another source, is set again."""
    source = next(iter(present))
    inner = {"name": "c"} if source == "configMap" else {"sources": [{"configMap": {"name": "c"}}]}
    plan = {"name": "v", source: inner}
    outcome = compare(plan, {"name": "v", **present}, {}, force=True)

    assert (State.MERGED, plan) == (outcome.state, outcome.value)


def test_variables_that_refer_to_each_other_keep_the_planned_order() -> None:
    """`$(NAME)` sees only what stands before it: a variable that joins goes to its place."""
    own = {"name": "URL", "value": "http://$(HOST)"}
    old = {"name": "s", "env": [own]}
    plan = {"name": "s", "env": [{"name": "HOST", "value": "db"}, own]}
    present = {"name": "s", "env": [{"name": "TZ", "value": "UTC"}, own]}
    outcome = compare(plan, present, ours.digests(ours.leaves(old)))

    assert ["TZ", "HOST", "URL"] == [item["name"] for item in outcome.value["env"]]
    assert State.FOREIGN is compare(plan, {"name": "s", "env": plan["env"][::-1]}, None).state


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]}, {}),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
            {"env": [{"name": "A", "value": "1"}]},
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        ),
        ({"env": [{"name": "A", "value": "1"}]},
         {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}),
        ({"livenessProbe": {"httpGet": {"port": 80}}}, {}),
        ({"lifecycle": {"preStop": {"httpGet": {"port": 80}}}}, {}),
        (
            {"lifecycle": {"preStop": {"httpGet": {"port": 80}}}},
            {"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}},
        ),
        ({"configMap": {"name": "c"}}, {"emptyDir": {}}),
    ],
)  # fmt: skip
def test_a_part_of_another_kind_is_put_in_whole(old: dict[str, Any], new: dict[str, Any]) -> None:
    """A plan that changed leaves nothing of the old kind, also not what the server filled in."""
    present = _filled(old)
    outcome = compare(new, present, ours.digests(ours.leaves(old)))

    assert (State.MERGED, new) == (outcome.state, outcome.value)


def test_a_probe_that_does_something_else_keeps_its_times() -> None:
    """Only what the probe does is of one kind; how often it does it may have been tuned."""
    old = {"livenessProbe": {"httpGet": {"port": 80}}}
    plan = {"livenessProbe": {"exec": {"command": ["x"]}}}
    outcome = compare(plan, _filled(old), ours.digests(ours.leaves(old)))

    assert {"livenessProbe": {"periodSeconds": 10, "exec": {"command": ["x"]}}} == outcome.value


def _filled(value: Any) -> Any:
    """A value with the server's defaults."""
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    filled = {key: _filled(item) for key, item in value.items()}
    defaults: dict[str, dict[str, Any]] = {
        "httpGet": {"scheme": "HTTP", "path": "/"},
        "fieldRef": {"apiVersion": "v1"},
        "configMap": {"defaultMode": 420},
    }
    for key, more in defaults.items():
        if key in filled:
            filled[key] = {**more, **filled[key]}
    if "livenessProbe" in filled:
        filled["livenessProbe"] = {"periodSeconds": 10, **filled["livenessProbe"]}
    return filled
