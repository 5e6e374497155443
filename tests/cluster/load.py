"""Pods created all the time for two namespaces, while something happens to the webhook.

`load` in conftest.py: one namespace goes on without the webhook (`Ignore`), the other demands it
(`Fail`); a policy with one step is in force for both.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import yaml

from tests.cluster import creating, outage, release
from tests.cluster.api import Api, Json
from tests.cluster.creating import Made, Outcome
from tests.cluster.registration import until
from webhook import testing

INJECTED, BARE = (201, "load"), (201, "")
REFUSED = re.compile('Internal error occurred: failed calling webhook "enforce.initject.dev": .+')
GATE = "initject.dev/held"  # no scheduler looks at a pod with a gate, no kubelet runs it
MANY, FEWER = 10_000, 3_000  # in dry run: half a minute of what an API server makes on 2 cores


@dataclass(frozen=True, slots=True)
class Load:
    """The release, and the two namespaces."""

    release: release.Release
    ignoring: str
    enforcing: str

    @property
    def api(self) -> Api:
        return self.release.node.api

    @contextmanager
    def constant(self, what: str, count: int = FEWER) -> Iterator[None]:
        """Pods are created until the end, and at least so many: each is made and injected.

        Some are stored, and looked at again. The API server has gone on without an answer for none.
        """
        before, began = outage.failed_open(self.api), time.monotonic()
        with self.streams() as streams, self.storing(connections=1, pause=0.05, most=500) as held:
            yield
            for stream in streams:
                stream.reach(count // 2)
        took = time.monotonic() - began
        every = [*streams, held]
        tell(what, took, every)
        assert [{INJECTED: one.count} for one in every] == [one.outcomes for one in every]
        assert before == outage.failed_open(self.api)

    @contextmanager
    def disturbed(self) -> Iterator[tuple[Counter[Outcome], Counter[Outcome]]]:
        """What becomes of the pods of both namespaces until each is injected again; after the end.

        Of the first, each is made, and the API server has counted those without steps.
        Of the second, each is injected or refused.
        """
        before = outage.failed_open(self.api)
        ignoring: Counter[Outcome] = Counter()
        enforcing: Counter[Outcome] = Counter()
        with self.streams() as streams:
            for stream in streams:
                stream.reach(20)
            yield ignoring, enforcing
            whole(streams)
        ignoring.update(streams[0].outcomes)
        enforcing.update(streams[1].outcomes)
        assert set() == set(ignoring) - {INJECTED, BARE}
        # A second call that fails is counted, too, though the first has injected.
        assert ignoring[BARE] <= outage.failed_open(self.api) - before
        refused = set(enforcing) - {INJECTED}
        assert refused == {one for one in refused if one[0] == 500 and REFUSED.match(one[1])}

    @contextmanager
    def streams(self) -> Iterator[list[Made]]:
        """Creations in dry run in both namespaces."""
        with ExitStack() as stack:
            yield [
                stack.enter_context(creating.pods(self.api, pod(space)))
                for space in (self.ignoring, self.enforcing)
            ]

    @contextmanager
    def storing(self, *, connections: int, most: int, pause: float = 0) -> Iterator[Made]:
        """Pods that stay in the first namespace, until the end: then they are looked at."""
        with creating.pods(
            self.api,
            pod(self.ignoring),
            connections=connections,
            stored=True,
            pause=pause,
            most=most,
        ) as made:
            yield made
        stored = [steps(one) for one in self.release.node.pods(self.ignoring)]
        self.api.ask("DELETE", f"/api/v1/namespaces/{self.ignoring}/pods")
        assert [["load"]] * made.count == stored

    def one(self, space: str, **labels: str) -> tuple[Outcome, float]:
        """What becomes of one pod, in dry run, and how long it takes."""
        with creating.pods(self.api, pod(space, **labels), connections=1, most=1) as made:
            made.reach(1)
        (answer,) = made.answers
        return answer

    def recovered(self) -> None:
        """Return when fifty pods in a row are injected in each namespace."""
        with self.streams() as streams:
            whole(streams)


def whole(streams: list[Made]) -> None:
    """Return when the last fifty pods of each have their steps."""
    before = [one.count for one in streams]

    def reached() -> bool:
        return all(
            one.count >= start + 50 and {INJECTED} == {what for what, _ in one.answers[-50:]}
            for one, start in zip(streams, before, strict=True)
        )

    until(reached, "each pod is injected again", seconds=300)


def pod(space: str, **labels: str) -> Json:
    """One that nobody runs."""
    found = testing.pod(namespace=space, schedulingGates=[{"name": GATE}])
    found["metadata"] = {"generateName": "load-", "namespace": space, "labels": labels}
    return found


def steps(found: Json) -> list[str]:
    return [one["name"] for one in found["spec"].get("initContainers", [])]


def tell(what: str, took: float, every: list[Made]) -> None:
    *dry, held = every
    made = sum(one.count for one in dry)
    slowest = max(max(one.seconds) for one in every)
    sys.stdout.write(
        f"{what}: {made:,} creations in dry run, {made / took:.0f} a second; {held.count} stored; "
        f"the slowest took {slowest * 1000:.0f} ms; {took:.0f} s\n"
    )


@contextmanager
def of(found: release.Release) -> Iterator[Load]:
    """The policy is in force for two namespaces until the end."""
    node = found.node
    with node.space() as ignoring, node.space({"initject.dev/enforce": "true"}) as enforcing:
        policy = release.policy("load", match={"namespaces": [ignoring, enforcing]})
        with found.policies(yaml.safe_dump(policy)):
            yield Load(found, ignoring, enforcing)
