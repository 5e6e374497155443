"""The images that run on the test's node, as archives: ours, and one small image of tools.

    python -m tests.cluster.images FOLDER

writes both after `make image`, for a cluster that INITJECT_CLUSTER names: it must have them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cluster import image
from tests.podman import Podman

OURS = "registry.example.com/initject/initject:0.1.0"  # the name in deploy/
TOOLS = "localhost/busybox:1"
LINKS = (
    *(
        "sh",
        "cat",
        "echo",
        "false",
        "find",
        "grep",
        "id",
        "ls",
        "nc",
        "sleep",
        "sort",
        "stat",
        "test",
    ),
    *("touch", "true"),
)


def ours(podman: Podman, built: str, folder: Path) -> Path:
    """The image that was built, under the name that the manifests give it."""
    archive = folder / "initject.tar"
    podman.must("tag", built, OURS)
    podman.must("save", "--quiet", "--format=docker-archive", f"--output={archive}", OURS)
    podman.must("untag", built, OURS)
    return archive


def tools(folder: Path) -> Path:
    """busybox with links for what tests call; its shell has the rest built in."""
    archive = folder / "busybox.tar"
    links = {f"bin/{name}": "@busybox" for name in LINKS}
    image.write(TOOLS, archive, {"bin/busybox": "/bin/busybox", **links}, ["sh"])
    return archive


if __name__ == "__main__":
    out = Path(sys.argv[1])
    ours(Podman(out), "localhost/initject", out)
    tools(out)
