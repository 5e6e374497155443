"""The status of policies, written by one of two replicas on a control plane of their own."""

from __future__ import annotations

import json
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest
import trustme

from tests.cluster import machine, registration, serving, test_source
from tests.cluster import plane as planes
from tests.cluster.api import Api, Json
from tests.cluster.network import Inside
from tests.cluster.serving import Served
from tests.cluster.test_source import CLUSTER, policy, replace
from tests.house.tree import BIN
from webhook import testing
from webhook.cluster import lease

LEASES = "/apis/coordination.k8s.io/v1/namespaces/initject/leases"
EVENTS = "/apis/events.k8s.io/v1/namespaces/{}/events"
AWAY = 120.0  # seconds: a control plane that is upgraded
PATIENCE = 60.0  # seconds that a busy machine may take for what usually takes one
LEASE = 15.0  # seconds after which who says nothing is gone
WRONG = {"conditions": [{"name": "typo", "expression": "objekt.spec"}]}


def until(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    """Return when it holds."""
    registration.until(condition, what, seconds=seconds)


@dataclass(slots=True)
class Plane:
    """A control plane with our CRDs and rights, and the replicas that run beside it."""

    own: planes.Plane
    folder: Path
    api: Api
    inside: Inside
    ca: trustme.CA
    running: dict[str, Served] = field(default_factory=dict)

    def launch(self, name: str, namespace: str = "initject") -> None:
        """Start a replica."""
        top = self.folder.parent / f"{name}-{time.monotonic_ns()}"
        top.mkdir()
        self.running[name] = serving.start(
            self.folder,
            top,
            self.ca,
            "--source=cluster",
            f"--kubeconfig={self.folder.parent / 'kubeconfig'}",
            f"--own-namespace={namespace}",
            f"--replica={name}",
        )

    def start(self, *names: str) -> None:
        """Start replicas of these names; returns when all are ready and have their Leases."""
        for name in names:
            self.launch(name)
        for name in names:
            served = self.running[name]
            until(partial(serving.is_ready, served), f"{name} is ready")
            until(lambda name=name: bool(self.lease(name)), f"{name} has a Lease")
        until(lambda: bool(self.leader()), "somebody leads")

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> Served:
        served = self.running.pop(name)
        served.process.send_signal(number)
        served.process.wait(20)
        return served

    def lease(self, name: str) -> Json:
        """The Lease of a replica, empty if there is none."""
        answer = self.api.ask("GET", f"{LEASES}/initject-{name}")
        return answer.body if answer.code == 200 else {}

    def replicas(self) -> set[str]:
        """Those that have a Lease."""
        items = self.api.ask("GET", LEASES).body["items"]
        return {one["metadata"]["name"] for one in items} - {"initject"}

    def leader(self) -> str:
        """Which running replica says that it leads."""
        for name in self.running:
            if self.metric(name, "initject_leader") == 1:
                return name
        return ""

    def follower(self) -> str:
        (name,) = self.running.keys() - {self.leader()}
        return name

    def health(self, replica: str, path: str) -> httpx.Response:
        return self.inside(httpx.get, f"{self.running[replica].health}{path}", trust_env=False)

    def metric(self, replica: str, name: str) -> float:
        text = self.health(replica, "/metrics").text
        return float(dict(line.rsplit(" ", 1) for line in text.splitlines()).get(name, -1))

    def kubectl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        config = f"--kubeconfig={self.folder / 'kubeconfig'}"
        command = machine.inside(self.folder, str(BIN / "kubectl"), config, *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def get(self, name: str) -> Json:
        return self.api.ask("GET", f"{CLUSTER}/{name}").body

    def ready(self, name: str, path: str = CLUSTER) -> tuple[str, str, int]:
        """Status and reason of Ready, and of which generation."""
        found = self.api.ask("GET", f"{path}/{name}").body
        for condition in found.get("status", {}).get("conditions", []):
            if condition["type"] == "Ready":
                generation = condition["observedGeneration"]
                return condition["status"], condition["reason"], generation
        return "", "", 0

    def steps(self, replica: str, app: str) -> list[str]:
        """The steps that one replica gives to a pod."""
        pod = testing.pod("web", namespace="shop", labels={"app": app})
        answer = self.inside(
            httpx.post,
            self.running[replica].url,
            json=testing.review(pod),
            verify=False,
            trust_env=False,
        )
        return [app] if "patch" in answer.json()["response"] else []

    def events(self, name: str, namespace: str = "default") -> list[tuple[str, str]]:
        """Reason and type of the Events about a policy, in order."""
        found = self.api.ask("GET", EVENTS.format(namespace)).body["items"]
        ours = [event for event in found if event["regarding"]["name"] == name]
        ours.sort(key=lambda event: event["eventTime"])
        return [(event["reason"], event["type"]) for event in ours]


@contextmanager
def running(top: Path, ca: trustme.CA) -> Iterator[Plane]:
    """A control plane with what a replica needs to be there; its replicas end with it."""
    with planes.running(top / "cluster") as own:
        own.api.space("shop")
        test_source.install(own.api)
        config = test_source.kubeconfig(own.api, own.folder)
        (top / "kubeconfig").write_text(json.dumps(config))
        plane = Plane(own, own.folder, own.api, own.inside, ca)
        try:
            yield plane
        finally:
            for served in plane.running.values():
                served.process.kill()
                served.process.wait()


@pytest.fixture(scope="module")
def control_plane(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    with running(tmp_path_factory.mktemp("status"), ca) as plane:
        yield plane


@dataclass(frozen=True, slots=True)
class Outage:
    """What was seen while the API server was away, and after its return."""

    away: float
    cpu: list[float]  # of each replica, in seconds
    steps: list[list[str]]  # what a review got from each, near the end
    ready: list[int]  # what /readyz said
    led: list[str]  # who led near the end
    forced: float  # seconds from the return until a new policy was in force everywhere
    told: float  # and until its status said so
    versions: list[str]  # of the policy that was there before: before and after
    replicas: set[str]  # those with a Lease, in the end


@pytest.fixture(scope="module", autouse=True)
def outage(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Outage]]:
    """Two minutes without an API server; the other tests of this module run meanwhile."""
    planes.needed()
    top = tmp_path_factory.mktemp("outage")
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(two_minutes, top, ca)


def two_minutes(top: Path, ca: trustme.CA) -> Outage:
    with running(top, ca) as plane:
        names = ["one", "two"]
        plane.start(*names)
        plane.api.ensure(policy("before", "before"))
        until(lambda: plane.ready("before")[0] == "True", "Ready")
        version = plane.get("before")["metadata"]["resourceVersion"]

        plane.own.kill_api_server()
        began = time.monotonic()
        used = [test_source.cpu(plane.running[name].process) for name in names]
        time.sleep(AWAY)
        cpu = [test_source.cpu(plane.running[name].process) for name in names]
        away = time.monotonic() - began
        steps = [plane.steps(name, "before") for name in names]
        ready = [plane.health(name, "/readyz").status_code for name in names]
        led = [name for name in names if plane.metric(name, "initject_leader") == 1]

        plane.own.start_api_server()
        began = time.monotonic()
        plane.api.ensure(policy("after", "after"))
        until(lambda: all(plane.steps(name, "after") for name in names), "in force")
        forced = time.monotonic() - began
        until(lambda: plane.ready("after")[0] == "True", "Ready")
        told = time.monotonic() - began
        after = plane.get("before")["metadata"]["resourceVersion"]
        gone = lease.body("initject-gone", "initject", "gone", 0.0)
        gone["metadata"]["namespace"] = "initject"
        plane.api.ensure(gone)
        until(lambda: "initject-gone" not in plane.replicas(), "what is left of a dead one is gone")
        return Outage(
            away=away,
            cpu=[end - start for start, end in zip(used, cpu, strict=True)],
            steps=steps,
            ready=ready,
            led=led,
            forced=forced,
            told=told,
            versions=[version, after],
            replicas=plane.replicas(),
        )


@pytest.fixture
def plane(control_plane: Plane) -> Iterator[Plane]:
    """Two replicas, and no policy of another test."""
    control_plane.start("one", "two")
    try:
        yield control_plane
    finally:
        for name in list(control_plane.running):
            control_plane.running[name].process.send_signal(signal.SIGCONT)
            control_plane.stop(name)
        assert 200 == control_plane.api.ask("DELETE", CLUSTER).code


def test_ready_means_that_every_replica_has_it(plane: Plane) -> None:
    """`kubectl wait` returns when both have it, a moment after the policy was applied."""
    took = []
    for number in range(5):
        name = f"fresh-{number}"
        began = time.perf_counter()
        plane.api.ensure(policy(name, name))
        until(lambda name=name: plane.ready(name)[0] == "True", f"{name} is Ready")
        took.append(time.perf_counter() - began)
        assert [[name], [name]] == [plane.steps(replica, name) for replica in ("one", "two")]

    sys.stdout.write(
        f"apply to Ready: {statistics.median(took) * 1000:.0f} ms, worst {max(took) * 1000:.0f}\n"
    )
    assert statistics.median(took) < 3  # a fifth of a second on a machine that does nothing else
    done = plane.kubectl("wait", "--for=condition=Ready", "cinitp", "--all", "--timeout=5s")
    assert 0 == done.returncode, done.stderr


def test_a_replica_that_hangs_is_waited_for_until_it_goes_on(plane: Plane) -> None:
    """Ready is Unknown and names it; when it has caught up, Ready is True at once."""
    slow = plane.follower()
    plane.running[slow].process.send_signal(signal.SIGSTOP)
    plane.api.ensure(policy("waiting", "waiting"))
    until(lambda: plane.ready("waiting") == ("Unknown", "ReplicasBehind", 1), "told who is behind")

    done = plane.kubectl("wait", "--for=condition=Ready", "cinitp/waiting", "--timeout=1s")
    (condition,) = plane.get("waiting")["status"]["conditions"]
    plane.running[slow].process.send_signal(signal.SIGCONT)

    assert (1, True) == (done.returncode, "timed out" in done.stderr)
    assert f"Not yet taken over by {slow}" == condition["message"]
    until(lambda: plane.ready("waiting")[0] == "True", "Ready")
    assert ["waiting"] == plane.steps(slow, "waiting")


def test_a_replica_that_was_killed_stops_counting(plane: Plane) -> None:
    """It holds up a new policy for the time of its Lease at most; the leader's death does so too,
    and somebody else leads within that time."""
    leader = plane.leader()
    plane.stop(leader, signal.SIGKILL)
    began = time.monotonic()
    plane.api.ensure(policy("orphaned", "orphaned"))

    until(lambda: bool(plane.leader()), "another one leads", seconds=4 * LEASE)
    led = time.monotonic() - began
    until(lambda: plane.ready("orphaned")[0] == "True", "Ready", seconds=4 * LEASE)
    sys.stdout.write(f"leader killed: another one after {led:.1f} s, Ready after ")
    sys.stdout.write(f"{time.monotonic() - began:.1f} s\n")


def test_a_leader_that_stops_lets_another_one_lead_at_once(plane: Plane) -> None:
    """A clean stop leaves no Lease behind, and nobody waits."""
    leader, other = plane.leader(), plane.follower()
    plane.stop(leader)
    began = time.monotonic()

    until(lambda: plane.leader() == other, "the other one leads")
    assert {} == plane.lease(leader)
    plane.api.ensure(policy("handed-over", "handed-over"))
    until(lambda: plane.ready("handed-over")[0] == "True", "Ready")
    sys.stdout.write(f"leader stopped: all done after {time.monotonic() - began:.1f} s\n")


def test_a_wrong_policy_says_so_and_disturbs_no_other(plane: Plane) -> None:
    """In its status with the field, in an Event and in a metric; and when it is mended as well."""
    out = 'initject_policies_out_of_force{kind="ClusterInitPolicy"}'
    plane.api.ensure(policy("wrong", "wrong", **WRONG), policy("right", "right"))

    until(lambda: plane.ready("wrong") == ("False", "Invalid", 1), "not Ready")
    until(lambda: plane.ready("right") == ("True", "InForce", 1), "the other one is Ready")
    status = plane.get("wrong")["status"]
    assert (1, 1) == (status["observedGeneration"], status["steps"])
    (problem,) = status["problems"]
    assert ("spec.conditions[0].expression", "error") == (problem["field"], problem["severity"])
    assert f"{problem['field']}: {problem['what']}" in status["conditions"][0]["message"]
    assert [1, 1] == [plane.metric(replica, out) for replica in ("one", "two")]
    until(lambda: plane.events("wrong") == [("OutOfForce", "Warning")], "an Event")
    described = plane.kubectl("describe", "cinitp", "wrong").stdout
    assert re.search(r"Warning +OutOfForce .*initject.*spec.conditions\[0\].expression", described)

    replace(plane.api, policy("wrong", "wrong"))
    until(lambda: plane.ready("wrong") == ("True", "InForce", 2), "Ready")
    assert "problems" not in plane.get("wrong")["status"]
    both = [("OutOfForce", "Warning"), ("BackInForce", "Normal")]
    until(lambda: plane.events("wrong") == both, "another Event")
    assert [] == plane.events("right")


def test_what_exceeds_a_bound_says_so_in_its_own_namespace(plane: Plane) -> None:
    """Of 65 InitPolicies of a namespace the last one is out of force, until there is room."""
    path = "/apis/initject.dev/v1alpha1/namespaces/shop/initpolicies"
    for number in range(65):
        name = f"p{number:02}"
        own = policy(name, name)
        own |= {"kind": "InitPolicy", "metadata": {"name": name, "namespace": "shop"}}
        plane.api.ensure(own)

    until(lambda: plane.ready("p64", path) == ("False", "LimitExceeded", 1), "out of force")
    until(lambda: plane.ready("p63", path) == ("True", "InForce", 1), "in force")
    until(lambda: plane.events("p64", "shop") == [("OutOfForce", "Warning")], "an Event")
    assert 200 == plane.api.ask("DELETE", f"{path}/p00").code
    until(lambda: plane.ready("p64", path) == ("True", "InForce", 1), "in force again")
    assert 200 == plane.api.ask("DELETE", path).code


def test_a_policy_that_forbids_opting_out_says_where_it_binds(plane: Plane) -> None:
    """Outside enforcing namespaces it is as Allow, which its status says."""
    forbid = {"optOut": "Forbid", "onConflict": "Reject", "onError": "Reject"}
    plane.api.ensure(policy("forbidding", "forbidding", **forbid))

    until(lambda: plane.ready("forbidding")[0] == "True", "Ready")
    status = plane.get("forbidding")["status"]
    assert (
        'in namespaces labelled initject.dev/enforce: "true"' in status["conditions"][0]["message"]
    )
    assert ["spec.match.podSelector"] == [problem["field"] for problem in status["problems"]]


def versions(plane: Plane) -> dict[str, str]:
    items = plane.api.ask("GET", CLUSTER).body["items"]
    return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in items}


def test_a_status_that_is_right_is_never_written(plane: Plane) -> None:
    """Not while nothing happens, not when other things change, not by replicas that start."""
    names = [f"lasting-{number}" for number in range(8)]
    plane.api.ensure(*(policy(name, name) for name in names))
    plane.api.ensure(policy("lasting-wrong", "x", **WRONG))
    for name in names:
        until(lambda name=name: plane.ready(name)[0] == "True", f"{name} is Ready")
    until(lambda: plane.ready("lasting-wrong")[0] == "False", "not Ready")
    before = versions(plane)

    for name in ("one", "two"):
        plane.stop(name)
    plane.start("three", "four")
    plane.api.ensure(policy("another", "another"))
    until(lambda: plane.ready("another")[0] == "True", "another is Ready")
    time.sleep(6)  # longer than a Lease goes without being renewed

    after = versions(plane)
    del after["another"]
    assert before == after
    writes = 'initject_status_writes_total{result="success"}'
    assert 1 == sum(max(0, plane.metric(name, writes)) for name in plane.running)


def test_a_first_start_writes_twenty_statuses_a_second(plane: Plane) -> None:
    """Two hundred policies take ten seconds, and one that is applied meanwhile need not wait."""
    for name in ("one", "two"):
        plane.stop(name)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: plane.api.ensure(policy(f"m{n:03}", f"m{n}")), range(200)))
    plane.start("three", "four")
    writes = 'initject_status_writes_total{result="success"}'
    leader = plane.leader()
    counts: list[tuple[float, float]] = []
    began = time.monotonic()
    urgent = 0.0
    while not counts or counts[-1][1] < 201:
        counts.append((time.monotonic() - began, plane.metric(leader, writes)))
        if not urgent and counts[-1][1] > 20:
            plane.api.ensure(policy("urgent", "urgent"))
            applied = time.monotonic()
            until(lambda: plane.ready("urgent")[0] == "True", "urgent is Ready")
            urgent = time.monotonic() - applied
        assert counts[-1][0] < 60, counts[-1]
        time.sleep(0.1)

    most = max(
        count - start for at, count in counts for begun, start in counts if begun <= at <= begun + 2
    )
    sys.stdout.write(f"200 statuses in {counts[-1][0]:.1f} s, {most / 2:.0f} a second at most; ")
    sys.stdout.write(f"one applied meanwhile Ready after {urgent:.1f} s\n")
    assert most <= 2 * 20 + 2
    assert urgent < 3


