"""What controllers make of manifests, and what comes back into the manifest."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from webhook.document.problem import Finding
from webhook.manifest import controllers, workload

TEMPLATE: dict[str, Any] = {
    "metadata": {
        "name": "ignored",
        "labels": {"app": "checkout"},
        "annotations": {"example.com/a": "b"},
    },
    "spec": {"containers": [{"name": "app", "image": "app:1", "futureField": 1}], "newField": {}},
}


def manifest(kind: str, api: str = "apps/v1", **spec: Any) -> dict[str, Any]:
    metadata = {"name": "checkout", "namespace": "payments", "labels": {"of": "the workload"}}
    template = {"template": copy.deepcopy(TEMPLATE)}
    if kind == "CronJob":
        template = {"jobTemplate": {"spec": template}}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": {**spec, **template}}


def made(value: dict[str, Any], namespace: str = "default") -> workload.Made:
    result = workload.pod_of(value, namespace=namespace)
    assert not isinstance(result, Finding)
    return result


WORKLOADS = [
    manifest("Deployment"),
    manifest("ReplicaSet"),
    manifest("StatefulSet", serviceName="checkout"),
    manifest("DaemonSet"),
    manifest("ReplicationController", "v1"),
    manifest("Job", "batch/v1"),
    manifest("Job", "batch/v1", completionMode="Indexed"),
    manifest("CronJob", "batch/v1"),
]


def sentence(value: dict[str, Any]) -> str:
    return f"{value['kind']}-{value['spec'].get('completionMode', 'plain')}"


def owner(api: str, kind: str, name: str) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": api,
            "kind": kind,
            "name": name,
            "uid": controllers.UID,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_a_deployment() -> None:
    """A Deployment's pod belongs to a ReplicaSet named after the template's hash."""
    pod = made(manifest("Deployment")).pod

    expected = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"checkout-{controllers.HASH}-",
            "labels": {"app": "checkout", "pod-template-hash": controllers.HASH},
            "annotations": {"example.com/a": "b"},
            "ownerReferences": owner("apps/v1", "ReplicaSet", f"checkout-{controllers.HASH}"),
            "namespace": "payments",
        },
        "spec": TEMPLATE["spec"],
    }
    assert expected == pod


def test_a_stateful_set() -> None:
    """A StatefulSet's pod has the name, the identity labels and a volume for each claim."""
    value = manifest(
        "StatefulSet",
        serviceName="peers",
        ordinals={"start": 3},
        volumeClaimTemplates=[{"metadata": {"name": "data"}}],
    )
    pod = made(value).pod

    assert pod["metadata"]["name"] == "checkout-3"
    assert pod["metadata"]["labels"] == {
        "app": "checkout",
        "statefulset.kubernetes.io/pod-name": "checkout-3",
        "apps.kubernetes.io/pod-index": "3",
        "controller-revision-hash": f"checkout-{controllers.HASH}",
    }
    assert pod["metadata"]["ownerReferences"] == owner("apps/v1", "StatefulSet", "checkout")
    assert pod["spec"]["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-checkout-3"}}
    ]
    assert pod["spec"]["subdomain"] == "peers"


def test_a_claim_replaces_a_volume() -> None:
    """A volume of the template gives way to the claim of the same name."""
    value = manifest("StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    value["spec"]["template"]["spec"]["volumes"] = volumes

    names = [volume["name"] for volume in made(value).pod["spec"]["volumes"]]

    assert names == ["data", "tmp"]


def test_a_job() -> None:
    """A Job labels its pods with its name and uid, under both the new and the old keys."""
    pod = made(manifest("Job", "batch/v1")).pod

    assert pod["metadata"]["labels"] == {
        "app": "checkout",
        "batch.kubernetes.io/controller-uid": controllers.UID,
        "batch.kubernetes.io/job-name": "checkout",
        "controller-uid": controllers.UID,
        "job-name": "checkout",
    }
    assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]


def test_a_job_with_a_selector_of_its_own() -> None:
    """With `manualSelector` a Job generates no labels."""
    pod = made(manifest("Job", "batch/v1", manualSelector=True)).pod

    assert pod["metadata"]["labels"] == {"app": "checkout"}


def test_an_indexed_job() -> None:
    """The pod of an indexed Job knows its index, as label, annotation and variable."""
    pod = made(manifest("Job", "batch/v1", completionMode="Indexed")).pod

    key = "batch.kubernetes.io/job-completion-index"
    assert pod["metadata"]["labels"][key] == "0"
    assert pod["metadata"]["annotations"][key] == "0"
    assert pod["metadata"]["generateName"] == "checkout-0-"
    assert [entry["name"] for entry in pod["spec"]["containers"][0]["env"]] == [
        "JOB_COMPLETION_INDEX"
    ]


