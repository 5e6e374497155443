"""A whole node: deploy/README.md is followed to the letter, and injected pods run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.nodes import Node
from tests.house.tree import CHECKOUT

BLOCK = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: hello}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps:
    - name: say-hello
      container:
        image: localhost/busybox:1
        imagePullPolicy: Never
        command: [sh, -c, 'echo "hello from $(id -u)" > /out/hello']
        volumeMounts: [{name: hello, mountPath: /out}]
  volumes:
    - name: hello
      emptyDir: {sizeLimit: 1Mi}
      mountInto: [{containers: ["*"], mountPath: /hello, readOnly: true}]
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, namespace: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: app
          image: localhost/busybox:1
          imagePullPolicy: Never
          command: [sh, -c, "cat /hello/hello; sleep 3600"]
"""


def steps() -> list[str]:
    """The commands of deploy/README.md for file mode and for leaving, a block each."""
    text = (CHECKOUT / "deploy" / "README.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")}
    return BLOCK.findall(sections["File mode"] + sections["Leaving"])


@pytest.fixture(scope="module")
def deployed(bare_node: Node) -> Iterator[Node]:
    """The webhook, deployed by the steps of the README, with a policy of our own."""
    node = bare_node
    shutil.copytree(CHECKOUT / "deploy", node.home / "deploy")
    overlay = node.home / "deploy" / "kustomize" / "overlays" / "file-mode"
    (overlay / "policies" / "wait-for-database.yaml").write_text(POLICY)
    (node.home / "shop.yaml").write_text(DEPLOYMENT)
    certificate, everything, trust, opt_in, leave = steps()
    for script in (certificate, everything, trust, "kubectl create namespace shop", opt_in):
        node.run(script)
    yield node
    node.run(leave.replace("delete -k", "delete --wait=false -k"))  # a minute for the namespace
    node.run("kubectl delete namespace shop")


def test_the_readme_leads_to_two_pods_that_are_ready(deployed: Node) -> None:
    """Nothing but what deploy/README.md says was done."""
    shown = yaml.safe_load(deployed.run("kubectl -n initject get deployment initject -o yaml"))

    assert 2 == shown["status"]["readyReplicas"]


def test_an_injected_step_runs_before_the_application(deployed: Node) -> None:
    """The application reads what the step, as user 65532, has written into the shared volume."""
    deployed.run("kubectl apply -f shop.yaml; kubectl -n shop rollout status deployment/shop")

    said = deployed.run("kubectl -n shop logs deployment/shop --container app")

    assert "hello from 65532\n" == said


def test_while_all_our_pods_are_replaced_each_pod_is_injected(deployed: Node) -> None:
    """A rolling restart: the API server, which goes on without an answer, always gets one."""
    deployed.run("kubectl -n initject rollout restart deployment/initject")
    create = "kubectl create --dry-run=server -o yaml -f pod.yaml | grep -c 'name: say-hello'"
    pod = yaml.safe_load(DEPLOYMENT)["spec"]["template"]
    metadata = {**pod["metadata"], "generateName": "shop-", "namespace": "shop"}
    whole = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": metadata}
    (deployed.home / "pod.yaml").write_text(yaml.safe_dump(whole))

    counts = deployed.run(
        f"kubectl -n initject rollout status deployment/initject >rollout & "
        f"while kill -0 $! 2>/dev/null; do {create}; done; wait"
    )

    assert {"1"} == set(counts.split())
