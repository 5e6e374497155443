"""`serve --source cluster` on a control plane of its own, which may go away."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trustme

from tests.cluster import plane as planes
from tests.cluster import registration, serving, test_manifests
from tests.cluster.api import Api, Json
from tests.cluster.network import Inside
from tests.cluster.registration import until
from webhook import testing

CLUSTER = "/apis/initject.dev/v1alpha1/clusterinitpolicies"
NAMESPACE = "shop"


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane that this module alone uses, and the webhook that watches it."""

    own: planes.Plane
    folder: Path
    api: Api
    inside: Inside
    served: serving.Served

    def metric(self, name: str) -> float:
        """One series of /metrics, by its name and labels as they are printed."""
        text = self.health("/metrics").text
        return float(dict(line.rsplit(" ", 1) for line in text.splitlines())[name])

    def health(self, path: str) -> httpx.Response:
        url = f"{self.served.health}{path}"
        return self.inside(httpx.get, url, trust_env=False)

    def steps(self, app: str, namespace: str = NAMESPACE) -> list[str]:
        """The init containers of a pod that is created now."""
        pod = testing.pod("web", namespace=namespace, labels={"app": app})
        answer = self.api.create(pod, dry_run=True)
        assert (201, "") == (answer.code, answer.message)
        return [one["name"] for one in answer.body["spec"].get("initContainers", [])]

    def logged(self, message: str) -> list[Json]:
        lines = [json.loads(x) for x in self.served.printed().splitlines() if x[0] == "{"]
        return [line for line in lines if line["message"] == message]


