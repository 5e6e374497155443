"""Between a tool that is not ours and the application: the tool's own room, and a copy of it.

So the application sees all of what the tool brought or none, with the mode and owner asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from webhook.document.problem import Finding, Path
from webhook.recipes.fetch.room import Want, container, empty, mounted
from webhook.recipes.reference import MOUNTS, File
from webhook.recipes.rendered import Raw, Rendered

ENTRIES = 1_000_000  # of what a tool has brought; the size bounds it as well
TMP, TMP_SIZE = "/tmp", "64Mi"  # noqa: S108 - a volume, for a tool's own files; a guess


@dataclass(frozen=True, slots=True)
class Clerk:
    """What a tool is wanted for."""

    want: Want

    @property
    def room(self) -> str:
        """The volume that the tool fills."""
        return f"{self.want.name}-room"

    @property
    def path(self) -> str:
        """Where both see the room."""
        return f"{MOUNTS}/{self.room}"

    def rendered(
        self,
        tool: Raw,
        folder: str = "",
        words: Sequence[str] = (),
        files: Sequence[File] = (),
    ) -> Rendered:
        """The step of the tool, and the copy of what is below a folder of the room.

        `words` say more to the copy, `files` are what the tool reads besides.
        """
        want = self.want
        tmp = f"{want.name}-tmp"
        own = {"name": tmp, "mountPath": TMP}
        mounts = [mounted(self.room), own, *(one.mount for one in files)]
        copied = ["copy", f"from={self.path}{folder}", *words, f"to={want.path}"]
        bounds = ["replace=true", "some=true", f"max-size={want.size}", f"max-entries={ENTRIES}"]
        copy = want.runner([*copied, *bounds], [mounted(self.room, read_only=True)])
        return Rendered(
            steps=(
                want.step(want.name, container({**tool, "volumeMounts": mounts})),
                want.step(f"{want.name}-copy", copy),
            ),
            volumes=(
                want.room(),
                empty(self.room, want.size, want.medium),
                empty(tmp, TMP_SIZE),
                *(one.volume for one in files),
            ),
        )

    def idle(self, path: Path, *fields: str) -> Iterator[Finding]:
        """What is said against fields beside a tool that cannot be told what they say."""
        beside = {"timeout": self.want.beside.timeout, "exitCode": self.want.beside.exit_code}
        for field in fields:
            if beside[field] is not None:
                what = f"is brought by a tool of its own, to which {field} says nothing"
                yield Finding(path, what, f"remove {field}")
