"""`initject serve` as a webhook of a real API server: what users and their pods meet."""

from __future__ import annotations

import copy
import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from tests.cluster import gallery, machine, meddler, registration, serving
from tests.cluster.api import Api, Json
from tests.cluster.network import Inside
from tests.house.tree import BIN
from webhook import testing

POLICIES = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: database}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps:
    - name: wait-for-database
      container:
        image: registry.example.com/tools/wait:1.4
        command: [wait, --for=postgres]
        args: ["--pod=${object.metadata.labels.app}"]
        volumeMounts: [{name: settings, mountPath: /out}]
  volumes:
    - name: settings
      emptyDir: {sizeLimit: 16Mi}
      mountInto: [{containers: ["*"], mountPath: /etc/settings, readOnly: true}]
  placement: {before: [proxy]}
---
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: lenient}
spec:
  match: {podSelector: {matchLabels: {owner: lenient}}}
  steps:
    - name: tell-the-owner
      container:
        image: registry.example.com/tools/tell:1.0
        command: [tell]
        args: ["--owner=${object.metadata.annotations['example.com/owner']}"]
---
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: strict}
spec:
  match: {podSelector: {matchLabels: {owner: strict}}}
  onError: Reject
  steps:
    - name: tell-the-owner
      container:
        image: registry.example.com/tools/tell:1.0
        command: [tell]
        args: ["--owner=${object.metadata.annotations['example.com/owner']}"]
"""
NAMESPACE = "admission"
OPTED_IN = {"initject.dev/inject": "enabled"}
MARKER, SKIPPED = "initject.dev/injected", "initject.dev/skipped"


@pytest.fixture(scope="module")
def served(
    cluster: Path, api: Api, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[serving.Served]:
    """`initject serve` with the policies above, called for the namespaces of these tests."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "policies").mkdir()
    (folder / "policies" / "policies.yaml").write_text(POLICIES)
    api.space(NAMESPACE, OPTED_IN)
    with serving.serve(cluster, folder, ca) as running:
        hook = registration.webhook(
            "inject.initject.dev",
            running.url,
            ca.cert_pem.bytes(),
            namespaceSelector={"matchLabels": OPTED_IN},
        )
        registration.register(api, "initject", hook)
        yield running
        registration.unregister(api, "initject")


def shop(name: str = "shop", *, namespace: str = NAMESPACE, **more: Any) -> Json:
    return testing.pod(name, namespace=namespace, labels={"app": "shop"}, **more)


def created(api: Api, pod: Json) -> Json:
    """The pod as the API server would store it."""
    answer = api.create(pod, dry_run=True)
    assert (201, "") == (answer.code, answer.message)
    return answer.body


def names(pod: Json) -> list[str]:
    return [container["name"] for container in pod["spec"].get("initContainers", [])]


def mounts(container: Json) -> list[str]:
    return [mount["mountPath"] for mount in container.get("volumeMounts", [])]


