"""The installed release of the run: what later tests may count on."""

from __future__ import annotations

from tests.cluster import nodes, release


def test_two_replicas_are_ready_behind_their_service(installed: release.Release) -> None:
    """As the manifests say."""
    assert [True, True] == [nodes.ready(pod) for pod in installed.pods()]


def test_a_policy_is_in_force_when_it_was_applied_and_out_of_force_when_deleted(
    installed: release.Release, space: str
) -> None:
    """On every replica: each of many pods gets its step, and afterwards none does."""
    text = f"""
apiVersion: initject.dev/v1alpha1
kind: InitPolicy
metadata: {{name: own, namespace: {space}}}
spec:
  steps: [{{name: own, container: {{image: "localhost/busybox:1", command: ["true"]}}}}]
"""

    with installed.policies(text):
        within = [steps(installed, space) for _ in range(20)]
    after = [steps(installed, space) for _ in range(20)]

    assert [["own"]] * 20 == within
    assert [[]] * 20 == after


def steps(installed: release.Release, space: str) -> list[str]:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": space},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.0"}]},
    }
    answer = installed.node.api.create(pod, dry_run=True)
    assert (201, "") == (answer.code, answer.message)
    return [one["name"] for one in answer.body["spec"].get("initContainers", [])]
