"""What pages of docs/ tell an operator to type works (install.md and emergency.md: elsewhere)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import needs
from tests.cluster import reader as readers
from tests.cluster.api import Json
from tests.cluster.reader import Reader, commands
from tests.house import pages, test_documents, tree
from webhook import testing

GROUP = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATION = f"{GROUP}/mutatingwebhookconfigurations/initject"
SECRETS = "/api/v1/namespaces/initject/secrets"
CERTIFICATES = needs.CACHE / "tools" / "definitions" / "cert-manager.io_certificates.yaml"
# What a test cannot do here: nothing runs, and nobody ends it.
NEEDS_NODE = ("rollout status", "make image", "--watch", "get pods -o yaml", " logs ", "8081")
# Files that are no objects of an API server, and our own kinds, which other tests look at.
FILES = ("apiserver.config.k8s.io/", "kustomize.config.k8s.io/", "initject.dev/")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with readers.of(tmp_path) as found:
        yield found


@pytest.fixture
def installed(reader: Reader) -> Reader:
    """Everything of the overlay `cluster-mode` is there as objects."""
    reader.run("kubectl apply --server-side -k deploy/kustomize/overlays/cluster-mode")
    reader.api.space("shop")
    return reader


def deployment(name: str, **labels: str) -> Json:
    pod = testing.pod(labels=labels)
    template = {"metadata": {"labels": labels}, "spec": pod["spec"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def objects(page: Path) -> Iterator[Json]:
    """All of an API server that a page shows whole."""
    for block in pages.blocks(page.read_text(encoding="utf-8")):
        for value in yaml.safe_load_all(block.text) if block.kind == "yaml" else ():
            if isinstance(value, dict) and {"apiVersion", "kind"} <= value.keys():
                items = value["items"] if value["kind"] == "List" else [value]
                yield from (one for one in items if is_object(one))


def is_object(value: Json) -> bool:
    return value["kind"] != "Config" and not value["apiVersion"].startswith(FILES)


def test_objects_that_are_shown_are_accepted(reader: Reader) -> None:
    """No field is misspelt, and the API server would make each of them."""
    definition = needs.file(CERTIFICATES, how="make cluster fetches it")
    reader.run(f"kubectl apply --server-side --filename {definition}")
    reader.run("kubectl wait --for=condition=Established crd --all")
    refused, seen = [], 0
    for page in test_documents.told():
        for value in objects(page):
            place(reader, value)
            answer = reader.api.create(value, dry_run=True)
            seen += 1
            if answer.code not in (201, 409):
                refused.append(f"{tree.short(page)}: {value['kind']}: {answer.message}")

    assert [] == refused
    assert seen >= 10


def place(reader: Reader, value: Json) -> None:
    """Make what an object refers to: its namespace, and an account of a pod."""
    version, metadata = value["apiVersion"], value["metadata"]
    known = reader.get(f"/apis/{version}" if "/" in version else f"/api/{version}")["resources"]
    if any(one["kind"] == value["kind"] and one["namespaced"] for one in known):
        space = metadata.setdefault("namespace", "default")
        reader.api.space(space)
        name = value.get("spec", {}).get("serviceAccountName", "default")
        account = {"name": name, "namespace": space}
        reader.api.ensure({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})


def test_a_namespace_opts_in_and_out_again(reader: Reader) -> None:
    """By one label; then the workloads that the page shows are made anew."""
    page = "docs/how-to/opt-in-and-out.md"
    reader.api.space("shop")
    label, again = commands(page)
    opting, leaving = label.splitlines()

    reader.run(opting)
    assert "enabled" == labels(reader, "shop")["initject.dev/inject"]
    reader.run(leaving)
    assert "initject.dev/inject" not in labels(reader, "shop")

    (shown,) = (one for one in objects(tree.CHECKOUT / page) if one["kind"] == "Deployment")
    reader.api.ensure(shown)
    reader.run(again)
    (web,) = reader.get("/apis/apps/v1/namespaces/shop/deployments")["items"]
    metadata = web["spec"]["template"]["metadata"]
    assert "kubectl.kubernetes.io/restartedAt" in metadata["annotations"]


def labels(reader: Reader, namespace: str) -> dict[str, str]:
    found: dict[str, str] = reader.get(f"/api/v1/namespaces/{namespace}")["metadata"]["labels"]
    return found


def test_a_policy_is_rolled_out_as_the_page_says(reader: Reader) -> None:
    """What it would do to the workloads of the cluster; a restart; a namespace that enforces."""
    reader.api.space("shop", {"initject.dev/inject": "enabled"})
    reader.api.space("cards")
    reader.api.ensure(deployment("web", app="shop"), deployment("other", app="other"))
    reader.run("mkdir policies && cp examples/01-minimal/policy.yaml policies/")
    page = "docs/how-to/roll-out-a-policy.md"
    offline, restart, enforce = commands(page, without=NEEDS_NODE)
    export = "kubectl get namespaces -o yaml > namespaces.yaml"
    assert f"`{export}`" in tree.text(page)

    said = reader.run(f"{export}\n{offline}")
    assert "Deployment shop/web: injected by wait-for-database\n" in said
    assert "shop/other" not in said

    reader.run(restart)
    web = reader.get("/apis/apps/v1/namespaces/shop/deployments/web")
    assert "kubectl.kubernetes.io/restartedAt" in str(web["spec"]["template"]["metadata"])
    reader.run(enforce)
    assert "true" == labels(reader, "cards")["initject.dev/enforce"]


def test_certificates_are_taken_out_brought_and_left_to_cert_manager(installed: Reader) -> None:
    """Each of the page's ways ends with what it says in the Secret or the configuration."""
    data = dict.fromkeys(("tls.crt", "tls.key", "ca.crt", "ca.key"), "eA==")
    secret = f"{SECRETS}/initject-certificates"
    metadata = {"name": "initject-certificates", "namespace": "initject"}
    value = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    installed.api.apply(value)
    _, renew, bring, leave = commands("docs/how-to/certificates.md")

    leaf, authority = renew.split("\nkubectl")
    installed.run(leaf)
    assert {"ca.crt", "ca.key"} == installed.get(secret)["data"].keys()
    installed.run(f"kubectl{authority}")
    assert {"ca.crt"} == installed.get(secret)["data"].keys()

    installed.run(f"initject certs --dir keys && cp keys/* .\n{bring}")
    assert {"tls.crt", "tls.key"} == installed.get(f"{SECRETS}/initject-tls")["data"].keys()
    assert bundle(installed.clone / "ca.crt") == trusted(installed)[0]

    installed.run(leave)
    for kind in ("mutating", "validating"):
        found = installed.get(f"{GROUP}/{kind}webhookconfigurations/initject")["metadata"]
        assert "initject/initject" == found["annotations"]["cert-manager.io/inject-ca-from"]


