"""Replicas of ours behind their Service, on a control plane alone, called as in a cluster.

Each has an address of its own. The API server goes from the Service to the addresses of its
EndpointSlice by itself (--enable-aggregator-routing), where a node's kube-proxy would.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.cluster import machine, plane, registration
from tests.cluster.api import Api, Json, collection
from tests.cluster.network import Inside
from tests.house.tree import BIN, CHECKOUT
from webhook import testing

ROUTING = "--enable-aggregator-routing=true"
ADDRESSES = ("198.18.0.11", "198.18.0.12")
PORT, HEALTH = 8443, 8081
SERVICE = "initject.initject.svc"
SECRET = "/api/v1/namespaces/initject/secrets/initject-certificates"
OWN = ("--source=cluster", "--certificate-secret=initject-certificates")
CONFIGURATIONS = (
    registration.PATH,
    registration.PATH.replace("mutating", "validating"),
)


def until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Return when `condition` holds; a busy machine takes its time."""
    registration.until(condition, what, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Replica:
    """One running `initject serve`."""

    address: str
    log: Path
    process: subprocess.Popen[bytes]
    inside: Inside

    def printed(self) -> str:
        return self.log.read_text()

    def ready(self) -> bool:
        assert self.process.poll() is None, self.printed()
        return "initject: ready on " in self.printed()

    def health(self, path: str) -> httpx.Response:
        return self.inside(httpx.get, f"http://{self.address}:{HEALTH}{path}", trust_env=False)

    def counted(self, metric: str) -> float:
        """The sum of all series of a metric."""
        lines = self.health("/metrics").text.splitlines()
        found = [x.rsplit(" ", 1) for x in lines if x.startswith((f"{metric} ", f"{metric}{{"))]
        return sum(float(value) for _, value in found)

    def leaf(self, trusted: bytes = b"") -> bytes:
        """The certificate (DER) that a new connection gets; with `trusted`, verified by it."""
        return self.inside(handshake, self.address, trusted)

    def logged(self, message: str) -> list[Json]:
        lines = [json.loads(x) for x in self.printed().splitlines() if x[:1] == "{"]
        return [line for line in lines if line["message"] == message]


def handshake(address: str, trusted: bytes) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if trusted:
        context.load_verify_locations(cadata=trusted.decode())
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, PORT), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=SERVICE) as secure,
    ):
        found = secure.getpeercert(binary_form=True)
    assert found is not None
    return found


