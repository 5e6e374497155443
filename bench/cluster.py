"""`python -m bench.cluster`: what injection costs on a real API server, whoever does it.

A control plane of tests/cluster (kube-apiserver and etcd) creates a pod of 4 KB in dry run, again
and again, while nobody injects, a MutatingAdmissionPolicy, the smallest ASGI application, and
Initject with 100 policies as objects of the cluster. README.md says how it is read.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import yaml

from bench import inputs
from bench.__main__ import Line
from certs import files
from certs.authority import Authority
from certs.bundle import Bundle
from tests.cluster import creating, machine, plane, release
from tests.cluster import registration as hooks
from tests.cluster.api import Api, Json
from tests.cluster.registration import until
from webhook import testing

SPACE = "shop"
LINES = (1, 16)  # connections of the load
NOBODY, POLICY, FLOOR, SAME, OURS = (
    "nobody",
    "MutatingAdmissionPolicy",
    "smallest ASGI application",
    "the same, with our patch",
    "Initject, 100 policies",
)
PORTS = {FLOOR: 9441, SAME: 9443, OURS: 9442}  # nobody else is in that network
STEPS = {NOBODY: 0, POLICY: 2, FLOOR: 2, SAME: 2, OURS: 2}


@dataclass(frozen=True)
class Run:
    """What a number of creations took: seconds, milliseconds at the median and the 99th of 100."""

    pods: int
    seconds: float
    median: float
    slow: float
    server: float  # seconds of CPU of kube-apiserver and etcd
    webhook: float

    @property
    def rate(self) -> float:
        """Pods a second."""
        return self.pods / self.seconds

    @property
    def cost(self) -> float:
        """Milliseconds of CPU for one pod, of all who take part but the load."""
        return (self.server + self.webhook) / self.pods * 1000


@dataclass(frozen=True)
class Stage:
    """A control plane, and who may inject."""

    plane: plane.Plane
    pod: Json
    ca: bytes
    folder: Path
    webhooks: Mapping[str, subprocess.Popen[bytes]]

    @property
    def api(self) -> Api:
        """Its API server."""
        return self.plane.api

    @contextmanager
    def injecting(self, who: str) -> Iterator[None]:
        """Pods are injected by `who`, and by nobody else."""
        if who == POLICY:
            self.api.ensure(*native())
        elif who in PORTS:
            url = f"https://127.0.0.1:{PORTS[who]}/mutate"
            self.api.ensure(configuration(hooks.webhook("bench.initject.dev", url, self.ca)))
        until(lambda: self.steps() == STEPS[who], f"{who} injects", seconds=60)
        yield
        for path in ADMISSION:
            self.api.ask("DELETE", f"{path}/bench")
        until(lambda: self.steps() == 0, f"{who} does not inject any more", seconds=60)

    def steps(self) -> int:
        """How many init containers a pod gets; -1 when it is refused."""
        answer = self.api.create(self.pod, dry_run=True)
        if answer.code != 201:
            return -1
        return len(answer.body["spec"].get("initContainers", []))

    def measure(self, who: str, lines: int, seconds: float) -> Run:
        """Create pods over so many connections."""
        ours = self.webhooks.get(who)
        used = [self.own_cpu, (lambda: cpu(ours.pid)) if ours else (lambda: 0.0)]
        before = [one() for one in used]
        load = wrk if shutil.which("wrk") else own
        pods, took, median, slow = load(self, lines, seconds)
        server, webhook = (one() - start for one, start in zip(used, before, strict=True))
        return Run(pods, took, median, slow, server, webhook)

    def own_cpu(self) -> float:
        """Seconds of CPU that kube-apiserver and etcd have used."""
        return sum(map(cpu, processes(self.plane.folder, "kube-apiserver", "etcd")))


REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
ADMISSION = tuple(
    f"{REGISTRATION}/{plural}"
    for plural in (
        "mutatingwebhookconfigurations",
        "mutatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
    )
)


def configuration(webhook: Json) -> Json:
    """A webhook alone, registered as ours is in deploy/: called again after others."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "bench"},
        "webhooks": [webhook],
    }


