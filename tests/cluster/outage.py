"""The replicas of an installed release: their processes, and being without them."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import needs
from tests.cluster.api import Api, Json
from tests.cluster.registration import until
from tests.cluster.release import Release

# Both of ours; `type` is admit for a mutating webhook.
NAME = "apiserver_admission_webhook_fail_open_count"
FAILED_OPEN = re.compile(
    NAME + r'\{name="[a-z]+\.initject\.dev",type="admit"\} (.+)$', re.MULTILINE
)


def failed_open(api: Api) -> int:
    """How many reviews of pods the API server has gone on without."""
    text = api.ask("GET", "/metrics").text
    assert "apiserver_request_total" in text
    return sum(int(float(number)) for number in FAILED_OPEN.findall(text))


def processes(release: Release, pod: Json) -> list[int]:
    """The processes of a replica, as this machine numbers them."""
    if release.node.cluster is None:
        needs.own_cluster()
    identity = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cgroup")
        if identity in read(path)
    ]


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def tell(release: Release, number: signal.Signals, *pods: Json) -> None:
    """Send a signal to the processes of replicas."""
    for pod in pods:
        found = processes(release, pod)
        assert found, pod["metadata"]["name"]
        for process in found:
            os.kill(process, number)


@contextmanager
def hanging(release: Release, *pods: Json) -> Iterator[None]:
    """These replicas keep their connections, and say nothing until the end."""
    tell(release, signal.SIGSTOP, *pods)
    try:
        yield
    finally:
        tell(release, signal.SIGCONT, *pods)
        release.settled()


@contextmanager
def none(release: Release) -> Iterator[None]:
    """No replica runs, until the end."""
    scale = f"kubectl -n {release.namespace} scale deployment/{release.name} --replicas="
    release.node.run(f"{scale}0")
    # Those that leave would go on answering for 15 s; here nobody may be hurt.
    release.node.run(
        f"kubectl -n {release.namespace} delete pods --grace-period=1 --ignore-not-found "
        f"--selector=app.kubernetes.io/name={release.name}"
    )
    try:
        yield
    finally:
        release.node.run(f"{scale}2")
        release.settled()
        release.caught_up()


def only(release: Release, count: int) -> list[Json]:
    """The replicas as soon as there are no others than so many that are to stay."""

    def left() -> bool:
        return count == len(release.pods())

    until(left, f"{count} replicas and no more", seconds=300)
    return release.pods()
