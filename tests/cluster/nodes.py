"""A whole node for tests: our own, or a cluster that INITJECT_CLUSTER names.

node.run("kubectl get nodes")            a script, as a user of the cluster
node.api.create(pod)                     the API server, as its administrator
with node.space() as name: …             a namespace that is gone afterwards
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import needs
from tests.cluster import machine, plane
from tests.cluster import node as inner
from tests.cluster.api import Api, Json
from tests.cluster.network import Inside
from tests.cluster.parts import Parts
from tests.cluster.registration import until
from tests.house.tree import BIN

PROGRAMS = {
    "iptables": "iptables",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "runc": "runc",
}
OPTED_IN = {"initject.dev/inject": "enabled"}
# A run of its own in the names of namespaces: in a lasting cluster an older one may still be going.
RUN, COUNT = uuid.uuid4().hex[:5], itertools.count(1)


def needed() -> None:
    """Leave the test out where this machine cannot run a node."""
    plane.needed()
    for name, package in PROGRAMS.items():
        needs.program(name, how=f"apt-get install {package}")
    plugins = "apt-get install containernetworking-plugins"
    needs.file(Path("/usr/lib/cni/bridge"), how=plugins)
    needs.file(plane.BINARIES / "coredns", how="make cluster builds it")


@dataclass(frozen=True, slots=True)
class Node:
    """A cluster that runs pods. `cluster` is the folder of our own machine, None elsewhere.

    `home` is a folder in which its user stands.
    """

    home: Path
    kubeconfig: Path
    inside: Inside
    api: Api
    cluster: Path | None = None

    def command(self, *command: str) -> list[str]:
        """`command`, to be run where the cluster can be reached."""
        return machine.inside(self.cluster, *command) if self.cluster else list(command)

    def environment(self) -> dict[str, str]:
        """That of a user: our tools in the path, and the cluster's kubeconfig."""
        path = f"{BIN}:{needs.CACHE / 'tools'}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}

    def attempt(self, script: str, *, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        """What becomes of a script of the user, in bash."""
        return subprocess.run(
            self.command("bash", "-euo", "pipefail", "-c", script),
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def run(self, script: str, *, seconds: float = 180) -> str:
        """What a script of the user prints; it must not fail."""
        done = self.attempt(script, seconds=seconds)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def space(self, labels: Json | None = None) -> Iterator[str]:
        """A namespace with a name of its own, opted in unless `labels` say otherwise."""
        name = f"test-{RUN}-{next(COUNT)}"
        self.api.space(name, OPTED_IN if labels is None else labels)
        try:
            yield name
        finally:
            self.api.ask("DELETE", f"/api/v1/namespaces/{name}")

    def load(self, archive: Path) -> None:
        """Import a further image; a cluster that is not ours cannot be given any."""
        self._containerd("import", str(archive))

    def tag(self, image: str, name: str) -> None:
        """Give an image of the node a further name."""
        self._containerd("tag", "--force", image, name)

    def begin_again(self, namespace: str, pod: str) -> None:
        """Kill a pod's sandbox, as when a node starts anew: its init containers run once more."""
        labels = {"pod.namespace": namespace, "pod.name": pod}
        wanted = [f'labels."io.kubernetes.{key}"=={value}' for key, value in labels.items()]
        kind = 'labels."io.cri-containerd.kind"==sandbox'
        found = self._ctr("containers", "list", "--quiet", ",".join([*wanted, kind]))
        for sandbox in found.split():
            self._ctr("tasks", "kill", "--signal=SIGKILL", sandbox)

    def _containerd(self, *command: str) -> None:
        self._ctr("images", *command)

    def _ctr(self, *command: str) -> str:
        assert self.cluster is not None, "a node of our own"
        socket = self.cluster / "containerd" / "containerd.sock"
        done = inner.ctr(Parts(plane.BINARIES, self.cluster), socket, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def pod(self, namespace: str, name: str) -> Json:
        """A pod as it is now."""
        answer = self.api.ask("GET", f"/api/v1/namespaces/{namespace}/pods/{name}")
        assert answer.code == 200, answer.message
        return answer.body

    def pods(self, namespace: str) -> list[Json]:
        """All pods of a namespace as they are now."""
        found: list[Json] = self.api.ask("GET", f"/api/v1/namespaces/{namespace}/pods").body[
            "items"
        ]
        return found

    def log(self, namespace: str, pod: str, container: str) -> str:
        """What a container has printed."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}"
        answer = self.api.ask("GET", path)
        assert answer.code == 200, answer.message
        return answer.text

    def reach(
        self, namespace: str, name: str, condition: Callable[[Json], bool], *, seconds: float = 60
    ) -> Json:
        """The pod as soon as `condition` holds of it; what it was at the end is told."""
        last: list[Json] = []

        def holds() -> bool:
            last[:] = [self.pod(namespace, name)]
            return condition(last[0])

        try:
            until(holds, f"{namespace}/{name}", seconds=seconds)
        except AssertionError as error:
            message = f"{error}: {last[0]['status']}"
            raise AssertionError(message) from error
        return last[0]


def succeeded(pod: Json) -> bool:
    """Whether a pod has ended well."""
    return bool(pod["status"].get("phase") == "Succeeded")


def ready(pod: Json) -> bool:
    """Whether a pod is Ready."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


@contextmanager
def running(top: Path, archives: Sequence[Path], *api_flags: str) -> Iterator[Node]:
    """A node of our own below the folder `top`, with images imported from archives."""
    needed()
    folder = top / "cluster"
    images = [f"--image={archive}" for archive in archives]
    flags = [f"--api-flag={flag}" for flag in api_flags]
    process = machine.up(plane.BINARIES, folder, *images, *flags)
    inside = Inside(machine.first_process(folder))
    api = Api(inside, folder / "pki" / "ca.crt")
    try:
        yield Node(top, folder / "kubeconfig", inside, api, folder)
    finally:
        api.close()
        inside.close()
        machine.down(folder)
        process.wait()


@contextmanager
def existing(top: Path, kubeconfig: Path) -> Iterator[Node]:
    """A cluster that is there already, through `kubectl proxy`: any way to log in will do."""
    command = [str(BIN / "kubectl"), f"--kubeconfig={kubeconfig}", "proxy", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:\d+", told)
        assert found, f"kubectl proxy does not start with {kubeconfig}: {told}"
        inside = Inside(None)
        api = Api(inside, None, url=f"http://{found[0]}")
        try:
            yield Node(top, kubeconfig, inside, api)
        finally:
            api.close()
            inside.close()
            process.terminate()
