"""Namespaces that enforce: our webhooks, the policy `answered`, and `initject emergency`."""

from __future__ import annotations

import base64
import copy
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
import yaml

from tests.cluster import machine, serving, test_manifests
from tests.cluster import plane as planes
from tests.cluster.api import Answer, Api, Json
from tests.cluster.registration import until
from tests.house.tree import BIN, CHECKOUT
from webhook import testing

ANSWERED = CHECKOUT / "deploy" / "kustomize" / "components" / "answered" / "policy.yaml"
GROUP = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATION = f"{GROUP}/mutatingwebhookconfigurations/initject"
BINDING = f"{GROUP}/validatingadmissionpolicybindings/initject"
ENFORCING, CONVENIENT = "payments", "shop"
LABELS = {
    ENFORCING: {"initject.dev/enforce": "true"},
    CONVENIENT: {"initject.dev/inject": "enabled"},
}
DEAD = "https://127.0.0.1:1/mutate"  # nobody listens there
POLICY = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: database}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps:
    - name: wait
      container:
        image: registry.example.com/tools/wait:1.4
        volumeMounts: [{name: settings, mountPath: /out}]
  volumes:
    - name: settings
      emptyDir: {}
      mountInto: [{containers: ["*"], mountPath: /etc/settings}]
"""


@dataclass(frozen=True, slots=True)
class Plane:
    """A control plane that one module alone uses, and a webhook that answers it."""

    folder: Path
    api: Api
    url: str
    bundle: bytes

    def emergency(self, what: str, *, kubeconfig: Path | None = None) -> tuple[int, str, str]:
        """Exit status and both streams of `initject emergency`, as an operator runs it."""
        file = f"--kubeconfig={kubeconfig or self.folder / 'kubeconfig'}"
        command = machine.inside(self.folder, str(BIN / "initject"), "emergency", what, file)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def install(self, url: str, **fields: object) -> None:
        """Both webhooks as deploy/ has them, at `url`, and the binding; returns when in force."""
        for path in (CONFIGURATION, BINDING):
            self.api.ask("DELETE", path)
        client = {"url": url, "caBundle": base64.b64encode(self.bundle).decode()}
        value = test_manifests.only("MutatingWebhookConfiguration")
        hooks = [{**hook, "clientConfig": client, **fields} for hook in value["webhooks"]]
        self.api.ensure({**value, "webhooks": hooks})
        self.bind()
        expected = 201 if url == self.url else 500
        until(lambda: self.created(ENFORCING).code == expected, "the webhooks are in force")
        if url == self.url:
            until(self.held, "the policy is in force")

    def held(self) -> bool:
        """Whether the API server holds to the policy: a pod that loses its marker is refused."""
        self.api.ensure(web("probe", ENFORCING))
        pod = self.api.ask("GET", f"/api/v1/namespaces/{ENFORCING}/pods/probe").body
        del pod["metadata"]["annotations"]["initject.dev/injected"]
        return self.update(pod, "?dryRun=All").code == 403

    def bind(self) -> None:
        """Create the binding of the policy."""
        self.api.ensure(*(v for v in answered() if v["kind"].endswith("Binding")))

    def created(self, namespace: str, name: str = "web", **more: object) -> Answer:
        """What the API server answers to a pod; nothing is stored."""
        return self.api.create(web(name, namespace, **more), dry_run=True)

    def steps(self) -> int | None:
        """How many a pod gets that is created now; None when it is refused."""
        answer = self.created(ENFORCING)
        return len(answer.body["spec"].get("initContainers", [])) if answer.code == 201 else None

    def stored(self, name: str, **more: object) -> Json:
        """A pod that is really there, in the namespace that enforces."""
        answer = self.api.create(web(name, ENFORCING, **more))
        assert (201, "") == (answer.code, answer.message)
        return answer.body

    def update(self, pod: Json, subresource: str = "") -> Answer:
        name = pod["metadata"]["name"]
        path = f"/api/v1/namespaces/{ENFORCING}/pods/{name}{subresource}"
        return self.api.ask("PUT", path, pod)

    def conditions(self) -> list[list[str]]:
        """Names of the matchConditions, of each webhook."""
        found = self.api.ask("GET", CONFIGURATION).body["webhooks"]
        return [[one["name"] for one in hook.get("matchConditions", [])] for hook in found]

    def bound(self) -> bool:
        return self.api.ask("GET", BINDING).code == 200


def answered() -> list[Json]:
    return list(yaml.safe_load_all(ANSWERED.read_text(encoding="utf-8")))


def web(name: str, namespace: str, *, app: str = "shop", **more: object) -> Json:
    pod: Json = testing.pod(name, namespace=namespace, labels={"app": app})
    pod["spec"].update(copy.deepcopy(more))
    return pod


@contextmanager
def running(ca: trustme.CA, top: Path) -> Iterator[Plane]:
    """A control plane with the policy `answered`, a namespace that enforces, and `serve`."""
    (top / "policies").mkdir()
    (top / "policies" / "database.yaml").write_text(POLICY)
    metadata = [{"name": name, "labels": labels} for name, labels in LABELS.items()]
    known = [{"apiVersion": "v1", "kind": "Namespace", "metadata": one} for one in metadata]
    (top / "policies" / "namespaces.yaml").write_text(yaml.safe_dump_all(known))
    with planes.running(top / "cluster") as own:
        for name, labels in LABELS.items():
            own.api.space(name, labels)
        own.api.ensure(*(v for v in answered() if not v["kind"].endswith("Binding")))
        with serving.serve(own.folder, top, ca) as served:
            yield Plane(own.folder, own.api, served.url, ca.cert_pem.bytes())
