"""A whole node, on which docs/how-to/install.md is followed to the letter."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests import helm, needs
from tests.cluster.nodes import Node
from tests.house import pages
from tests.house.tree import CHECKOUT, text

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


@pytest.fixture(scope="module")
def told(bare_node: Node) -> Iterator[tuple[Node, str]]:
    """A node on which somebody has begun, and what the commands of the page have printed."""
    node = bare_node
    bin_ = node.home / "bin"
    bin_.mkdir(exist_ok=True)
    (bin_ / "helm").symlink_to(needs.tool("helm"))
    shutil.copytree(CHECKOUT / "deploy", node.home / "deploy", dirs_exist_ok=True)
    yield node, follow(node, "Begin")
    node.run("kubectl delete namespace shop initject --wait=false")