def kubectl(cluster: Path, pod: Json, *flags: str) -> subprocess.CompletedProcess[str]:
    """`kubectl create`, as a user would."""
    kubeconfig = f"--kubeconfig={cluster / 'kubeconfig'}"
    command = [str(BIN / "kubectl"), kubeconfig, "create", "--filename=-", *flags]
    return subprocess.run(
        machine.inside(cluster, *command),
        input=json.dumps(pod),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_pod_that_is_created_is_stored_injected(api: Api, served: serving.Served) -> None:
    """The pod in etcd has the step, its volume, the application's mount and the marker."""
    answer = api.create(shop("stored"))

    pod = api.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/stored").body
    (step,), (app,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
    assert (201, ()) == (answer.code, answer.warnings)
    assert ["--pod=shop"] == step["args"]
    assert ["/out", "/var/run/secrets/kubernetes.io/serviceaccount"] == mounts(step)
    assert "/etc/settings" in mounts(app)
    assert "settings" in {volume["name"] for volume in pod["spec"]["volumes"]}
    assert MARKER in pod["metadata"]["annotations"]


def test_a_dry_run_shows_the_injection_and_stores_nothing(api: Api, served: serving.Served) -> None:
    """`kubectl create --dry-run=server` is answered as a real creation is."""
    pod = created(api, shop("dry"))

    assert ["wait-for-database"] == names(pod)
    assert 404 == api.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/dry").code


def test_a_pod_whose_name_is_generated_is_injected(api: Api, served: serving.Served) -> None:
    """The request has no name yet; controllers always create pods so."""
    pod = shop()
    pod["metadata"] = {**pod["metadata"], "generateName": "shop-"}
    del pod["metadata"]["name"]

    assert ["wait-for-database"] == names(created(api, pod))


def test_a_pod_that_no_policy_concerns_is_stored_as_it_is(api: Api, served: serving.Served) -> None:
    """No container, no annotation: nothing says that we were asked."""
    pod = created(api, testing.pod("other", namespace=NAMESPACE))

    assert [] == names(pod)
    assert "annotations" not in pod["metadata"]


def test_a_refusal_is_a_sentence_for_the_user(cluster: Path, served: serving.Served) -> None:
    """kubectl prints which policy and field refuse the pod, and why."""
    pod = testing.pod("refused", namespace=NAMESPACE, labels={"owner": "strict"})

    answer = kubectl(cluster, pod)

    denied = 'admission webhook "inject.initject.dev" denied the request'
    why = 'policy "strict", steps[0].container.args[0]: no such key: annotations'
    assert (1, "") == (answer.returncode, answer.stdout)
    assert answer.stderr.startswith("Error from server (Forbidden): ")
    assert answer.stderr.endswith(f"{denied}: {why}\n")


def test_a_warning_reaches_the_user(cluster: Path, api: Api, served: serving.Served) -> None:
    """A policy that is left out says so to who creates the pod, and on the pod."""
    pod = testing.pod("warned", namespace=NAMESPACE, labels={"owner": "lenient"})

    answer = kubectl(cluster, pod)

    stored = api.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/warned").body
    why = "steps[0].container.args[0]: no such key: annotations"
    assert (0, "pod/warned created\n") == (answer.returncode, answer.stdout)
    assert f"Warning: initject left out policy lenient: {why}\n" == answer.stderr
    assert {SKIPPED: "lenient=template_failed"} == stored["metadata"]["annotations"]


def test_the_audit_log_says_what_was_injected(
    cluster: Path, api: Api, served: serving.Served
) -> None:
    """The API server's audit log carries our audit annotations, under the webhook's name."""
    api.create(shop("audited"))

    (event,) = registration.audit(cluster, "audited")
    assert "database" == event["annotations"]["inject.initject.dev/injected"]


def test_an_injected_pod_that_is_created_again_does_not_change(
    api: Api, served: serving.Served
) -> None:
    """A backup is restored, a manifest copied: what the server and we added stays as it is."""
    first = created(api, shop("again"))
    for name in ("uid", "creationTimestamp"):
        del first["metadata"][name]

    second = created(api, copy.deepcopy(first))

    for name in ("uid", "creationTimestamp"):
        del second["metadata"][name]
    for pod in (first, second):
        pod["metadata"].pop("managedFields", None)
    assert "" == testing.difference(first, second)


def test_what_a_limit_range_adds_does_not_make_us_change_anything(
    api: Api, served: serving.Served
) -> None:
    """Defaults that the server gives our containers on the second pass are left alone."""
    api.space("limited", OPTED_IN)
    api.ensure(
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "defaults", "namespace": "limited"},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"memory": "128Mi"},
                        "defaultRequest": {"memory": "64Mi"},
                    }
                ]
            },
        }
    )
    first = created(api, shop("limited", namespace="limited"))
    again = {**first, "metadata": {**first["metadata"]}}
    for name in ("uid", "creationTimestamp"):
        del again["metadata"][name]

    second = created(api, again)

    assert {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}} == (
        first["spec"]["initContainers"][0]["resources"]
    )
    assert "" == testing.difference(first["spec"], second["spec"])
    assert first["metadata"]["annotations"] == second["metadata"]["annotations"]


def test_the_restricted_pod_security_standard_accepts_what_we_add(
    api: Api, served: serving.Served
) -> None:
    """A pod that meets `restricted` still does with our step in it."""
    api.space("restricted-shop", {**OPTED_IN, "pod-security.kubernetes.io/enforce": "restricted"})
    pod = shop("secure", namespace="restricted-shop")
    pod["spec"]["securityContext"] = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }

    answer = api.create(pod, dry_run=True)

    assert (201, "", ["wait-for-database"]) == (answer.code, answer.message, names(answer.body))


