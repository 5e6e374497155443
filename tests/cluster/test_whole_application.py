"""The application of the tutorial on a node: `examples/`, from policies alone.

PostgreSQL runs beside the cluster in place of its Deployment, for its image cannot be pulled here;
so does busybox under the name that the example gives it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster import images
from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.programs import Images
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import states
from tests.house.tree import CHECKOUT
from webhook.recipes import defaults

EXAMPLES = CHECKOUT / "examples"
LESSON = EXAMPLES / "12-a-whole-application"
BUSYBOX = "docker.io/library/busybox:1.37"
STEPS = ["settings", "schema-wait", "schema", "wait-for-login"]


def objects(path: str) -> list[Json]:
    return list(yaml.safe_load_all((EXAMPLES / path).read_text()))


@pytest.fixture
def shop(installed: Release, postgres: Database, tool: Images) -> Iterator[Node]:
    """A node with the neighbours of the shop; its database has a name and is not there."""
    node = installed.node
    node.tag(images.TOOLS, BUSYBOX)
    tool("golang-migrate", defaults.TOOLS["golang-migrate"])
    for value in objects("shop.yaml"):
        if value["metadata"]["name"] != "postgres":
            answer = node.api.apply(value)
            assert answer.code in {200, 201}, answer.message
    postgres.server.name = "postgres"
    postgres.named("shop")
    yield node
    node.run("kubectl delete clusterinitpolicy shop --ignore-not-found")
    node.run("kubectl delete namespace shop --wait=true --timeout=120s")


def pods(node: Node) -> list[Json]:
    return [pod for pod in node.pods("shop") if pod["metadata"]["labels"]["app"] == "shop"]


def test_the_application_of_the_tutorial_starts_when_all_that_it_needs_is_there(
    shop: Node, postgres: Database
) -> None:
    """Two replicas, each step in its order, one set of rows."""
    shop.run(f"kubectl apply -f {LESSON}/policy.yaml")
    until(lambda: "True" in ready(shop), "the policy is in force")
    shop.run(f"kubectl apply -f {LESSON}/pod.yaml")
    until(lambda: waiting(shop), "both wait for the database", seconds=120)
    assert [] == [c for pod in pods(shop) for c in pod["status"]["containerStatuses"] if c["ready"]]

    postgres.start()
    shop.run("kubectl -n shop rollout status deployment/shop --timeout=180s")

    found = pods(shop)
    assert 2 == len(found)
    for pod in found:
        ends = [states(pod)[name]["state"]["terminated"] for name in STEPS]
        assert STEPS == [c["name"] for c in pod["spec"]["initContainers"]]
        assert [0] * 4 == [end["exitCode"] for end in ends]
        assert all(a["finishedAt"] <= b["startedAt"] for a, b in itertools.pairwise(ends))
        name = pod["metadata"]["name"]
        read = f"kubectl -n shop exec {name} -- cat /etc/shop/shop.yaml"
        assert "greeting: hello\n" == shop.run(read)
    assert [("7",)] == postgres.query("select id from cups")


def ready(node: Node) -> str:
    path = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
    return node.run(f"kubectl get clusterinitpolicy shop -o '{path}'")


def waiting(node: Node) -> bool:
    """Whether two pods are at the wait for the database and have said so."""
    running = [
        pod["metadata"]["name"]
        for pod in pods(node)
        if "running" in states(pod).get("schema-wait", {}).get("state", {})
    ]
    return 2 == sum("refused" in node.log("shop", name, "schema-wait") for name in running)
