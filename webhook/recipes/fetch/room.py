"""Where what is fetched goes: a volume of its own, which the application sees where it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.form.form import Pattern, Text
from webhook.recipes.defaults import TIMEOUT, Defaults
from webhook.recipes.reference import MOUNTS
from webhook.recipes.rendered import Beside, Raw

SIZE_LIMIT = "256Mi"  # a guess: configuration, a model for tests, a repository without history
MEMORY = "Memory"  # core/v1 StorageMediumMemory
SIZE = Text(
    20, pattern=Pattern(r"^[1-9][0-9]{0,14}([KMGT]i|[kMGT])?$", "be a size such as 64Mi", "-")
)


@dataclass(frozen=True, slots=True)
class Want:
    """What every source is asked for, besides its own fields.

    An empty `mode`, `size_limit` or `medium`, and no `user` or `group`, is what nobody has written.
    """

    beside: Beside
    defaults: Defaults
    to: str
    into: tuple[str, ...] = ("*",)
    read_only: bool = True
    size_limit: str = ""
    medium: str = ""
    mode: str = ""
    user: int | None = None
    group: int | None = None

    @property
    def name(self) -> str:
        """The step's name, and the volume's."""
        return self.beside.name

    @property
    def path(self) -> str:
        """Where the step sees the volume."""
        return f"{MOUNTS}/{self.name}"

    @property
    def size(self) -> str:
        """How large the volume may be."""
        return self.size_limit or SIZE_LIMIT

    @property
    def timeout(self) -> str:
        """When it gives up."""
        return self.beside.timeout or TIMEOUT

    @property
    def owned(self) -> bool:
        """Whether the mode or the owner of the files is asked for."""
        return bool(self.mode) or self.user is not None or self.group is not None

    @property
    def owner(self) -> Raw:
        """The security context of who owns the files."""
        context = {"runAsUser": self.user, "runAsGroup": self.group}
        return {key: value for key, value in context.items() if value is not None}

    @property
    def modes(self) -> list[str]:
        """The words for the runner; who may read a file may enter its folder."""
        if not self.mode:
            return []
        bits = int(self.mode, 8)
        return [f"mode={self.mode}", f"dir-mode=0{bits | (bits & 0o444) >> 2 | 0o700:o}"]

    def room(self, usual: str = "") -> dict[str, Any]:
        """An empty volume for the files, in memory if that is said or `usual`."""
        return self.seen(empty(self.name, self.size, self.medium or usual))

    def seen(self, volume: Raw) -> dict[str, Any]:
        """A volume, and where the application sees it, if it does."""
        if not self.to:
            return dict(volume)
        into = {"containers": list(self.into), "mountPath": self.to, "readOnly": self.read_only}
        return {**volume, "mountInto": [into]}

    def step(self, name: str, container: Raw) -> Raw:
        """A step of that name."""
        return {"name": name, "os": self.beside.os, "container": container}

    def runner(
        self, words: Sequence[str], mounts: Sequence[Raw], env: Sequence[Raw] = ()
    ) -> Mapping[str, Any]:
        """The container that runs `initject fetch` and writes to the room, as who owns the files.

        It needs `mounts` besides the room's own.
        """
        ends = self.defaults.ends(self.beside.timeout, self.beside.exit_code)
        found = {
            "image": self.defaults.runner,
            "command": ["initject", "fetch"],
            "args": [*ends, *words, *self.modes],
            "env": list(env),
            "securityContext": self.owner,
            "volumeMounts": [mounted(self.name), *mounts],
        }
        return container(found)


def container(fields: Raw) -> Raw:
    """A container with its last words as its message, without fields that say nothing."""
    found = {**fields, "terminationMessagePolicy": "FallbackToLogsOnError"}
    return {key: value for key, value in found.items() if value}


def empty(name: str, size: str, medium: str = "") -> dict[str, Any]:
    """An empty volume, of the node's disk or of its memory."""
    kind = {"medium": medium} if medium == MEMORY else {}
    return {"name": name, "emptyDir": {**kind, "sizeLimit": size}}


def mounted(volume: str, *, read_only: bool = False) -> Raw:
    """A volume in a step, below `MOUNTS`."""
    mount = {"name": volume, "mountPath": f"{MOUNTS}/{volume}"}
    return {**mount, "readOnly": True} if read_only else mount
