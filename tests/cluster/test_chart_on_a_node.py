"""A whole node, on which docs/how-to/install.md is followed to the letter."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator

import pytest
import trustme

from tests import needs
from tests.cluster import registration, release
from tests.cluster.nodes import Node
from tests.house import pages
from tests.house.tree import CHECKOUT, text
from webhook import testing

DEFINITIONS = needs.CACHE / "tools" / "definitions"
PAGE = "docs/how-to/install.md"
# No image can be pulled here; these are on the node.
IMAGES = {"registry.example.com/tools/busybox:1.37": "localhost/busybox:1"}


def section(heading: str) -> str:
    """What stands under a heading of the page."""
    found = text(PAGE).partition(f"\n## {heading}\n")[2]
    return re.split(r"^## ", found, maxsplit=1, flags=re.MULTILINE)[0]


def follow(node: Node, heading: str) -> str:
    """Write the files and run the commands under a heading; what they print."""
    printed = ""
    for block in pages.blocks(section(heading)):
        content = block.text
        for image, here in IMAGES.items():
            content = content.replace(image, here)
        if block.name:
            (node.home / block.name).write_text(content)
        elif block.kind == "sh":
            printed += node.run(content)
    return printed


@pytest.fixture
def user(bare_node: Node) -> Iterator[Node]:
    """Somebody with this checkout before a cluster without Initject."""
    needs.tool("helm")
    node = bare_node
    shutil.copytree(CHECKOUT / "deploy", node.home / "deploy", dirs_exist_ok=True)
    registration.until(lambda: gone(node), "an earlier Initject is gone", seconds=120)
    yield node
    node.run("kubectl delete namespace shop initject must --ignore-not-found --wait=false")
    for path in (node.home / name for name in ("policy.yaml", "wrong.yaml", "shop.yaml")):
        path.unlink(missing_ok=True)


def gone(node: Node) -> bool:
    return {404} == {
        node.api.ask("GET", f"/api/v1/namespaces/{name}").code for name in ("initject", "shop")
    }


def written(node: Node) -> tuple[str, str]:
    """What Initject has written: its keys, and whom the API server trusts."""
    keys = node.run("kubectl -n initject get secret initject-certificates -o jsonpath='{.data}'")
    trusted = "jsonpath='{.webhooks[*].clientConfig.caBundle}'"
    return keys, node.run(f"kubectl get mutatingwebhookconfiguration initject -o {trusted}")


def test_the_page_on_installing_leads_from_nothing_to_the_end(user: Node) -> None:
    """Installed, injected, refused, upgraded, uninstalled: nothing but what the page says."""
    printed = follow(user, "Begin")

    assert "hello from Initject\n" in printed
    assert 2 == printed.count("1/1     Running")

    condition = "  conditions: [{name: many, expression: object.spec.containers.size()}]\n"
    (user.home / "wrong.yaml").write_text((user.home / "policy.yaml").read_text() + condition)
    refused = user.attempt("kubectl apply --filename wrong.yaml")
    assert 0 != refused.returncode
    assert "spec.conditions[0].expression: the result is a number" in refused.stderr

    before = written(user)
    assert all(before)
    follow(user, "Change and upgrade")
    assert before == written(user)
    assert 3 == len(user.pods("initject"))

    user.run(
        "kubectl create namespace must; kubectl label namespace must initject.dev/enforce=true"
    )
    running = user.pods("shop")
    follow(user, "Uninstall")
    registration.until(lambda: created(user), "a pod of an enforcing namespace is created")
    assert [] == [crd for crd in user.run("kubectl get crd -o name").split() if "initject" in crd]
    assert [pod["metadata"]["uid"] for pod in running] == [
        pod["metadata"]["uid"] for pod in user.pods("shop")
    ]


def created(node: Node) -> bool:
    """Whether the API server creates a pod where nobody answers any more."""
    answer = node.api.create(testing.pod("web", namespace="must"), dry_run=True)
    return answer.code == 201


def test_with_cert_manager_the_chart_needs_no_right_to_its_keys(user: Node, ca: trustme.CA) -> None:
    """The Certificate that the chart makes is all that cert-manager needs to bring Initject up."""
    for path in sorted(needs.file(DEFINITIONS, how="make cluster fetches it").iterdir()):
        if "cert-manager" in path.name:
            user.run(f"kubectl apply --server-side --filename={path}")
    user.run("kubectl wait --for=condition=Established crd/certificates.cert-manager.io")
    choice = "--set=certificates.source=cert-manager,replicas=1"
    user.run(f"helm install initject deploy/chart --namespace initject --create-namespace {choice}")

    stand_in(user, ca)

    user.run("kubectl -n initject rollout status deployment/initject --timeout=120s")
    with user.space() as name:
        policy = release.policy("managed")
        user.api.ensure(policy)
        registration.until(lambda: injected(user, name), "a pod is injected")
    user.run("helm uninstall initject --namespace initject")
    user.run("kubectl delete crd --selector app.kubernetes.io/part-of=initject")


def test_with_a_value_of_the_chart_a_pod_says_what_it_waits_for(user: Node) -> None:
    """From the first release on, though its definitions come with it; an upgrade changes it."""
    chart = "initject deploy/chart --namespace initject --wait --set=replicas=1"
    hosts = "--set=waitForAnnotation.enabled=true --set=waitForAnnotation.hosts"
    user.run(f"helm install {chart} --create-namespace {hosts}='{{db}}'")
    with user.space() as name:
        registration.until(lambda: waits(user, name, "tcp://db:5432"), "the pod waits")
        assert not waits(user, name, "tcp://db:5432, tcp://cache:6379")

        user.run(f"helm upgrade {chart} {hosts}='{{db,cache}}'")

        both = "tcp://db:5432, tcp://cache:6379"
        registration.until(lambda: waits(user, name, both), "the pod waits for both")
    user.run("helm uninstall initject --namespace initject --wait")
    assert "" == user.run("kubectl get clusterinitpolicies -o name")
    user.run("kubectl delete crd --selector app.kubernetes.io/part-of=initject")


def waits(node: Node, namespace: str, targets: str) -> bool:
    """Whether a pod that names these targets waits for them."""
    said = {"initject.dev/wait-for": targets}
    pod = testing.pod("web", namespace=namespace, annotations=said)
    answer = node.api.create(pod, dry_run=True)
    steps = answer.body["spec"].get("initContainers", [])
    return [f"--targets={targets}"] == [step["args"][-1] for step in steps]


def stand_in(node: Node, ca: trustme.CA) -> None:
    """What cert-manager does: issue what Certificates ask for, and register who signed it."""
    told = json.loads(node.run("kubectl -n initject get certificate initject-tls -o json"))["spec"]
    pair = ca.issue_cert(*told["dnsNames"])
    data = {
        "tls.key": pair.private_key_pem.bytes().decode(),
        "tls.crt": pair.cert_chain_pems[0].bytes().decode(),
        "ca.crt": ca.cert_pem.bytes().decode(),
    }
    metadata = {"name": told["secretName"], "namespace": "initject"}
    secret = {"kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata}
    node.api.ensure({"apiVersion": "v1", **secret, "stringData": data})
    bundle = base64.b64encode(ca.cert_pem.bytes()).decode()
    for kind in ("mutatingwebhookconfiguration", "validatingwebhookconfiguration"):
        found = json.loads(node.run(f"kubectl get {kind} initject -o json"))
        annotation = found["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
        assert "initject/initject-tls" == annotation
        patch = [
            {"op": "add", "path": f"/webhooks/{n}/clientConfig/caBundle", "value": bundle}
            for n, _ in enumerate(found["webhooks"])
        ]
        node.run(f"kubectl patch {kind} initject --type=json --patch='{json.dumps(patch)}'")


def injected(node: Node, namespace: str) -> bool:
    answer = node.api.create(testing.pod("web", namespace=namespace), dry_run=True)
    return "initContainers" in answer.body["spec"]