def native() -> list[Json]:
    """Two init containers by the API server itself, under the condition of our policy."""
    condition = (
        "object.spec.containers.exists(c, c.?env.orValue([]).exists(e, e.name == 'DB_HOST'))"
    )
    image = "registry.example.com/tools/wait:1.0"
    expression = f"""[
      JSONPatch{{op: "add", path: "/spec/initContainers", value: [
        Object.spec.initContainers{{name: "wait-for-database", image: "{image}",
          args: ["--host", string(object.metadata.labels.app), "--port", "5432"]}},
        Object.spec.initContainers{{name: "warm-up", image: "{image}", command: ["/bin/warm-up"]}}
      ]}}]"""
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "bench"}}
    policy = {
        **head,
        "kind": "MutatingAdmissionPolicy",
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ]
            },
            "matchConditions": [
                {"name": "first", "expression": "!has(object.spec.initContainers)"},
                {"name": "reads-the-database", "expression": condition},
            ],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
        },
    }
    binding = {**head, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": "bench"}}
    return [policy, binding]


def cpu(process: int) -> float:
    """Seconds of CPU of a process (clock_getcpuclockid(3))."""
    return time.clock_gettime(~process << 3 | 2)


def processes(folder: Path, *names: str) -> list[int]:
    """Those of a cluster with one of these names."""
    space = os.readlink(f"/proc/{machine.first_process(folder)}/ns/pid")
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (
                path.joinpath("comm").read_text().strip() in names
                and os.readlink(path / "ns" / "pid") == space
            ):
                found.append(int(path.name))
    return found


def wrk(stage: Stage, lines: int, seconds: float) -> tuple[int, float, float, float]:
    """By wrk: creations, seconds, milliseconds at the median and the 99th of 100."""
    head, _, body = creating.question(stage.api, stage.pod, stored=False).partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    (stage.folder / "body").write_bytes(body)
    script = stage.folder / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = io.open("{stage.folder}/body", "rb"):read("*a")\n'
        + "".join(
            f'wrk.headers["{name}"] = "{value}"\n'
            for name, value in (line.split(": ", 1) for line in headers)
            if name not in {"host", "content-length"}
        )
    )
    url = f"{stage.api.url}{first.split()[1]}"
    command = ["wrk", "-t1", f"-c{lines}", f"-d{seconds:.0f}s", "--latency", "-s", str(script), url]
    done = subprocess.run(
        machine.inside(stage.plane.folder, *command), text=True, capture_output=True, check=True
    )
    wrong = re.search(r"Non-2xx.*|Socket errors.*", done.stdout)
    if wrong:
        sys.exit(f"the load met errors: {wrong[0]}")
    told = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    assert told, done.stdout
    at = dict(re.findall(r"(50|99)%\s+(\S+)", done.stdout))
    return int(told[1]), float(told[2]), milliseconds(at["50"]), milliseconds(at["99"])


