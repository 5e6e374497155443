"""A whole node, on which docs/how-to/install.md is followed to the letter."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests import needs
from tests.cluster import registration
from tests.cluster.nodes import Node
from tests.house import pages
from tests.house.tree import CHECKOUT, text
from webhook import testing

PAGE = "docs/how-to/install.md"
# No image can be pulled here; these are on the node.
IMAGES = {"registry.example.com/tools/busybox:1.37": "localhost/busybox:1"}


def section(heading: str) -> str:
    """What stands under a heading of the page."""
    found = text(PAGE).partition(f"\n## {heading}\n")[2]
    return re.split(r"^## ", found, maxsplit=1, flags=re.MULTILINE)[0]


def follow(node: Node, heading: str) -> str:
    """Write the files and run the commands under a heading; what they print."""
    printed = ""
    for block in pages.blocks(section(heading)):
        content = block.text
        for image, here in IMAGES.items():
            content = content.replace(image, here)
        if block.name:
            (node.home / block.name).write_text(content)
        elif block.kind == "sh":
            printed += node.run(content)
    return printed


@pytest.fixture
def user(bare_node: Node) -> Iterator[Node]:
    """Somebody with this checkout before a cluster without Initject."""
    needs.tool("helm")
    node = bare_node
    shutil.copytree(CHECKOUT / "deploy", node.home / "deploy", dirs_exist_ok=True)
    registration.until(lambda: gone(node), "an earlier Initject is gone", seconds=120)
    yield node
    node.run("kubectl delete namespace shop initject must --ignore-not-found --wait=false")
    for path in (node.home / name for name in ("policy.yaml", "wrong.yaml", "shop.yaml")):
        path.unlink(missing_ok=True)


def gone(node: Node) -> bool:
    return {404} == {
        node.api.ask("GET", f"/api/v1/namespaces/{name}").code for name in ("initject", "shop")
    }


def written(node: Node) -> tuple[str, str]:
    """What Initject has written: its keys, and whom the API server trusts."""
    keys = node.run("kubectl -n initject get secret initject-certificates -o jsonpath='{.data}'")
    trusted = "jsonpath='{.webhooks[*].clientConfig.caBundle}'"
    return keys, node.run(f"kubectl get mutatingwebhookconfiguration initject -o {trusted}")


def test_the_page_on_installing_leads_from_nothing_to_the_end(user: Node) -> None:
    """Installed, injected, refused, upgraded, uninstalled: nothing but what the page says."""
    printed = follow(user, "Begin")

    assert "hello from Initject\n" in printed
    assert 2 == printed.count("1/1     Running")

    condition = "  conditions: [{name: many, expression: object.spec.containers.size()}]\n"
    (user.home / "wrong.yaml").write_text((user.home / "policy.yaml").read_text() + condition)
    refused = user.attempt("kubectl apply --filename wrong.yaml")
    assert 0 != refused.returncode
    assert 'webhook "validate.initject.dev" denied the request' in refused.stderr
    assert "conditions[0].expression" in refused.stderr

    before = written(user)
    assert all(before)
    follow(user, "Change and upgrade")
    assert before == written(user)
    assert 3 == len(user.pods("initject"))

    user.run(
        "kubectl create namespace must; kubectl label namespace must initject.dev/enforce=true"
    )
    running = user.pods("shop")
    follow(user, "Uninstall")
    registration.until(lambda: created(user), "a pod of an enforcing namespace is created")
    assert [] == [crd for crd in user.run("kubectl get crd -o name").split() if "initject" in crd]
    assert [pod["metadata"]["uid"] for pod in running] == [
        pod["metadata"]["uid"] for pod in user.pods("shop")
    ]


def created(node: Node) -> bool:
    """Whether the API server creates a pod where nobody answers any more."""
    answer = node.api.create(testing.pod("web", namespace="must"), dry_run=True)
    return answer.code == 201
