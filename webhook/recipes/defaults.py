"""What recipes take where a policy says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import webhook
from webhook.runner.statuses import GAVE_UP

TIMEOUT = "5m"  # as the runner has it
RUNNER = f"registry.example.com/initject/initject:{webhook.__version__}"  # the name in deploy/

# The images of tools that recipes run, by the word that a setting has for each.
TOOLS: Mapping[str, str] = MappingProxyType(
    {
        "flyway": "docker.io/flyway/flyway:12.11.0-alpine",
        "liquibase": "docker.io/liquibase/liquibase:4.33.0",  # 5 comes without drivers
        "golang-migrate": "docker.io/migrate/migrate:v4.19.1",
        "atlas": "docker.io/arigaio/atlas:1.3.3-community",
        "git-sync": "registry.k8s.io/git-sync/git-sync:v4.7.1",
        "rclone": "docker.io/rclone/rclone:1.75.1",
        "oras": "ghcr.io/oras-project/oras:v1.3.5",
    }
)


@dataclass(frozen=True, slots=True)
class Defaults:
    """The images of recipes, and what the cluster can.

    `runner` is the image of Initject itself, `tools` those of other projects by their word (see
    `TOOLS`, of which it may hold a part). `mirror` stands in place of the registry of every image
    of `tools`. `image_volumes` says that the kubelet mounts what a registry has (Kubernetes
    1.36). `exit_code` is that of a step that gave up.
    """

    runner: str = RUNNER
    tools: Mapping[str, str] = field(default_factory=dict)
    mirror: str = ""
    image_volumes: bool = False
    exit_code: int = GAVE_UP

    def ends(self, timeout: str | None, exit_code: int | None) -> tuple[str, str]:
        """When a command of the runner gives up, and with which status, as its options."""
        code = self.exit_code if exit_code is None else exit_code
        return f"--timeout={timeout or TIMEOUT}", f"--exit-code={code}"

    @property
    def images(self) -> frozenset[str]:
        """Every image that a recipe takes where a policy names none."""
        return frozenset((self.runner, *map(self.tool, TOOLS)))

    def tool(self, word: str) -> str:
        """The image of a tool, from the mirror if there is one."""
        image = self.tools.get(word) or TOOLS[word]
        return f"{self.mirror.rstrip('/')}/{_path(image)}" if self.mirror else image


def _path(image: str) -> str:
    """An image without its registry; `docker.io/alpine` and `alpine` are `library/alpine`."""
    head, slash, rest = image.partition("/")
    # A first part with a dot or a port, or localhost, is a registry (distribution's reference.go).
    registry = slash and ("." in head or ":" in head or head == "localhost")
    path = rest if registry else image
    official = not slash or (head in ("docker.io", "index.docker.io") and "/" not in rest)
    return f"library/{path}" if official else path
