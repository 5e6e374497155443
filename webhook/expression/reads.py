"""What an expression reads of the variables it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

Path = tuple[str, ...]
ANY = "*"  # stands for every element of a list and every value of a map


class Branch:
    """One node of a tree of paths. `whole` takes everything below, `shape` only keys and length."""

    __slots__ = ("any", "fields", "items", "shape", "single", "whole")

    def __init__(self) -> None:
        self.whole = False
        self.shape = False
        self.any: Branch | None = None
        self.fields: dict[str, Branch] = {}
        self.items: tuple[tuple[str, Branch], ...] = ()
        self.single = ""  # the name of the one field that is read, and read whole, if that is all

    def add(self, path: Path, shape: bool) -> None:
        """Takes up one path."""
        branch = self
        for part in path:
            if part == ANY:
                branch.any = branch.any or Branch()
                branch = branch.any
            else:
                branch = branch.fields.setdefault(part, Branch())
        if shape:
            branch.shape = True
        else:
            branch.whole = True

    def close(self) -> None:
        """What is read of every value is read of the named ones too."""
        for child in self.fields.values():
            if self.any is not None:
                child.absorb(self.any)
            child.close()
        if self.any is not None:
            self.any.close()
        self.items = tuple(self.fields.items())
        if len(self.items) == 1 and not (self.shape or self.whole or self.any is not None):
            name, child = self.items[0]
            self.single = name if child.whole else ""

    def absorb(self, other: Branch) -> None:
        """Adds all that `other` reads."""
        self.whole |= other.whole
        self.shape |= other.shape
        if other.any is not None:
            self.any = self.any or Branch()
            self.any.absorb(other.any)
        for name, child in other.fields.items():
            self.fields.setdefault(name, Branch()).absorb(child)


@dataclass(frozen=True, slots=True)
class Reads:
    """The paths that an expression may read; never too few.

    A path in `paths` is read with everything below it; `*` is any element of a list, any value of
    a map: `("object", "spec", "containers", "*", "name")`. One that is also in `shapes` is only
    asked for its presence, its keys or its length.
    """

    paths: frozenset[Path] = frozenset()
    shapes: frozenset[Path] = frozenset()
    _roots: dict[str, Branch] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        top = Branch()
        for path in self.paths:
            top.add(path, path in self.shapes)
        top.close()
        self._roots.update(top.fields)

    @staticmethod
    def none() -> Reads:
        """Reads nothing."""
        return _NONE

    def __or__(self, other: Reads) -> Reads:
        return self if covers(self, other) else join(self, other)

    def root(self, name: str) -> Branch | None:
        """The tree of what is read of the variable `name`; None when nothing is."""
        return self._roots.get(name)

    def reads(self, *path: str) -> bool:
        """Is anything at or below `path`, or the whole of something above it, read?"""
        return any(_meet(path, other) for other in self.paths)

    def under(self, *path: str) -> frozenset[Path]:
        """The paths read at or below `path`."""
        return frozenset(p for p in self.paths if p[: len(path)] == path)


_NONE = Reads()


def _meet(one: Path, other: Path) -> bool:
    pairs = zip(one, other, strict=False)
    return all(a == b or ANY in (a, b) for a, b in pairs)


@lru_cache(maxsize=4096)
def join(*all_reads: Reads) -> Reads:
    """The union of several; remembered, since reviews ask for the same union again and again."""
    whole = {p for r in all_reads for p in r.paths - r.shapes}
    shapes = {p for r in all_reads for p in r.shapes}
    return reduced(whole, shapes, set())


def reduced(whole: set[Path], shapes: set[Path], present: set[Path]) -> Reads:
    """Reads without the paths that others imply.

    `shapes` are asked for keys or length; `present` only have to be there, which every deeper
    path implies.
    """

    def covered(path: Path) -> bool:
        return any(path[:n] in whole for n in range(1, len(path)))

    kept = {p for p in whole if not covered(p)}
    deeper = {p[:n] for p in kept | shapes for n in range(1, len(p))}
    left = {p for p in shapes if p not in kept and not covered(p)}
    longer = deeper | {p[:n] for p in present for n in range(1, len(p))}
    left |= {p for p in present if p not in kept and not covered(p) and p not in longer}
    return _shared(frozenset(kept | left), frozenset(left))


@lru_cache(maxsize=4096)
def _shared(paths: frozenset[Path], shapes: frozenset[Path]) -> Reads:
    """One object for equal reads: a thousand different conditions read the same dozen fields."""
    return Reads(paths, shapes)


@lru_cache(maxsize=8192)
def covers(scope: Reads, part: Reads) -> bool:
    """Is everything that `part` reads read by `scope` too?"""
    if scope is part or (part.paths <= scope.paths and part.shapes >= scope.shapes & part.paths):
        return True
    return join(scope, part) == join(scope)