def test_a_cron_job() -> None:
    """A CronJob's pod belongs to a Job whose name ends in a hyphen and digits."""
    pod = made(manifest("CronJob", "batch/v1")).pod

    name = f"checkout-{controllers.MINUTES}"
    assert pod["metadata"]["ownerReferences"] == owner("batch/v1", "Job", name)
    assert pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == name
    assert pod["metadata"]["generateName"] == f"{name}-"


def test_a_pod_is_itself() -> None:
    """A Pod is taken as it is; only the namespace is the one where it goes."""
    value = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "a-"}, "spec": {}}

    result = made(value, namespace="shop")

    assert result.pod == {**value, "metadata": {"generateName": "a-", "namespace": "shop"}}
    assert (result.kind, result.namespace, result.name) == ("Pod", "shop", "a-")


def test_a_workload_without_a_name_yet() -> None:
    """The owner of a pod has a name even where the workload's is still to be generated."""
    value = manifest("Job", "batch/v1")
    value["metadata"] = {"generateName": "import-"}

    assert made(value).pod["metadata"]["ownerReferences"][0]["name"] == "import-00000"


@pytest.mark.parametrize("value", WORKLOADS, ids=sentence)
def test_nothing_changed_comes_back_as_it_was(value: dict[str, Any]) -> None:
    """A pod to which nothing was done leaves its manifest as it was, simulation or not."""
    one = made(value)

    assert workload.put_back(value, one, copy.deepcopy(one.pod)) == value


@pytest.mark.parametrize("value", WORKLOADS, ids=sentence)
def test_only_what_was_injected_comes_back(value: dict[str, Any]) -> None:
    """What was injected lands in the template; what was only simulated does not."""
    one = made(value)
    after = copy.deepcopy(one.pod)
    after["metadata"].setdefault("annotations", {})["initject.dev/injected"] = "{}"
    after["spec"]["initContainers"] = [{"name": "wait", "image": "wait:1"}]
    after["spec"].setdefault("volumes", []).insert(0, {"name": "x", "emptyDir": {}})
    after["spec"]["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": "/x"}]

    template = copy.deepcopy(TEMPLATE)
    template["metadata"]["annotations"]["initject.dev/injected"] = "{}"
    template["spec"]["initContainers"] = [{"name": "wait", "image": "wait:1"}]
    template["spec"]["volumes"] = [{"name": "x", "emptyDir": {}}]
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "x", "mountPath": "/x"}]
    expected = copy.deepcopy(value)
    spec = expected["spec"]
    (spec["jobTemplate"]["spec"] if value["kind"] == "CronJob" else spec)["template"] = template
    assert expected == workload.put_back(value, one, after)


def test_the_namespace_of_a_pod_stays_out() -> None:
    """A Pod that names no namespace still names none when it comes back injected."""
    value = {"apiVersion": "v1", "kind": "Pod", "metadata": None, "spec": {"containers": []}}
    one = made(value)
    after = copy.deepcopy(one.pod)
    after["spec"]["initContainers"] = [{"name": "wait"}]

    back = workload.put_back(value, one, after)

    assert back == {**value, "spec": {"containers": [], "initContainers": [{"name": "wait"}]}}


def test_claims_stay_out_of_the_template() -> None:
    """The volume of a claim is only the pod's; what is injected beside it comes back."""
    value = manifest("StatefulSet", volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    one = made(value)
    after = copy.deepcopy(one.pod)
    after["spec"]["volumes"].append({"name": "x", "emptyDir": {}})

    back = workload.put_back(value, one, after)

    assert back["spec"]["template"]["spec"]["volumes"] == [{"name": "x", "emptyDir": {}}]


def test_the_manifest_is_not_changed() -> None:
    """Neither making the pod nor putting back touches the manifest."""
    value = manifest("Deployment")
    before = copy.deepcopy(value)
    one = made(value)
    one.pod["spec"]["containers"].append({"name": "other"})
    workload.put_back(value, one, {**one.pod, "spec": {}})

    assert before == value


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"spec": None}, ("spec",)),
        ({"spec": {}}, ("spec", "template")),
        ({"spec": {"template": []}}, ("spec", "template")),
        ({"spec": {"template": {}}}, ("spec", "template", "spec")),
        (
            {"spec": {"template": {"spec": {}, "metadata": {"labels": []}}}},
            ("spec", "template", "metadata", "labels"),
        ),
        (
            {"spec": {"template": {"spec": {"containers": ["x"]}}}},
            ("spec", "template", "spec", "containers", 0),
        ),
    ],
)
def test_an_unreadable_template(change: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """A workload without a readable template is a finding with its place."""
    result = workload.pod_of({**manifest("Deployment"), **change}, namespace="default")

    assert isinstance(result, Finding)
    assert path == result.path


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "Pod",
        {},
        {"apiVersion": "v1", "kind": "ConfigMap"},
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Deployment"},
    ],
)
def test_other_things_make_no_pods(value: object) -> None:
    """Only Kubernetes' own kinds are known to make pods."""
    assert workload.makes_pods(value) is False