def test_two_minutes_without_the_api_server_change_nothing(outage: Future[Outage]) -> None:
    """Policies stay in force, nobody leads and hardly any CPU is used; then all is made up for in
    seconds, no status that was right is written again, and a Lease of the dead is deleted."""
    seen = outage.result(600)

    told = ", ".join(f"{cpu / seen.away:.2%}" for cpu in seen.cpu)
    sys.stdout.write(f"away {seen.away:.0f} s: {told} of a core; then in force after ")
    sys.stdout.write(f"{seen.forced:.1f} s, Ready after {seen.told:.1f} s\n")
    assert [["before"], ["before"]] == seen.steps
    assert [200, 200] == seen.ready
    assert [] == seen.led
    assert all(cpu < 0.05 * seen.away for cpu in seen.cpu)
    assert seen.forced < 8
    assert seen.told < 30
    assert seen.versions[0] == seen.versions[1]
    assert {"initject-one", "initject-two"} == seen.replicas


def test_without_the_rights_policies_are_in_force_all_the_same(plane: Plane) -> None:
    """No Lease, no status, a word in the log: nothing of it is in the way of a review."""
    for name in ("one", "two"):
        plane.stop(name)
    plane.launch("three", namespace="elsewhere")
    until(lambda: serving.is_ready(plane.running["three"]), "three is ready")
    plane.api.ensure(policy("unseen", "unseen"))

    until(lambda: plane.steps("three", "unseen") == ["unseen"], "in force")
    until(lambda: '"lease not renewed"' in plane.running["three"].printed(), "a word in the log")
    assert ("", "", 0) == plane.ready("unseen")
    assert 0 == plane.metric("three", "initject_leader")