def milliseconds(text: str) -> float:
    """What wrk prints: `812.00us`, `1.25ms`, `1.03s`."""
    number, unit = re.findall(r"([\d.]+)(us|ms|s)", text)[0]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def own(stage: Stage, lines: int, seconds: float) -> tuple[int, float, float, float]:
    """For machines without wrk."""
    with creating.pods(stage.api, stage.pod, connections=lines) as made:
        time.sleep(seconds)
    if len(made.outcomes) > 1:
        sys.exit(f"the load met errors: {made.outcomes}")
    each = sorted(made.seconds)
    return made.count, seconds, each[len(each) // 2] * 1000, each[len(each) * 99 // 100] * 1000


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Everything runs: the control plane with 100 policies, and both webhooks."""
    now = datetime.now(UTC)
    bundle = Authority.create(now).issue(["127.0.0.1"], now, timedelta(days=1))
    with plane.running(folder / "cluster") as own_plane, contextlib.ExitStack() as stack:
        install(own_plane.api)
        webhooks = {
            FLOOR: start(folder, bundle, floor_command(folder, "two", FLOOR)),
            SAME: start(folder, bundle, floor_command(folder, "same", SAME)),
            OURS: start(folder, bundle, ours_command(folder)),
        }
        for process in webhooks.values():
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield Stage(own_plane, pod(), bundle.ca, folder, webhooks)


def install(api: Api) -> None:
    """Our CRDs, a namespace, and the policies of `python -m bench`, as objects."""
    crds = [one for one in release.rendered() if one["kind"] == "CustomResourceDefinition"]
    api.ensure(*crds)
    api.space(SPACE)
    path = "/apis/initject.dev/v1alpha1/clusterinitpolicies"
    until(lambda: api.ask("GET", path).code == 200, "the CRDs are served")
    api.ensure(*yaml.safe_load_all(inputs.applying() + inputs.others(99)))


def start(folder: Path, bundle: Bundle, command: list[str]) -> subprocess.Popen[bytes]:
    """A server in the cluster's network."""
    files.write(folder, bundle)
    return subprocess.Popen(machine.inside(folder / "cluster", *command))


def floor_command(folder: Path, name: str, who: str) -> list[str]:
    """The smallest ASGI application, which adds as many containers as we do."""
    decision = testing.admit(testing.policies(inputs.applying()), pod())
    (folder / "patch").write_bytes(msgspec.json.encode(decision.patch))
    command = [sys.executable, "-m", "bench.contenders", name, str(PORTS[who]), str(folder)]
    return ["env", f"BENCH_PATCH={folder / 'patch'}", *command]


def ours_command(folder: Path) -> list[str]:
    """`serve` as in cluster mode."""
    return [
        *(sys.executable, "-m", "webhook", "serve", f"--port={PORTS[OURS]}", "--health-port=0"),
        *("--source=cluster", f"--kubeconfig={folder / 'cluster' / 'kubeconfig'}"),
        *(f"--cert-dir={folder}", "--log-level=warning"),
    ]


def pod() -> Json:
    """The pod of `python -m bench`, as its controller sends it: before the server adds to it."""
    found: Json = json.loads(inputs.review(inputs.SMALL))["request"]["object"]
    spec = found["spec"]
    for name in ("serviceAccount", "serviceAccountName", "priority", "preemptionPolicy"):
        del spec[name]
    spec["volumes"] = [one for one in spec["volumes"] if "projected" not in one]
    for container in spec["containers"]:
        mounts = container["volumeMounts"]
        container["volumeMounts"] = [one for one in mounts if one["mountPath"] != inputs.TOKEN]
    found["metadata"]["namespace"] = SPACE
    del found["status"]
    return found


def compare(found: Stage, rounds: int, seconds: float) -> dict[tuple[str, int], list[Run]]:
    """All of them in every round, so that what else the machine does falls on each alike."""
    runs: dict[tuple[str, int], list[Run]] = {(who, n): [] for who in STEPS for n in LINES}
    for number in range(rounds):
        order = list(STEPS)[:: -1 if number % 2 else 1]
        for who in order:
            with found.injecting(who):
                for lines in LINES:
                    found.measure(who, lines, 1)
                    runs[who, lines].append(found.measure(who, lines, seconds))
    return runs


def show(runs: Mapping[tuple[str, int], list[Run]]) -> None:
    """The best round of each, as a table."""
    title = "".join(f"{f'pods/s, c={n}':>12}{'median':>9}{'p99':>9}" for n in LINES)
    print(f"{'who injects':28}{title}{'CPU, API server':>17}{'webhook':>9}")
    for who in STEPS:
        cells = ""
        for lines in LINES:
            best = max(runs[who, lines], key=lambda run: run.rate)
            cells += f"{best.rate:12.0f}{best.median:7.2f}ms{best.slow:7.1f}ms"
        least = min(runs[who, LINES[-1]], key=lambda run: run.cost)
        cells += f"{least.server / least.pods * 1000:15.2f}ms"
        cells += f"{least.webhook / least.pods * 1000:7.2f}ms"
        print(f"{who:28}{cells}")


def ratios(runs: Mapping[tuple[str, int], list[Run]]) -> Iterator[Line]:
    """Our pods a second to the floor's: of each round, of which the median counts."""
    for lines in LINES:
        pairs = zip(runs[OURS, lines], runs[FLOOR, lines], strict=True)
        ratio = statistics.median(ours.rate / floor.rate for ours, floor in pairs)
        what = f"pods per second, to the smallest ASGI application, c={lines}"
        yield Line(what, ratio, "times", 0.9, least=True)
    for other, which in ((FLOOR, "that one"), (SAME, "that one with our patch")):
        pairs = zip(runs[OURS, LINES[-1]], runs[other, LINES[-1]], strict=True)
        ratio = statistics.median(floor.cost / ours.cost for ours, floor in pairs)
        yield Line(f"pods per second of CPU, to {which}", ratio, "times", 0.9, least=True)


def main() -> int:
    """Measure, print, and give 1 when the demand is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of load, each time")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="initject-") as name:
        try:
            with stage(Path(name)) as found:
                runs = compare(found, options.rounds, options.seconds)
        except pytest.skip.Exception as missing:
            sys.exit(f"not measured: {missing}")
    show(runs)
    print()
    lines = list(ratios(runs))
    for line in lines:
        print(line)
    load = os.getloadavg()[0]
    print(f"\n{time.perf_counter() - began:.0f} s, {os.cpu_count()} cores, load average {load:.1f}")
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
