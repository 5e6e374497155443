"""Beside a second webhook, after a restore, in a copy for debugging: one copy of ours, in place.

On the node, with all that the API server adds: token mounts, defaults of a LimitRange, a quota.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests import needs
from tests.cluster import gallery, meddler, nodes, registration
from tests.cluster.api import Json
from tests.cluster.images import TOOLS
from tests.cluster.nodes import Node
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.test_running import pod, policy, run, step

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
MARKER = "initject.dev/injected"
ORDERS = {"before-us": "aaa-meddler", "after-us": "zzz-meddler"}
DEFAULTS = {"limits": {"memory": "48Mi"}, "requests": {"memory": "24Mi"}}
LIMITS = {"type": "Container", "default": {"memory": "48Mi"}, "defaultRequest": {"memory": "24Mi"}}
# Exactly what the application takes, by the defaults: a step that cost anything would not fit.
HARD = {"pods": "1", "limits.memory": "48Mi", "requests.memory": "24Mi"}


@pytest.fixture(scope="module", params=ORDERS.values(), ids=ORDERS)
def neighbour(request: pytest.FixtureRequest, installed: Release, ca: trustme.CA) -> Iterator[None]:
    """A second webhook, whose name puts it before or after ours."""
    needs.own_cluster()
    node, name = installed.node, request.param
    with gallery.listening(meddler.application, node.inside, ca) as url:
        hook = registration.webhook(
            f"{name}.example.com",
            url,
            ca.cert_pem.bytes(),
            namespaceSelector={"matchLabels": nodes.OPTED_IN},
        )
        registration.register(node.api, name, hook)
        yield
        registration.unregister(node.api, name)


def fetch_and_render(space: str, **spec: Any) -> list[Json]:
    """A policy of two steps that must stay in front of a proxy."""
    steps = [step("fetch", "echo fetched > /out/said"), step("render", "cat /out/said")]
    return [policy(space, "settings", *steps, placement={"before": ["proxy"]}, **spec)]


def strict(space: str) -> list[Json]:
    """A LimitRange that gives defaults, and a quota with room for the application alone."""
    metadata = {"name": "strict", "namespace": space}
    return [
        {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
        for kind, spec in (("LimitRange", {"limits": [LIMITS]}), ("ResourceQuota", {"hard": HARD}))
    ]


def used(node: Node, space: str) -> Json:
    path = f"/api/v1/namespaces/{space}/resourcequotas/strict"
    found: Json = node.api.ask("GET", path).body.get("status", {}).get("used", {})
    return found


def names(pod: Json) -> list[str]:
    return [one["name"] for one in pod["spec"]["initContainers"]]


def ours(pod: Json) -> list[Json]:
    return [one for one in pod["spec"]["initContainers"] if one["name"] in {"fetch", "render"}]


def mounts(container: Json) -> list[str]:
    return sorted(mount["mountPath"] for mount in container["volumeMounts"])


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("deed", meddler.DEEDS)
def test_whatever_a_second_webhook_does_ours_is_there_once_in_place_and_complete(
    installed: Release, space: str, deed: str
) -> None:
    """Steps, order, placement, volume, mounts, token mounts, defaults; and the quota is kept."""
    node = installed.node
    node.api.ensure(*strict(space))
    until(lambda: used(node, space).get("pods") == "0", "the quota counts")
    wanted = pod(space, "cat /out/said")
    wanted["metadata"]["annotations"] = {"meddler": deed}

    run(installed, space, fetch_and_render(space), wanted)

    found = node.pod(space, "web")
    volumes = [volume["name"] for volume in found["spec"]["volumes"]]
    expected = ["fetch", "render", *(["proxy"] if deed.startswith("proxy") else [])]
    assert expected == names(found)
    assert [["/out", TOKEN]] * 3 == [
        mounts(c) for c in [*ours(found), *found["spec"]["containers"]]
    ]
    assert 1 == volumes.count("out")
    assert [DEFAULTS] * len(expected) == [c["resources"] for c in found["spec"]["initContainers"]]
    assert HARD == used(node, space)


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("deed", ["turn-around", "add-label"])
def test_the_kubelet_runs_a_pod_that_two_webhooks_have_changed(
    installed: Release, space: str, deed: str
) -> None:
    """The second step finds what the first has written."""
    wanted = pod(space, "cat /out/said")
    wanted["metadata"]["annotations"] = {"meddler": deed}

    node = run(installed, space, fetch_and_render(space), wanted)
    node.reach(space, "web", nodes.succeeded)

    assert "fetched\n" == node.log(space, "web", "app")


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("mesh", meddler.MESHES)
def test_a_recipe_waits_where_a_mesh_lets_it_whoever_was_called_first(
    installed: Release, space: str, mesh: str
) -> None:
    """Behind a native proxy, before the redirect to one that starts later; it is there once."""
    wait = {"name": "wait", "waitFor": [{"tcp": {"host": "db", "port": 5432}}]}
    wanted = pod(space, "true")
    wanted["metadata"]["annotations"] = {"meddler": mesh}

    node = run(installed, space, [policy(space, "wait", wait, volumes=[])], wanted)

    brand, _, classic = mesh.partition("-")
    others = [f"{brand}-init"] if classic else [f"{brand}-init", f"{brand}-proxy"]
    expected = ["wait", *others] if classic else [*others, "wait"]
    assert expected == names(node.pod(space, "web"))


def backup(pod: Json, **metadata: Any) -> Json:
    """A pod as a backup gives it back: all that the server had made of it, but its identity."""
    found = copy.deepcopy(pod)
    kept = {key: found["metadata"][key] for key in ("name", "namespace", "annotations")}
    del found["status"], found["spec"]["nodeName"]
    return found | {"metadata": kept | metadata}


def restored(installed: Release, space: str, value: Json) -> Json:
    """The pod that comes of a backup, once the first has gone."""
    node = installed.node
    path = f"/api/v1/namespaces/{space}/pods/web"
    node.api.ask("DELETE", path)
    until(lambda: node.api.ask("GET", path).code == 404, "the pod is gone")
    answer = node.api.create(value)
    assert answer.code == 201, answer.message
    return answer.body


RESTORE_WAIT = {"name": "restore-wait", "image": TOOLS, "command": ["true"]}


def test_a_pod_restored_from_a_backup_keeps_its_helper_in_front_and_one_copy_of_ours(
    installed: Release, space: str
) -> None:
    """`restore-wait` runs first; our steps, with their old marker, stay as they stand, and run."""
    node = run(installed, space, fetch_and_render(space), pod(space, "cat /out/said"))
    first = node.reach(space, "web", nodes.succeeded)
    value = backup(first)
    value["spec"]["initContainers"].insert(0, RESTORE_WAIT)

    second = restored(installed, space, value)

    assert ["restore-wait", "fetch", "render"] == names(second)
    assert ours(first) == ours(second)
    assert first["metadata"]["annotations"] == second["metadata"]["annotations"]
    node.reach(space, "web", nodes.succeeded)
    assert "fetched\n" == node.log(space, "web", "app")


def test_a_backup_from_before_a_change_of_the_policy_gets_the_change(
    installed: Release, space: str
) -> None:
    """The marker says that the old script was ours, so it is replaced by today's, in place."""
    node = run(installed, space, fetch_and_render(space), pod(space, "cat /out/said"))
    first = node.reach(space, "web", nodes.succeeded)
    (changed,) = fetch_and_render(space)
    changed["spec"]["steps"][0]["container"]["command"][2] = "echo anew > /out/said"
    installed.apply(changed)
    installed.caught_up()
    value = backup(first)
    value["spec"]["initContainers"].insert(0, RESTORE_WAIT)

    second = restored(installed, space, value)

    assert ["restore-wait", "fetch", "render"] == names(second)
    assert first["metadata"]["annotations"][MARKER] != second["metadata"]["annotations"][MARKER]
    node.reach(space, "web", nodes.succeeded)
    assert "anew\n" == node.log(space, "web", "app")