@pytest.fixture(scope="module")
def plane(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane with our CRDs, a webhook that watches it, and its registration."""
    top = tmp_path_factory.mktemp("source")
    with planes.running(top / "cluster") as own:
        own.api.space(NAMESPACE)
        install(own.api)
        (top / "kubeconfig").write_text(json.dumps(kubeconfig(own.api, own.folder)))
        flags = ("--source=cluster", f"--kubeconfig={top / 'kubeconfig'}")
        with serving.serve(own.folder, top, ca, *flags) as served:
            url, bundle = served.url, ca.cert_pem.bytes()
            hook = registration.webhook("inject.initject.dev", url, bundle)
            registration.register(own.api, "initject", hook)
            yield Plane(own, own.folder, own.api, own.inside, served)


def install(api: Api) -> None:
    """What the overlay `cluster-mode` needs to be there: CRDs, an identity, its rights."""
    kinds = ("CustomResourceDefinition", "Namespace", "ServiceAccount", "ClusterRole", "Role")
    for value in test_manifests.rendered(test_manifests.CLUSTER_MODE):
        if value["kind"].startswith(kinds):
            api.ensure(value)
    until(lambda: api.ask("GET", CLUSTER).code == 200, "the CRDs are served")


def kubeconfig(api: Api, cluster: Path) -> Json:
    """The administrator's, but for the identity: our service account, with its rights alone."""
    found: Json = json.loads((cluster / "kubeconfig").read_text())
    found["users"][0]["user"] = {"token": token(api)}
    return found


def token(api: Api) -> str:
    """One of our service account, as the kubelet gets it for our pods."""
    path = "/api/v1/namespaces/initject/serviceaccounts/initject/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = api.ask("POST", path, request)
    assert answer.code == 201, answer.message
    return str(answer.body["status"]["token"])


def policy(name: str, app: str, *, step: str = "", **spec: object) -> Json:
    """A policy for the pods of one app, whose step is called like itself."""
    container = {"image": "registry.example.com/tools/step:1.0", "command": ["step"]}
    return {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": "ClusterInitPolicy",
        "metadata": {"name": name},
        "spec": {
            "match": {"podSelector": {"matchLabels": {"app": app}}},
            "steps": [{"name": step or name, "container": container}],
            **spec,
        },
    }


def replace(api: Api, value: Json) -> None:
    path = f"{CLUSTER}/{value['metadata']['name']}"
    patch = {"spec": value["spec"]}
    current = api.ask("GET", path).body
    answer = api.ask("PUT", path, {**current, **patch})
    assert answer.code == 200, answer.message


def delete(api: Api, name: str) -> None:
    assert api.ask("DELETE", f"{CLUSTER}/{name}").code == 200


def soon(found: Callable[[], object], expected: object, seconds: float = 5) -> float:
    """How long it takes until something is as expected."""
    began = time.perf_counter()
    while (got := found()) != expected:
        assert time.perf_counter() - began < seconds, got
        time.sleep(0.002)
    return time.perf_counter() - began


def test_a_policy_is_in_force_within_a_moment_of_its_creation(plane: Plane) -> None:
    """From apply to the first pod that it is injected into: 200 ms on an idle machine."""
    took = []
    for number in range(10):
        name = f"fresh-{number}"
        began = time.perf_counter()
        plane.api.ensure(policy(name, name))
        soon(lambda name=name: plane.steps(name), [name])
        took.append(time.perf_counter() - began)
        time.sleep(0.15)

    middle, worst = statistics.median(took), max(took)
    sys.stdout.write(f"apply to first pod: {middle * 1000:.0f} ms, worst {worst * 1000:.0f} ms\n")
    assert middle < 0.5
    assert worst < 2


def test_a_change_and_a_deletion_take_effect(plane: Plane) -> None:
    """The next pod gets the changed step; after the deletion none."""
    plane.api.ensure(policy("changing", "changing"))
    soon(lambda: plane.steps("changing"), ["changing"])

    replace(plane.api, policy("changing", "changing", step="changed"))
    soon(lambda: plane.steps("changing"), ["changed"])

    delete(plane.api, "changing")
    soon(lambda: plane.steps("changing"), [])


def test_a_policy_of_a_namespace_is_for_its_pods_alone(plane: Plane) -> None:
    """An InitPolicy is in force beside the cluster's policies."""
    own = policy("own", "own")
    own |= {"kind": "InitPolicy", "metadata": {"name": "own", "namespace": NAMESPACE}}
    plane.api.ensure(own)

    soon(lambda: plane.steps("own"), ["own"])
    assert [] == plane.steps("own", "default")


def test_a_wrong_policy_is_out_of_force_and_disturbs_no_other(plane: Plane) -> None:
    """It is counted, and told once with the field that is wrong; mended, it is in force."""
    wrong = policy("wrong", "wrong", conditions=[{"name": "typo", "expression": "objekt.spec"}])
    out = 'initject_policies_out_of_force{kind="ClusterInitPolicy"}'
    plane.api.ensure(wrong, policy("right", "right"))

    soon(lambda: plane.steps("right"), ["right"])
    soon(lambda: plane.metric(out), 1)
    assert [] == plane.steps("wrong")
    (line,) = (x for x in plane.logged("policy not in force") if x["policy"] == "wrong")
    assert "ClusterInitPolicy" == line["kind"]
    assert line["problems"][0].startswith("spec.conditions[0].expression: ")

    replace(plane.api, policy("wrong", "wrong"))
    soon(lambda: plane.steps("wrong"), ["wrong"])
    soon(lambda: plane.metric(out), 0)


# A pod's view: what the kubelet mounts and sets. The mount ends with the process.
IN_A_POD = """
mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount
mount --bind "$1" /run/secrets/kubernetes.io/serviceaccount
export KUBERNETES_SERVICE_HOST=198.18.0.1 KUBERNETES_SERVICE_PORT=6443
shift; exec "$@"
"""


def test_in_a_pod_the_service_account_is_used_and_its_token_read_again(
    plane: Plane, ca: trustme.CA, tmp_path: Path
) -> None:
    """A token that is refused is no end: the kubelet may already have written another."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "ca.crt").write_bytes((plane.folder / "pki" / "ca.crt").read_bytes())
    (account / "token").write_text("expired")
    write = threading.Timer(3, (account / "token").write_text, [token(plane.api)])
    write.start()
    shell = ["unshare", "--mount", "sh", "-euc", IN_A_POD, "sh", str(account)]

    with serving.serve(plane.folder, tmp_path, ca, "--source=cluster", within=shell) as pod:
        assert "HTTP 401: Unauthorized" in pod.printed()
    write.join()


def test_labels_of_namespaces_are_seen_and_followed(plane: Plane) -> None:
    """A policy that selects namespaces by label finds those that have it now."""
    selector = {"namespaceSelector": {"matchLabels": {"team": "blue"}}}
    plane.api.ensure(policy("teams", "teams", match=selector))
    plane.api.space("labelled")
    soon(lambda: plane.steps("any", NAMESPACE), [])
    assert [] == plane.steps("any", "labelled")

    space = plane.api.ask("GET", "/api/v1/namespaces/labelled").body
    space["metadata"]["labels"]["team"] = "blue"
    assert 200 == plane.api.ask("PUT", "/api/v1/namespaces/labelled", space).code

    soon(lambda: plane.steps("any", "labelled"), ["teams"])
    delete(plane.api, "teams")
    soon(lambda: plane.steps("any", "labelled"), [])


def test_a_namespace_a_moment_old_is_read(plane: Plane) -> None:
    """The first pod of a namespace is decided by its labels, however new it is."""
    selector = {"namespaceSelector": {"matchLabels": {"team": "green"}}}
    plane.api.ensure(policy("newest", "newest", match=selector))
    plane.api.space("green-first", {"team": "green"})
    soon(lambda: plane.steps("any", "green-first"), ["newest"])

    for number in range(10):
        plane.api.space(f"green-{number}", {"team": "green"})
        assert ["newest"] == plane.steps("any", f"green-{number}")
    delete(plane.api, "newest")


def many(plane: Plane, method: Callable[[int], None], count: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(method, range(count)))
    return time.monotonic() - began


def test_a_thousand_policies_are_taken_over_in_a_few_steps(
    plane: Plane, ca: trustme.CA, tmp_path: Path
) -> None:
    """More than two pages; the burst that makes them builds a few sets only."""
    taken = len(plane.logged("policies taken over"))
    before = plane.metric('initject_policies{kind="ClusterInitPolicy"}')
    created = many(plane, lambda n: plane.api.ensure(policy(f"many-{n:04}", f"m{n}")), 1000)
    count = before + 1000
    soon(lambda: plane.metric('initject_policies{kind="ClusterInitPolicy"}'), count, 30)
    sets = len(plane.logged("policies taken over")) - taken

    began = time.monotonic()
    config = f"--kubeconfig={plane.folder.parent / 'kubeconfig'}"
    with serving.serve(plane.folder, tmp_path, ca, "--source=cluster", config) as second:
        ready = time.monotonic() - began
        own = plane.metric('initject_policies{kind="InitPolicy"}')
        assert f"({count + own:.0f} policies" in second.printed()
        memory = resident(second)

    sys.stdout.write(
        f"1,000 policies: created in {created:.1f} s, taken over in {sets} sets; "
        f"another replica ready after {ready:.1f} s, {memory:.0f} MB\n"
    )
    assert sets <= created + 10
    assert ["many-0999"] == plane.steps("m999")
    assert 200 == plane.api.ask("DELETE", f"{CLUSTER}").code
    soon(lambda: plane.metric('initject_policies{kind="ClusterInitPolicy"}'), 0, 30)


def resident(served: serving.Served) -> float:
    """MB that a process holds."""
    pages = int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU that a process has used (clock_getcpuclockid(3))."""
    return time.clock_gettime(~process.pid << 3 | 2)


def review(plane: Plane, app: str) -> list[str]:
    """The steps that the webhook gives to a pod when it is asked without the API server."""
    pod = testing.pod("web", namespace=NAMESPACE, labels={"app": app})
    answer = plane.inside(
        httpx.post,
        plane.served.url,
        json=testing.review(pod),
        verify=False,
        trust_env=False,
    )
    assert answer.status_code == 200
    return [app] if "patch" in answer.json()["response"] else []


def test_without_the_api_server_policies_stay_in_force(plane: Plane) -> None:
    """We stay ready and use hardly any CPU; what changes after its return is seen in seconds."""
    away = 8.0
    plane.api.ensure(policy("lasting", "lasting"))
    soon(lambda: plane.steps("lasting"), ["lasting"])

    plane.own.kill_api_server()
    time.sleep(0.5)
    began = cpu(plane.served.process)
    time.sleep(away)
    used = cpu(plane.served.process) - began
    assert ["lasting"] == review(plane, "lasting")
    assert 200 == plane.health("/readyz").status_code
    assert plane.metric('initject_source_errors_total{source="namespaces"}') > 0
    assert plane.logged("source not read; what is known stays")

    plane.own.start_api_server()
    plane.api.ensure(policy("afterwards", "afterwards"))
    back = soon(lambda: plane.steps("afterwards"), ["afterwards"], 20)
    sys.stdout.write(f"away {away} s: {used / away:.1%} of a core; back in {back:.1f} s\n")
    assert used < 0.1 * away
    assert ["lasting"] == plane.steps("lasting")
    soon(lambda: bool(plane.logged("source read again")), True)


def test_an_api_server_that_hangs_holds_up_nothing(plane: Plane) -> None:
    """Its connections stay open and say nothing: what is known goes on being used."""
    plane.api.ensure(policy("patient", "patient"))
    soon(lambda: plane.steps("patient"), ["patient"])

    plane.own.signal_api_server(signal.SIGSTOP)
    try:
        began = cpu(plane.served.process)
        time.sleep(3)
        assert ["patient"] == review(plane, "patient")
        assert 200 == plane.health("/readyz").status_code
        assert cpu(plane.served.process) - began < 0.3
    finally:
        plane.own.signal_api_server(signal.SIGCONT)
    replace(plane.api, policy("patient", "patient", step="changed"))
    soon(lambda: plane.steps("patient"), ["changed"], 20)


def test_what_was_missed_is_made_up_for_by_a_new_list(plane: Plane) -> None:
    """When the API server has forgotten where a watch stood (410), deletions are seen as well."""
    plane.api.ensure(policy("goes", "goes"), policy("stays", "stays"))
    soon(lambda: (plane.steps("goes"), plane.steps("stays")), (["goes"], ["stays"]))
    version = plane.api.ask("GET", f"{CLUSTER}/stays").body["metadata"]["resourceVersion"]

    plane.served.process.send_signal(signal.SIGSTOP)
    try:
        delete(plane.api, "goes")
        plane.api.ensure(policy("comes", "comes"))
        plane.own.kill_api_server()
        plane.own.start_api_server()
        old = f"{CLUSTER}?watch=1&timeoutSeconds=1&resourceVersion={version}"
        soon(lambda: plane.api.ask("GET", CLUSTER).code, 200, 20)
        told = plane.api.ask("GET", old).body
    finally:
        plane.served.process.send_signal(signal.SIGCONT)

    assert 410 == told.get("object", told).get("code"), told
    soon(lambda: review(plane, "comes"), ["comes"], 20)
    assert [] == review(plane, "goes")
    assert ["stays"] == review(plane, "stays")