def test_injection_costs_no_quota(api: Api, served: serving.Served) -> None:
    """A namespace that is filled to the last byte still takes the pod."""
    api.space("quota", OPTED_IN)
    path = "/api/v1/namespaces/quota/resourcequotas"
    hard = {"requests.memory": "256Mi", "limits.memory": "256Mi", "limits.cpu": "1"}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full", "namespace": "quota"},
        "spec": {"hard": hard},
    }
    stored = api.create(quota).body
    used = dict.fromkeys(hard, "0")
    api.ask("PUT", f"{path}/full/status", {**stored, "status": {"hard": hard, "used": used}})
    pod = shop("quota", namespace="quota")
    limits = {"memory": "256Mi", "cpu": "1"}
    pod["spec"]["containers"][0]["resources"] = {"requests": {"memory": "256Mi"}, "limits": limits}

    answer = registered_quota(api, pod)

    assert (201, ["wait-for-database"]) == (answer.code, names(answer.body))
    assert hard == api.ask("GET", f"{path}/full").body["status"]["used"]


def registered_quota(api: Api, pod: Json) -> Any:
    """The answer once the server's quota plugin has seen the quota's status."""
    answers: list[Any] = []

    def tried() -> bool:
        answers.append(api.create(pod))
        return "status unknown for quota" not in answers[-1].message

    registration.until(tried, "the quota is known")
    return answers[-1]


def test_metrics_count_what_the_api_server_asked(
    api: Api, inside: Inside, served: serving.Served
) -> None:
    """Injections are counted by policy, and nothing was a fault of ours."""
    created(api, shop("counted"))

    lines = inside(httpx.get, f"{served.health}/metrics", trust_env=False).text.splitlines()

    assert [] != [line for line in lines if line.startswith('initject_injections_total{policy="d')]
    assert 'initject_errors_total{reason="bug"} 0.0' in lines
    assert 'initject_errors_total{reason="no_pod"} 0.0' in lines


@pytest.fixture(scope="module")
def other(api: Api, inside: Inside, ca: trustme.CA, served: serving.Served) -> Iterator[None]:
    """A second webhook, called after ours; each is called again when the other changed the pod."""
    with gallery.listening(meddler.application, inside, ca) as url:
        hook = registration.webhook(
            "meddler.example.com",
            url,
            ca.cert_pem.bytes(),
            namespaceSelector={"matchLabels": OPTED_IN},
        )
        registration.register(api, "meddler", hook)
        yield
        registration.unregister(api, "meddler")


def meddled(api: Api, deed: str) -> Json:
    return created(api, shop(deed, annotations={"meddler": deed}))


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("deed", meddler.DEEDS)
def test_whatever_another_webhook_does_our_step_is_there_once(api: Api, deed: str) -> None:
    """After all calls and repeated calls there is one copy of our step, volume and mount."""
    pod = meddled(api, deed)

    (app,) = pod["spec"]["containers"]
    assert 1 == names(pod).count("wait-for-database")
    assert 1 == mounts(app).count("/etc/settings")
    assert 1 == [volume["name"] for volume in pod["spec"]["volumes"]].count("settings")


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("deed", ["proxy-in-front", "proxy-behind"])
def test_a_placement_holds_after_another_webhook(api: Api, deed: str) -> None:
    """Where a container came in front of ours against the policy's `before`, ours moves back."""
    assert ["wait-for-database", "proxy"] == names(meddled(api, deed))


@pytest.mark.usefixtures("other")
def test_the_image_that_a_mirror_wrote_stays(api: Api) -> None:
    """Two webhooks do not fight over an image."""
    (step,) = meddled(api, "mirror")["spec"]["initContainers"]

    assert "mirror.example.com/tools/wait:1.4" == step["image"]


@pytest.mark.usefixtures("other")
def test_a_label_that_another_webhook_adds_stays(api: Api) -> None:
    """What others write is not ours to touch."""
    pod = meddled(api, "add-label")

    assert {"app": "shop", "meddler": "was-here"} == pod["metadata"]["labels"]