def test_a_copy_for_debugging_has_one_copy_of_ours_and_runs(installed: Release, space: str) -> None:
    """`kubectl debug --copy-to` keeps our steps without the marker: they are as planned."""
    node = run(installed, space, fetch_and_render(space), pod(space, "cat /out/said; sleep 3600"))
    node.reach(space, "web", nodes.ready)

    node.run(
        f"kubectl -n {space} debug web --copy-to=copy --image={TOOLS} --container=debugger "
        "--image-pull-policy=Never -- sleep 3600"
    )

    found = node.reach(space, "copy", nodes.ready)
    assert ["fetch", "render"] == names(found)
    assert ["app", "debugger"] == [one["name"] for one in found["spec"]["containers"]]
    assert "fetched\n" == node.log(space, "copy", "app")


FORGED = '{"containers":{"fetch":{"command":"AAAAA","image":"AAAAA"}},"volumes":{"out":{}}}'


def test_a_forged_marker_makes_no_container_of_the_author_ours(
    installed: Release, space: str
) -> None:
    """His container of the name of our step gets today's script: a marker is no proof."""
    own = {"name": "fetch", "image": TOOLS, "command": ["sh", "-c", "echo forged > /out/said"]}
    wanted = pod(space, "cat /out/said", initContainers=[own])
    wanted["metadata"]["annotations"] = {MARKER: FORGED}

    node = run(installed, space, fetch_and_render(space), wanted)
    node.reach(space, "web", nodes.succeeded)

    assert ["fetch", "render"] == names(node.pod(space, "web"))
    assert "fetched\n" == node.log(space, "web", "app")
