"""`serve --source cluster` behind a line that is slow, dies in silence, or is cut (`relay`)."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from tests.cluster import keys, relay, serving, test_source
from tests.cluster import plane as planes
from tests.cluster.registration import until
from tests.cluster.test_source import CLUSTER, Plane, cpu, policy, review
from webhook.cluster import api, reflector

FIRST = 520  # policies: two pages
COLLECTIONS = ("clusterinitpolicies", "initpolicies", "namespaces")
REQUESTS = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)
SLACK = 5.0  # seconds that a busy machine may take for what takes none


@dataclass(frozen=True, slots=True)
class Far:
    """A webhook, the control plane that it watches, and the line between them."""

    plane: Plane
    line: relay.Line
    flags: tuple[str, ...]

    def in_force(self, name: str) -> bool:
        return review(self.plane, name) == [name]

    def soon_in_force(self, name: str, seconds: float = SLACK) -> float:
        """How long it takes."""
        began = time.monotonic()
        until(lambda: self.in_force(name), f"{name} is in force", seconds=seconds)
        return time.monotonic() - began

    def count(self) -> int:
        """How many policies there are."""
        return len(self.plane.api.ask("GET", CLUSTER).body["items"])

    def apply(self, name: str, **metadata: object) -> None:
        value = policy(name, name)
        value["metadata"] |= metadata
        self.plane.api.ensure(value)

    def ages(self) -> list[float]:
        """How long ago each collection was heard, by /metrics."""
        name = 'initject_source_heard_timestamp_seconds{source="%s"}'
        return [time.time() - self.plane.metric(name % source) for source in COLLECTIONS]

    def told(self) -> list[float]:
        """The same by /readyz."""
        answer = self.plane.health("/readyz")
        assert answer.status_code == 200
        ok, *lines = answer.text.splitlines()
        found = [re.fullmatch(r"(\w+) heard (\d+) s ago", line) for line in lines]
        heard = {match[1]: float(match[2]) for match in found if match}
        assert (ok, len(lines), {*COLLECTIONS}) == ("ok", len(heard), heard.keys())
        return [heard[source] for source in COLLECTIONS]

    def errors(self) -> float:
        name = 'initject_source_errors_total{source="%s"}'
        return sum(self.plane.metric(name % source) for source in COLLECTIONS)

    def requests(self) -> int:
        """How often the API server was asked for one of our collections, or to watch it."""
        series = REQUESTS.findall(self.plane.api.ask("GET", "/metrics").text)
        assert series
        return sum(
            int(count)
            for labels, count in series
            if re.search(r'verb="(LIST|WATCH)"', labels)
            and any(f'resource="{source}"' in labels for source in COLLECTIONS)
        )


@pytest.fixture(scope="module")
def far(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """A control plane of its own with some policies, and a webhook behind a line that is good."""
    top = tmp_path_factory.mktemp("far")
    with planes.running(top / "cluster") as own, relay.to(own.inside, keys.PORT) as line:
        own.api.space(test_source.NAMESPACE)
        test_source.install(own.api)
        with ThreadPoolExecutor(4) as threads:
            names = (f"first-{number}" for number in range(FIRST))
            list(threads.map(lambda name: own.api.ensure(policy(name, name)), names))
        config = test_source.kubeconfig(own.api, own.folder)
        # The certificate is that of the API server, to whom all bytes go.
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{line.port}"
        (top / "kubeconfig").write_text(json.dumps(config))
        flags = ("--source=cluster", f"--kubeconfig={top / 'kubeconfig'}")
        with serving.serve(own.folder, top, ca, *flags) as served:
            plane = Plane(own, own.folder, own.api, own.inside, served)
            yield Far(plane, line, flags)


@pytest.fixture
def line(far: Far) -> Iterator[relay.Line]:
    """The line; afterwards it is good again, and has been for long enough to be heard."""
    yield far.line
    far.line.rate = far.line.latency = 0.0
    far.line.resume()
    until(lambda: max(far.ages()) < reflector.WATCH_SECONDS[1], "all is heard", seconds=60)


def test_over_a_slow_line_all_pages_arrive_and_changes_follow(
    far: Far, line: relay.Line, ca: trustme.CA, tmp_path: Path
) -> None:
    """With half a second each way and 8 KB/s, it takes its time, and is as good as ever."""
    line.rate, line.latency = 8192, 0.5
    began = time.monotonic()
    with serving.serve(far.plane.folder, tmp_path, ca, *far.flags) as served:
        ready = time.monotonic() - began
        slow = replace(far, plane=replace(far.plane, served=served))
        assert f"({far.count()} policies" in served.printed()
        assert slow.in_force(f"first-{FIRST - 1}")
        slow.apply("over-a-slow-line")
        change = slow.soon_in_force("over-a-slow-line", 10 + SLACK)
        errors = slow.errors()

    sys.stdout.write(f"{FIRST} policies over 8 KB/s: {ready:.1f} s; a change: {change:.1f} s\n")
    assert errors == 0
    assert change > 0.5


def test_while_the_line_is_silent_policies_stay_and_their_age_is_told(
    far: Far, line: relay.Line
) -> None:
    """Nobody is told that it is dead: the process idles; what was held up arrives in the end."""
    seconds = 6.0
    far.apply("before-the-silence")
    far.soon_in_force("before-the-silence")

    line.stall()
    before, began = cpu(far.plane.served.process), time.monotonic()
    far.apply("in-the-silence")
    time.sleep(seconds)
    used, silent = cpu(far.plane.served.process) - before, time.monotonic() - began
    assert far.in_force("before-the-silence")
    assert not far.in_force("in-the-silence")
    # One may have been told of something just before it, none since.
    assert min(far.ages()) > silent - 1
    assert min(far.told()) > silent - 1

    line.resume()
    back = far.soon_in_force("in-the-silence")
    sys.stdout.write(f"silent: {used / silent:.2%} of a core; back in {back:.1f} s\n")
    assert used < 0.05 * silent
    until(lambda: min(far.ages()) < 3, "something is heard")
    assert min(far.told()) < 3


def test_a_connection_that_stays_dead_is_given_up(far: Far, line: relay.Line) -> None:
    """Who builds a new one is answered: that is done a grace after a watch should have ended."""
    bound = reflector.WATCH_SECONDS[1] + api.GRACE
    errors = far.errors()

    line.stall()
    line.renew()
    far.apply("after-a-death")
    found = far.soon_in_force("after-a-death", bound + SLACK)

    sys.stdout.write(f"a dead connection given up after {found:.1f} s\n")
    assert found > 1
    assert far.errors() > errors


def attempts(seconds: float, every: float) -> int:
    """How often one collection can be asked for in a time at most, by the shortest pauses.

    What is asked for lasts until the line is cut again.
    """
    count, passed, pause = 0, 0.0, reflector.FIRST_PAUSE
    while passed < seconds:
        count += 1
        passed = (passed + pause / 2) // every * every + every
        pause = min(2 * pause, reflector.LAST_PAUSE)
    return count


@pytest.mark.parametrize(("seconds", "every"), [(10, 1.0), (4, 0.02)], ids=["second", "moment"])
def test_a_line_that_is_cut_all_the_time_makes_no_busy_loop(
    far: Far, line: relay.Line, seconds: float, every: float
) -> None:
    """Pauses grow as after any failure; what is known stays in force all the time."""
    name = f"before-cuts-at-every-{every * 1000:.0f}-ms"
    far.apply(name)
    far.soon_in_force(name)
    time.sleep(reflector.STEADY)  # whatever was before, pauses begin anew
    accepted, requests, before = line.accepted, far.requests(), cpu(far.plane.served.process)

    cut, began = 0, time.monotonic()
    for number in range(round(seconds / every)):
        cut += line.cut()
        if number % round(1 / every) == 0:
            assert far.in_force(name)
        time.sleep(max(0.0, began + (number + 1) * every - time.monotonic()))
    connections, used = line.accepted - accepted, cpu(far.plane.served.process) - before
    asked = far.requests() - requests

    far.apply(f"{name}-and-after")
    wanted = reflector.LAST_PAUSE + SLACK
    back = far.soon_in_force(f"{name}-and-after", wanted)
    most = len(COLLECTIONS) * attempts(seconds, every)
    sys.stdout.write(
        f"{cut} cuts, each {every} s for {seconds} s: {connections} connections of at most {most}, "
        f"{asked} requests, {used / seconds:.1%} of a core; back in {back:.1f} s\n"
    )
    # The client asks once more by itself where a connection ends before an answer begins; those
    # that were open before are counted when they end.
    again = most if every < 1 else 2 * len(COLLECTIONS)
    assert len(COLLECTIONS) < connections <= most + again
    assert asked <= most + again + len(COLLECTIONS)
    assert used < 0.1 * seconds


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "ended"])
def test_what_is_cut_in_its_middle_is_told_again(
    far: Far, line: relay.Line, ca: trustme.CA, tmp_path: Path, *, reset: bool
) -> None:
    """Half an event is no event, and half a page no page, however the connection ends."""
    name = f"cut-{'reset' if reset else 'ended'}"
    errors = far.errors()
    line.cut_after(10_000, reset=reset)
    far.apply(name, annotations={"example.com/long": "x" * 20_000})
    far.soon_in_force(name, reflector.LAST_PAUSE + SLACK)
    assert far.errors() == errors + 1

    line.cut_after(20_000, reset=reset)  # three handshakes, and some of a page of 29 KB
    with serving.serve(far.plane.folder, tmp_path, ca, *far.flags) as served:
        lines = [json.loads(x) for x in served.printed().splitlines() if x[0] == "{"]
        assert f"({far.count()} policies" in served.printed()
    assert ["source not read; what is known stays"] == [
        x["message"] for x in lines if x["level"] == "warning"
    ]