@dataclass(frozen=True, slots=True)
class Site:
    """A control plane on which our manifests are applied, but for the Deployment."""

    plane: plane.Plane
    home: Path

    @property
    def api(self) -> Api:
        return self.plane.api

    @property
    def kubeconfig(self) -> Path:
        """That of our own service account."""
        return self.home / "kubeconfig"

    @contextmanager
    def serving(self, *flags: str, addresses: Sequence[str] = ADDRESSES) -> Iterator[list[Replica]]:
        """Replicas that start at once; `flags` are those of `serve`."""
        replicas = [self.start(address, *flags) for address in addresses]
        try:
            yield replicas
        finally:
            for one in replicas:
                one.process.send_signal(signal.SIGTERM)
            for one in replicas:
                one.process.wait(30)
        assert [0] * len(replicas) == [one.process.returncode for one in replicas]

    def start(self, address: str, *flags: str) -> Replica:
        log = self.home / f"{address}.log"
        command = [
            *(sys.executable, "-m", "webhook", "serve", f"--host={address}", f"--port={PORT}"),
            *(f"--health-port={HEALTH}", "--drain-seconds=0.1", "--log-format=json", *flags),
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                machine.inside(self.plane.folder, *command),
                cwd=CHECKOUT,
                stdout=out,
                stderr=out,
                env={**os.environ, "INITJECT_NAMESPACE": "initject"},
            )
        return Replica(address, log, process, self.plane.inside)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """What kubectl prints, run by the administrator."""
        done = subprocess.run(
            machine.inside(self.plane.folder, str(BIN / "kubectl"), *arguments),
            input=text,
            env={**os.environ, "KUBECONFIG": str(self.plane.folder / "kubeconfig")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def secret(self) -> dict[str, str]:
        """The data of our Secret, as base64."""
        found: dict[str, str] = self.api.ask("GET", SECRET).body.get("data") or {}
        return found

    def fill(self, **parts: str | None) -> None:
        """Write into our Secret; `_` stands for `.` in names, None takes one out."""
        data = {name.replace("_", "."): value for name, value in parts.items()}
        self.kubectl(
            *("-n", "initject", "patch", "secret", "initject-certificates", "--type=merge"),
            f"--patch={json.dumps({'data': data})}",
        )

    def empty(self) -> None:
        """As the manifests leave it: an empty Secret and no caBundle."""
        self.fill(**dict.fromkeys(self.secret()))
        for path in CONFIGURATIONS:
            self.trust(path, None)

    def bundles(self) -> list[str]:
        """The caBundle of each webhook, as base64."""
        found = [self.api.ask("GET", f"{path}/initject").body for path in CONFIGURATIONS]
        return [
            hook["clientConfig"].get("caBundle", "") for one in found for hook in one["webhooks"]
        ]

    def trust(self, path: str, bundle: str | None) -> None:
        """Set caBundle in a configuration, as a GitOps tool might."""
        while True:
            found = self.api.ask("GET", f"{path}/initject").body
            for hook in found["webhooks"]:
                hook["clientConfig"]["caBundle"] = bundle
            answer = self.api.ask("PUT", f"{path}/initject", found)
            if answer.code != 409:
                assert answer.code == 200, answer.message
                return

    def healed(self) -> bool:
        """Whether each webhook trusts exactly what the Secret says."""
        wanted = self.secret().get("ca.crt")
        return bool(wanted) and all(one == wanted for one in self.bundles())

    def create(self) -> str:
        """Create a pod where it must not be created without us; empty, or what went wrong."""
        pod = testing.pod("web", namespace="enforcing", labels={"app": "web"})
        answer = self.api.create(pod, dry_run=True)
        if answer.code != 201:
            return answer.message
        return "" if answer.body["spec"].get("initContainers") else "not injected"


@contextmanager
def site(home: Path, values: Sequence[Json]) -> Iterator[Site]:
    """These manifests on a control plane of its own, with a policy for all pods."""
    with plane.running(home / "cluster", ROUTING) as found:
        one = Site(found, home)
        for address in ADDRESSES:
            command = f"ip addr add {address}/32 dev lo"
            subprocess.run(machine.inside(found.folder, *command.split()), check=True)
        found.api.ensure(*(value for value in values if value["kind"] != "Deployment"))
        found.api.ensure(slices())
        found.api.space("enforcing", {"initject.dev/enforce": "true"})
        if any(value["kind"] == "CustomResourceDefinition" for value in values):
            until(lambda: found.api.ask("GET", collection(POLICY)).code == 200, "our CRDs")
            found.api.ensure(POLICY)
        one.kubeconfig.write_text(json.dumps(kubeconfig(found)))
        yield one


def kubeconfig(found: plane.Plane) -> Json:
    """The administrator's, but for the identity: our service account, with its rights alone."""
    path = "/api/v1/namespaces/initject/serviceaccounts/initject/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = found.api.ask("POST", path, request)
    assert answer.code == 201, answer.message
    config: Json = json.loads((found.folder / "kubeconfig").read_text())
    config["users"][0]["user"] = {"token": answer.body["status"]["token"]}
    return config


def slices() -> Json:
    """Both replicas behind our Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "initject-1",
            "namespace": "initject",
            "labels": {"kubernetes.io/service-name": "initject"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "webhook", "port": PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in ADDRESSES],
    }


POLICY: Json = {
    "apiVersion": "initject.dev/v1alpha1",
    "kind": "ClusterInitPolicy",
    "metadata": {"name": "all"},
    "spec": {
        "steps": [
            {
                "name": "step",
                "container": {"image": "registry.example.com/tools/step:1.0", "command": ["step"]},
            }
        ]
    },
}


@contextmanager
def serving(one: Site, *flags: str) -> Iterator[list[Replica]]:
    """Two ready replicas with the rights of the manifests."""
    with one.serving(*OWN, f"--kubeconfig={one.kubeconfig}", *flags) as found:
        for replica in found:
            until(replica.ready, f"{replica.address} is ready")
        yield found


def same(found: Sequence[Replica], one: Site) -> bool:
    """Whether every replica serves the leaf of the Secret."""
    stored = base64.b64decode(one.secret().get("tls.crt", "")).decode()
    return all(ssl.DER_cert_to_PEM_cert(x.leaf()).split() == stored.split() for x in found)


@dataclass
class Load:
    """Pods that are created, and new connections that verify, all the time; what went wrong."""

    site: Site
    created: int = 0
    handshakes: int = 0
    faults: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def create(self) -> None:
        inside = Inside(machine.first_process(self.site.plane.folder))
        api = Api(inside, self.site.plane.folder / "pki" / "ca.crt")
        pod = testing.pod("web", namespace="enforcing", labels={"app": "web"})
        while not self.over.is_set():
            answer = api.create(pod, dry_run=True)
            if answer.code != 201 or not answer.body["spec"].get("initContainers"):
                self.faults.append(answer.message or "not injected")
            self.created += 1
        api.close()
        inside.close()

    def verify(self) -> None:
        """Whoever is registered as trusted has signed what each replica serves now."""
        inside = Inside(machine.first_process(self.site.plane.folder))
        api = Api(inside, self.site.plane.folder / "pki" / "ca.crt")
        while not self.over.is_set():
            found = api.ask("GET", f"{CONFIGURATIONS[0]}/initject").body["webhooks"]
            for hook in found:
                trusted = base64.b64decode(hook["clientConfig"].get("caBundle", ""))
                for address in ADDRESSES:
                    try:
                        inside(handshake, address, trusted)
                    except OSError as error:
                        self.faults.append(f"{address}: {error}")
                    self.handshakes += 1
        api.close()
        inside.close()


@contextmanager
def load(one: Site) -> Iterator[Load]:
    """Load until the end of the block."""
    found = Load(one)
    threads = [threading.Thread(target=x) for x in (found.create, found.create, found.verify)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        found.over.set()
        for thread in threads:
            thread.join()