def test_garbage_is_refused_and_the_next_pod_is_served(
    api: Api, inside: Inside, ca: trustme.CA, served: serving.Served
) -> None:
    """Whoever else reaches the port cannot stop it from answering the API server."""
    context = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    headers = {"Content-Type": "application/json"}
    bodies = [b"", b"garbage", b"[" * 100_000, b"{}", b'{"request": {"uid": 7}}', b"\xff" * 1000]

    codes = [
        inside(
            httpx.post, served.url, content=body, headers=headers, verify=context, trust_env=False
        ).status_code
        for body in bodies
    ]

    assert [400] * len(bodies) == codes
    assert ["wait-for-database"] == names(created(api, shop("after-garbage")))


@pytest.fixture
def own(
    cluster: Path, api: Api, ca: trustme.CA, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[serving.Served, str]]:
    """A server and a namespace for one test alone; further flags of it as the parameter."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "policies.yaml").write_text(POLICIES)
    flags = [flag.format(pki=cluster / "pki") for flag in getattr(request, "param", ())]
    with serving.serve(cluster, tmp_path, ca, *flags) as running:
        name = f"own-{running.process.pid}"
        api.space(name)
        hook = registration.webhook(
            "own.initject.dev",
            running.url,
            ca.cert_pem.bytes(),
            namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": name}},
        )
        registration.register(api, name, hook)
        yield running, name
        registration.unregister(api, name)


def test_a_changed_policy_is_in_force_without_a_restart(
    api: Api, own: tuple[serving.Served, str]
) -> None:
    """A good change is taken, a bad one is not, and pods are served all the while."""
    served, namespace = own
    file = served.folder / "policies" / "policies.yaml"

    def steps() -> list[str]:
        return names(created(api, shop(namespace=namespace)))

    file.write_text(POLICIES.replace("wait-for-database", "wait-for-the-database"))
    registration.until(lambda: steps() == ["wait-for-the-database"], "the change is in force")
    file.write_text(POLICIES.replace("ClusterInitPolicy", "ClusterInitPolice"))
    registration.until(lambda: "ClusterInitPolice" in served.printed(), "the fault is told")

    assert ["wait-for-the-database"] == steps()


def test_a_changed_certificate_is_served_without_a_restart(
    api: Api, inside: Inside, ca: trustme.CA, own: tuple[serving.Served, str]
) -> None:
    """The folder is swapped as the kubelet does it; the API server goes on creating pods."""
    served, namespace = own
    address = ("127.0.0.1", int(served.url.split(":")[2].split("/")[0]))
    before = inside(ssl.get_server_certificate, address)

    serving.certify(served.folder / "tls", ca)

    def changed() -> bool:
        assert ["wait-for-database"] == names(created(api, shop(namespace=namespace)))
        return inside(ssl.get_server_certificate, address) != before

    registration.until(changed, "the new certificate is served")


@pytest.mark.parametrize("own", [["--client-ca={pki}/ca.crt"]], indirect=True, ids=["client-ca"])
def test_only_the_api_server_is_served_where_clients_must_show_a_certificate(
    api: Api, inside: Inside, ca: trustme.CA, own: tuple[serving.Served, str]
) -> None:
    """The API server shows its certificate and is answered; who shows none is not."""
    served, namespace = own
    context = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())

    with pytest.raises(httpx.TransportError):
        inside(httpx.post, served.url, json={}, verify=context, trust_env=False)
    assert ["wait-for-database"] == names(created(api, shop(namespace=namespace)))


@pytest.mark.parametrize(("policy", "code"), [("Ignore", 201), ("Fail", 500)])
@pytest.mark.parametrize("fault", ["nobody-listens", "wrong-path", "wrong-authority"])
def test_without_an_answer_the_failure_policy_decides(
    api: Api, ca: trustme.CA, served: serving.Served, fault: str, policy: str, code: int
) -> None:
    """Where we cannot be asked, pods go on without us or not at all, as the owner chose."""
    name = f"{fault}-{policy.lower()}"
    urls = {
        "nobody-listens": "https://127.0.0.1:1/mutate",
        "wrong-path": served.url.replace("/mutate", "/nowhere"),
    }
    authority = trustme.CA() if fault == "wrong-authority" else ca
    api.space(name)
    hook = registration.webhook(
        "wrong.initject.dev",
        urls.get(fault, served.url),
        authority.cert_pem.bytes(),
        failurePolicy=policy,
        namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": name}},
    )
    registration.register(api, name, hook)

    answer = api.create(shop(namespace=name), dry_run=True)

    registration.unregister(api, name)
    assert code == answer.code
    assert [] == names(answer.body if code == 201 else shop())
