"""The policy `answered` in a namespace that enforces, on an API server that nobody else uses."""

from __future__ import annotations

import pytest

from tests.cluster.enforcing import CONFIGURATION, CONVENIENT, ENFORCING, Plane, web
from tests.cluster.registration import until


def test_pods_that_were_answered_are_accepted(alive: Plane) -> None:
    """Injected, or left as they are: the marker says that we were asked."""
    injected = alive.created(ENFORCING).body
    plain = alive.created(ENFORCING, app="other").body

    marker = "initject.dev/injected"
    assert ["wait"] == [one["name"] for one in injected["spec"]["initContainers"]]
    assert "{}" == plain["metadata"]["annotations"][marker]


def test_a_pod_that_was_not_answered_is_refused(alive: Plane) -> None:
    """Where a namespace enforces, and only there; the message says where to look."""
    found = alive.api.ask("GET", CONFIGURATION).body
    for hook in found["webhooks"]:
        hook["matchConditions"] = [{"name": "never", "expression": "false"}]
    alive.api.ask("PUT", CONFIGURATION, found)
    until(lambda: alive.created(ENFORCING).code != 201, "the webhook is not asked")

    refused = alive.created(ENFORCING)

    assert 403 == refused.code
    assert "this namespace enforces injection, and Initject was not asked" in refused.message
    assert 201 == alive.created(CONVENIENT).code


def test_a_picture_of_a_static_pod_needs_no_answer(alive: Plane) -> None:
    """The kubelet's mirror pods cannot be changed."""
    pod = web("mirror", ENFORCING, nodeName="node", automountServiceAccountToken=False)
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "1"}

    answer = alive.api.create(pod, dry_run=True)

    assert (201, "") == (answer.code, answer.message)
    assert "initContainers" not in answer.body["spec"]


def test_the_image_of_a_step_stays(alive: Plane) -> None:
    """`kubectl set image` on our container is refused, by name."""
    pod = alive.stored("image")
    pod["spec"]["initContainers"][0]["image"] = "registry.example.com/evil:1"

    answer = alive.update(pod)

    assert 403 == answer.code
    why = "the image of the injected init container wait stays as it is: change the policy"
    assert why in answer.message


@pytest.mark.parametrize("marker", [None, "{}"])
def test_the_marker_stays(alive: Plane, marker: str | None) -> None:
    """Without it the next change of an image would pass."""
    pod = alive.stored(f"marker-{'removed' if marker is None else 'changed'}")
    annotations = pod["metadata"]["annotations"]
    annotations["initject.dev/injected"] = marker
    if marker is None:
        del annotations["initject.dev/injected"]

    answer = alive.update(pod)

    assert 403 == answer.code
    assert "annotation initject.dev/injected stays as it was" in answer.message


def test_all_else_can_be_changed(alive: Plane) -> None:
    """Labels, the application's image, and init containers of others, whatever their names are."""
    image = "registry.example.com/theirs:1.0"
    others = [{"name": name, "image": image} for name in ("settings", "mounts", "volumes")]
    pod = alive.stored("free", initContainers=others)
    pod["metadata"]["labels"]["tier"] = "front"
    pod["spec"]["containers"][0]["image"] = "registry.example.com/app:2.0"
    theirs = [one for one in pod["spec"]["initContainers"] if one["name"] != "wait"]
    assert 3 == len(theirs)
    for one in theirs:
        one["image"] = "registry.example.com/theirs:2.0"

    answer = alive.update(pod)

    assert (200, "") == (answer.code, answer.message)


def test_subresources_and_deletion_are_free(alive: Plane) -> None:
    """Debugging, status, resizing and deleting never meet the policy."""
    pod = alive.stored("debugged")
    for one in pod["spec"]["initContainers"]:
        one["image"] = "registry.example.com/tools/wait:1.4"
    debugger = {"name": "debugger", "image": "registry.example.com/tools/debug:1.0"}
    debugged = {**pod, "spec": {**pod["spec"], "ephemeralContainers": [debugger]}}
    codes = [alive.update(debugged, "/ephemeralcontainers").code]
    current = alive.api.ask("GET", f"/api/v1/namespaces/{ENFORCING}/pods/debugged").body
    current["status"]["message"] = "seen"
    codes.append(alive.update(current, "/status").code)
    current = alive.api.ask("GET", f"/api/v1/namespaces/{ENFORCING}/pods/debugged").body
    codes.append(alive.update(current, "/resize").code)
    codes.append(alive.api.ask("DELETE", f"/api/v1/namespaces/{ENFORCING}/pods/debugged").code)

    assert [200, 200, 200, 200] == codes


def test_pods_from_before_stay_changeable(dead: Plane) -> None:
    """A pod that was created before the namespace enforced has no marker, and needs none."""
    dead.emergency("off")
    pod = dead.stored("old", initContainers=[{"name": "own", "image": "registry.example.com/a:1"}])
    dead.bind()
    until(lambda: dead.created(ENFORCING).code == 403, "the policy is in force")
    pod["metadata"]["labels"]["tier"] = "front"
    pod["spec"]["initContainers"][0]["image"] = "registry.example.com/a:2"

    assert 200 == dead.update(pod).code


def test_the_policy_stays_within_its_budget(alive: Plane) -> None:
    """A pod with a hundred init containers can still be changed."""
    image = "registry.example.com/theirs:1.0"
    others = [{"name": f"step-{n}", "image": image} for n in range(100)]
    pod = alive.stored("many", initContainers=others)
    for one in pod["spec"]["initContainers"]:
        one["image"] = "registry.example.com/theirs:2.0" if one["name"] != "wait" else one["image"]

    answer = alive.update(pod)

    assert (200, "") == (answer.code, answer.message)
