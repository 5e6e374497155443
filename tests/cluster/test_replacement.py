"""Replicas come and go while pods are created all the time: nobody notices."""

from __future__ import annotations

import sys
import time

from tests.cluster import outage
from tests.cluster.api import Api
from tests.cluster.load import INJECTED, MANY, Load
from tests.cluster.registration import until
from tests.cluster.release import Release


def test_a_rolling_restart_is_not_noticed(load: Load) -> None:
    """Every replica is replaced; no creation fails, no pod is left without its steps."""
    old = names(load.release)
    with load.constant("rolling restart", MANY):
        load.release.node.run("kubectl -n initject rollout restart deployment/initject")
        load.release.settled()
        now = names(load.release)

    assert set() == old & now


def test_each_replica_can_be_evicted(load: Load) -> None:
    """As `kubectl drain` does it, one after another: the disruption budget says when."""
    old = names(load.release)
    with load.constant("evictions"):
        for name in sorted(old):
            until(lambda name=name: evicted(load.api, name), f"{name} is evicted", seconds=300)
        load.release.settled()
        now = names(load.release)

    assert set() == old & now


def evicted(api: Api, name: str) -> bool:
    """Ask for an eviction; refused with 429 while too few others are ready."""
    path = f"/api/v1/namespaces/initject/pods/{name}"
    metadata = {"name": name, "namespace": "initject"}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    answer = api.ask("POST", f"{path}/eviction", eviction)
    assert answer.code in {201, 429}, answer.message
    return answer.code == 201


def names(release: Release) -> set[str]:
    """Of the replicas, when those that leave are gone."""
    return {one["metadata"]["name"] for one in outage.only(release, 2)}


def test_a_burst_of_pods_finds_an_answer_for_each(load: Load) -> None:
    """A thousand at once, over 32 connections: each is stored, with its steps."""
    before, began = outage.failed_open(load.api), time.monotonic()
    with load.storing(connections=32, most=32) as made:
        made.reach(1024)
        seconds = time.monotonic() - began

    slowest = max(made.seconds)
    sys.stdout.write(f"burst: 1,024 pods in {seconds:.1f} s, the slowest {slowest:.1f} s\n")
    assert {INJECTED: 1024} == made.outcomes
    assert before == outage.failed_open(load.api)
