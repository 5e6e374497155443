"""Many namespaces, many policies, many pods: what a replica of cluster mode holds, and how soon."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import trustme

from tests.cluster import creating, load, plane, registration, serving, test_source
from tests.cluster.api import Api, Json
from tests.cluster.test_source import resident

NAMESPACES, POLICIES = 5_000, 1_000
MOST = 140  # MB: what is demanded of one replica
PODS = 3_000  # after as many more, memory is what it was
GROWTH = 3  # MB: what an allocator may keep of one burst; a byte a pod kept would not be seen


@dataclass(frozen=True, slots=True)
class Large:
    """A large cluster's objects on a control plane of its own, and one replica."""

    api: Api
    served: serving.Served
    seconds: float

    def steps(self, app: str, namespace: str) -> creating.Outcome:
        with creating.pods(self.api, load.pod(namespace, app=app), connections=1, most=1) as made:
            made.reach(1)
        return made.answers[0][0]


@pytest.fixture(scope="module")
def large(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    """Everything is there before the replica starts."""
    top = tmp_path_factory.mktemp("scale")
    with plane.running(top / "cluster") as own:
        test_source.install(own.api)
        own.api.space("shop")
        began = time.monotonic()
        fill(own.api, [namespace(number) for number in range(NAMESPACES)])
        fill(own.api, [policy(number) for number in range(POLICIES)])
        sys.stdout.write(f"a large cluster is made in {time.monotonic() - began:.0f} s\n")
        config = top / "kubeconfig"
        config.write_text(json.dumps(test_source.kubeconfig(own.api, own.folder)))
        flags = ("--source=cluster", f"--kubeconfig={config}", "--log-level=warning")
        flags += ("--replica=initject-1", "--own-namespace=initject")
        began = time.monotonic()
        with serving.serve(own.folder, top, ca, *flags) as served:
            seconds = time.monotonic() - began
            hook = registration.webhook("inject.initject.dev", served.url, ca.cert_pem.bytes())
            registration.register(own.api, "initject", hook)
            yield Large(own.api, served, seconds)


def fill(api: Api, values: list[Json]) -> None:
    """Create objects over four connections."""
    shares = [values[start::4] for start in range(4)]
    with api.inside.threads(4) as threads:
        list(threads.map(lambda share: creating.every(api, share), shares))


def namespace(number: int) -> Json:
    """With what namespaces of a large cluster carry: labels and annotations of tools."""
    name = f"team-{number:04}"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                "team": name,
                "environment": ("production", "staging", "test")[number % 3],
                "initject.dev/inject": "enabled",
                "pod-security.kubernetes.io/enforce": "restricted",
                "app.kubernetes.io/managed-by": "namespaces",
            },
            "annotations": {
                "example.com/owner": f"{name}@example.com",
                "example.com/cost-center": f"{number:08}",
                "example.com/description": f"Where {name} runs what it ships. " * 5,
            },
        },
    }


def policy(number: int) -> Json:
    """A policy for one app, with a condition and a template."""
    name = f"policy-{number:04}"
    condition = "object.spec.containers.exists(c, c.name == 'app')"
    container = {
        "image": "registry.example.com/tools/step:1.0",
        "args": ["--host", "${object.metadata.labels.app}", "--team", "${request.namespace}"],
    }
    return {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": "ClusterInitPolicy",
        "metadata": {"name": name},
        "spec": {
            "match": {"podSelector": {"matchLabels": {"app": f"app-{number}"}}},
            "conditions": [{"name": "has-an-app", "expression": condition}],
            "steps": [{"name": name, "container": container}],
        },
    }


def test_a_large_cluster_is_held_in_little_memory_and_known_soon(large: Large) -> None:
    """With 5,000 namespaces and 1,000 policies."""
    memory = resident(large.served)

    sys.stdout.write(
        f"{NAMESPACES:,} namespaces, {POLICIES:,} policies: ready after {large.seconds:.1f} s "
        f"(asked: 3 s on an idle machine), {memory:.0f} MB (asked: {MOST})\n"
    )
    assert (201, "policy-0999") == large.steps("app-999", "shop")
    assert memory <= MOST


def test_memory_does_not_depend_on_the_number_of_pods(large: Large) -> None:
    """After thousands of pods, and with a thousand that stay, it is what it was."""
    pod = load.pod("shop", app="app-500")
    with creating.pods(large.api, pod, connections=4) as warm:
        warm.reach(PODS)
    before = resident(large.served)
    with (
        creating.pods(large.api, pod, connections=4) as dry,
        creating.pods(large.api, pod, connections=2, stored=True, most=500) as stored,
    ):
        dry.reach(PODS)
        stored.reach(1000)
    after = resident(large.served)

    made = dry.count + stored.count
    sys.stdout.write(f"{made:,} more pods: {after - before:+.1f} MB to {before:.0f} MB\n")
    assert {(201, "policy-0500")} == {*warm.outcomes, *dry.outcomes, *stored.outcomes}
    assert after - before < GROWTH