def bundle(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def trusted(reader: Reader) -> list[str]:
    return [
        hook["clientConfig"].get("caBundle", "") for hook in reader.get(CONFIGURATION)["webhooks"]
    ]


def test_a_pod_that_was_not_injected_is_looked_into(installed: Reader) -> None:
    """The commands print what the page reads from them."""
    api = installed.api
    owner = {**deployment("web", app="web"), "kind": "ReplicaSet"}
    owner["metadata"]["labels"] = {"app": "web"}
    pod = testing.pod("web-5d4f8c7b9b-x2x4z", namespace="shop", labels={"app": "web"})
    pod["metadata"]["annotations"] = {"initject.dev/skipped": "wait-for-database=conflict"}
    api.ensure(pod, owner, deployment("web", app="web"))
    uid = installed.get("/apis/apps/v1/namespaces/shop/replicasets/web")["metadata"]["uid"]
    about = {"kind": "ReplicaSet", "namespace": "shop", "name": "web", "uid": uid}
    api.ensure(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "refused", "namespace": "shop"},
            "involvedObject": {"apiVersion": "apps/v1", **about},
            "type": "Warning",
            "reason": "FailedCreate",
            "message": "failed calling webhook",
        }
    )
    installed.run("mkdir policies && cp examples/01-minimal/policy.yaml policies/")
    page = "docs/how-to/debug-why-not-injected.md"
    says, refused, explain, _, asked, _ = commands(page, without=NEEDS_NODE)

    assert "initject.dev/skipped: wait-for-database=conflict" in installed.run(says)
    assert "failed calling webhook" in installed.run(refused)
    assert "  wait-for-database: unmatched: match.podSelector" in installed.run(explain)
    shown = installed.run(asked)
    assert "kubernetes.io/metadata.name=shop" in shown
    assert "namespaceSelector:" in shown


def test_the_tutorial_goes_on_in_a_cluster(reader: Reader) -> None:
    """Its own policy and workload, with the manifests of deploy/ and a certificate of `certs`."""
    page = "docs/tutorial.md"
    home = reader.clone.parent / "tutorial"
    home.mkdir()
    for name in ("policy.yaml", "web.yaml"):
        (home / name).write_text(readers.written(page)[name])
    _, prepare, everything, workload, lesson = commands(page, without=NEEDS_NODE)

    reader.run(prepare)
    reader.run(everything)
    (config,) = (
        one["data"]
        for one in reader.get("/api/v1/namespaces/initject/configmaps")["items"]
        if "wait-for-database.yaml" in one["data"]
    )
    assert (home / "policy.yaml").read_text() == config["wait-for-database.yaml"]
    assert [bundle(reader.clone / ".local/webhook/ca.crt")] * 2 == trusted(reader)

    reader.run(workload)
    assert "enabled" == labels(reader, "shop")["initject.dev/inject"]
    assert reader.get("/apis/apps/v1/namespaces/shop/deployments")["items"]
    reader.run("kubectl apply --server-side -k deploy/crds")
    reader.run("kubectl wait --for=condition=Established crd --all")
    reader.run(lesson)
    assert reader.get("/apis/initject.dev/v1alpha1/clusterinitpolicies")["items"]


def test_the_chart_takes_policies_from_files(reader: Reader) -> None:
    """As the page on installing says it, with cert-manager's certificate."""
    definition = needs.file(CERTIFICATES, how="make cluster fetches it")
    for name in ("certificates", "issuers"):
        path = definition.with_name(f"cert-manager.io_{name}.yaml")
        reader.run(f"kubectl apply --server-side --filename {path}")
    reader.run("kubectl wait --for=condition=Established crd --all")
    page = "docs/how-to/install.md"
    policy = readers.written(page)["policy.yaml"]
    (reader.clone / "policy.yaml").write_text(policy)
    (install,) = (one for one in commands(page) if "--set-file" in one)

    reader.run(install)

    maps = reader.get("/api/v1/namespaces/initject/configmaps")["items"]
    assert policy in [one["data"].get("hello.yaml") for one in maps]
    path = "/apis/cert-manager.io/v1/namespaces/initject/certificates"
    assert reader.get(path)["items"]
