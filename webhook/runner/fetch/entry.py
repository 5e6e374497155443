"""What an archive may hold: names that stay inside, each once, and links that lead nowhere else.

Nothing here touches a file: what these rules let through is safe to write in any order, as long as
links are made last.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from webhook.errors import FetchError

Kind = Literal["file", "folder", "link", "same"]

RESERVED = ".initject-fetch"  # how the names of our own folders begin
MAX_PART, MAX_PATH, MAX_DEPTH = 255, 4095, 64  # bytes as Linux has them; the last is a guess


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an archive, its name taken apart.

    `target` is where a `link` leads, as it stands there, or the other name of a `same` (a hard
    link), taken apart and joined by `/`.
    """

    path: tuple[str, ...]
    kind: Kind
    target: str = ""
    executable: bool = False

    @property
    def name(self) -> str:
        """The path with slashes."""
        return "/".join(self.path)


def refuse(name: str, why: str) -> NoReturn:
    """Raises FetchError about an entry, whose name may be anything."""
    shown = name.encode("unicode_escape", "replace").decode()
    shown = shown[:200] + ("…" if len(shown) > 200 else "")
    msg = f"entry '{shown}' {why}"
    raise FetchError(msg)


def inside(name: str, strip: int = 0) -> tuple[str, ...]:
    """The parts of an entry's name without its first `strip`; empty for what is left out.

    Raises FetchError for a name that could lead outside or that no file can have.
    """
    _plain(name)
    if name.startswith("/"):
        refuse(name, "is absolute")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        refuse(name, "leads outside, by '..'")
    if len(parts) > MAX_DEPTH:
        refuse(name, f"lies deeper than {MAX_DEPTH} folders")
    kept = tuple(parts[strip:])
    if kept and kept[0].startswith(RESERVED):
        refuse(name, f"begins with {RESERVED}, which is kept for us")
    return kept


def leading(path: tuple[str, ...], target: str) -> str:
    """The target of a link at `path`; raises FetchError unless it stays inside.

    `..` may only stand in front: behind another link's name it would start from where that leads.
    """
    name = "/".join(path)
    _plain(target, of=name)
    if not target or target.startswith("/"):
        refuse(name, "is a link to an absolute path")
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((n for n, part in enumerate(parts) if part != ".."), len(parts))
    if ups > len(path) - 1 or ".." in parts[ups:]:
        refuse(name, "is a link that leads outside")
    return posixpath.join(*parts) if parts else "."


def _plain(text: str, of: str | None = None) -> None:
    name = text if of is None else of
    try:
        data = text.encode()
    except UnicodeEncodeError:
        refuse(name, "has a name that is not UTF-8")
    if any(byte < 32 or byte == 127 for byte in data):
        refuse(name, "has a control character in its name")
    if len(data) > MAX_PATH or any(len(part) > MAX_PART for part in data.split(b"/")):
        refuse(name, "has a name that is too long")


@dataclass(slots=True)
class Index:
    """What has been met so far. `most` is how many entries there may be."""

    most: int
    _kinds: dict[tuple[str, ...], Kind] = field(default_factory=dict)
    _count: int = 0

    def count(self) -> None:
        """One more, also of what is left out; raises FetchError when it is one too many."""
        self._count += 1
        if self._count > self.most:
            msg = f"has more than {self.most} entries (max-entries)"
            raise FetchError(msg)

    def take(self, entry: Entry) -> None:
        """Raises FetchError for what is there twice, or does not lie in a folder."""
        for depth in range(1, len(entry.path)):
            if self._kinds.setdefault(entry.path[:depth], "folder") != "folder":
                refuse(entry.name, "lies below what is no folder")
        before = self._kinds.get(entry.path)
        if before and (before, entry.kind) != ("folder", "folder"):
            refuse(entry.name, "is there twice")
        self._kinds[entry.path] = entry.kind

    def known(self, path: tuple[str, ...]) -> Kind | None:
        """What stands at a path."""
        return self._kinds.get(path)
