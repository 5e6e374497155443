"""A spec with errors, reduced to what can still be looked at.

So that a misspelt field does not hide a fault in an expression: what the model refuses is cut out,
and the rest is compiled for its findings only. It never comes in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from webhook.document.problem import Finding, Path
from webhook.policy import model

_ROUNDS = 8  # a cut can leave a list empty, and that its parent; no part is deeper than this


class _Spec(model.Spec):
    """A spec that may have lost its steps."""

    steps: list[model.Step] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is left of a spec, and which entries of each list are (by the list's path)."""

    spec: model.Spec
    kept: Mapping[Path, list[int]]

    def original(self, finding: Finding) -> Finding:
        """A finding about what is left, with its path (from the spec on) as it was written."""
        path = _original(finding.path, self.kept)
        return Finding(path, finding.what, finding.advice, finding.severity, finding.offset)


def reduce(value: Mapping[str, Any]) -> Draft | None:
    """What is left of a spec, or None where a cut would make innocent parts look wrong."""
    cuts = _Cuts()
    for _ in range(_ROUNDS):
        kept: dict[Path, list[int]] = {}
        reduced = cuts.apply((), value, kept)
        try:
            return Draft(_Spec.model_validate(reduced), kept)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                cuts.add(_original(_path(detail), kept), detail["type"])
        if cuts.harmful:
            return None
    return None


def _path(detail: ErrorDetails) -> Path:
    return tuple(part for part in detail["loc"] if part != "[key]")


def _original(path: Path, kept: Mapping[Path, list[int]]) -> Path:
    place: Path = ()
    for part in path:
        if isinstance(part, int) and place in kept and part < len(kept[place]):
            part = kept[place][part]
        place = (*place, part)
    return place


@dataclass(slots=True)
class _Cuts:
    """Paths that are cut out of a spec, and those that hold something harmless instead."""

    gone: set[Path] = field(default_factory=set)
    instead: dict[Path, Any] = field(default_factory=dict)

    @property
    def harmful(self) -> bool:
        """Whether what is left lacks what other parts refer to: parameters and volumes."""
        return any(
            path[:1] == ("parameters",) or (path[:1] == ("volumes",) and len(path) <= 2)
            for path in self.gone | set(self.instead)
        )

    def add(self, path: Path, fault: str) -> None:
        if path[:1] == ("steps",) and path[2:3] == ("borrow",):
            # Taking everything keeps silent what the step may have left to the borrowing.
            self.instead[path[:3]] = {"image": True, "env": ["*"], "volumeMounts": ["*"]}
        elif len(path) == 3 and path[2] == "name":
            self.instead[path] = f"x{path[1]}"
        elif fault == "missing" or path[-1] in ("container", "expression", "mountPath"):
            self.gone.add(path[:-1])
        else:
            self.gone.add(path)

    def apply(self, path: Path, value: Any, kept: dict[Path, list[int]]) -> Any:
        """A copy of `value` without what is cut; `kept` learns what is left of each list."""
        if path in self.instead:
            return self.instead[path]
        if isinstance(value, Mapping):
            left = {k: v for k, v in value.items() if (*path, k) not in self.gone}
            left |= {p[-1]: v for p, v in self.instead.items() if p[:-1] == path}
            return {key: self.apply((*path, key), item, kept) for key, item in left.items()}
        if isinstance(value, list):
            kept[path] = [i for i in range(len(value)) if (*path, i) not in self.gone]
            return [self.apply((*path, i), value[i], kept) for i in kept[path]]
        return value
