"""Replicas hang and crash: what docs/explanation/failure-policy.md says becomes of pods."""

from __future__ import annotations

import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.cluster import outage
from tests.cluster.load import BARE, INJECTED, Load

TIMEOUT = 5  # seconds, of the webhooks (`timeoutSeconds`)


def test_an_answer_that_takes_long_is_waited_for(load: Load) -> None:
    """Both replicas stand still for two seconds: the pod comes later, with its steps."""
    with ThreadPoolExecutor(1) as thread:
        with outage.hanging(load.release, *outage.only(load.release, 2)):
            asked = thread.submit(load.one, load.enforcing)
            time.sleep(2)
        made, waited = asked.result()

    assert INJECTED == made
    assert waited >= 2


def test_replicas_that_hang_cost_a_timeout_each_time(load: Load) -> None:
    """Then `Ignore` makes the pod without its steps, which is counted, and `Fail` refuses it."""
    before = outage.failed_open(load.api)
    with (
        outage.hanging(load.release, *outage.only(load.release, 2)),
        ThreadPoolExecutor(2) as threads,
    ):
        ignoring = threads.submit(load.one, load.ignoring)
        enforcing = threads.submit(load.one, load.enforcing)
        made, waited = ignoring.result()
        (code, message), refused_after = enforcing.result()
    load.recovered()

    assert BARE == made
    assert before + 1 == outage.failed_open(load.api)
    assert 500 == code
    assert 'failed calling webhook "enforce.initject.dev"' in message
    assert message.endswith("context deadline exceeded")
    assert waited >= TIMEOUT
    assert refused_after >= TIMEOUT


def test_one_replica_that_hangs_is_taken_out(load: Load) -> None:
    """Connections that are open to it cost a timeout once; then the other one has all to itself."""
    one, _ = outage.only(load.release, 2)
    with outage.hanging(load.release, one), load.disturbed() as (ignoring, enforcing):
        pass  # it still hangs when every pod is injected again

    assert ignoring[INJECTED] > 0
    assert enforcing[INJECTED] > 0


def test_crashes_are_over_in_seconds(load: Load) -> None:
    """Both are killed: pods come without steps or not at all, until they have started again."""
    pods = outage.only(load.release, 2)
    with load.disturbed() as (ignoring, enforcing):
        outage.tell(load.release, signal.SIGKILL, *pods)
        began = time.monotonic()
    took = time.monotonic() - began
    sys.stdout.write(f"both replicas killed: every pod is injected again after {took:.0f} s\n")
    load.release.settled()

    assert ignoring[BARE] > 0
    assert len(set(enforcing) - {INJECTED}) > 0
