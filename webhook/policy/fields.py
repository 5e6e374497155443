"""A spec by the model: what it says, and everything that is wrong with the form of its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import part
from webhook.form.form import Reading
from webhook.policy import model

SPEC = part.Part(model.Spec)


@dataclass(frozen=True, slots=True)
class Draft:
    """A spec, or what is left of one with errors, to look for more: it never comes in force.

    So a misspelt field does not hide a fault in an expression. `kept` tells which entries of each
    list are left, by the list's path.
    """

    spec: model.Spec
    kept: Mapping[Path, list[int]]

    def original(self, finding: Finding) -> Finding:
        """A finding about what is left, with its path (from the spec on) as it was written."""
        place: Path = ()
        for one in finding.path:
            if isinstance(one, int) and one < len(self.kept.get(place, ())):
                one = self.kept[place][one]
            place = (*place, one)
        return dataclasses.replace(finding, path=place)


def read(value: Mapping[str, Any]) -> tuple[Draft | None, list[Finding]]:
    """A spec, and everything that is wrong with it; paths begin at the spec.

    With findings it is what is left, and None where that would make innocent parts look wrong.
    """
    reading = Reading()
    spec: model.Spec = SPEC.read((), value, reading)
    wrong = [finding.path for finding in reading.findings]
    if any(map(_referred_to, wrong)):
        return None, reading.findings
    return Draft(_lenient(spec, wrong), reading.kept), reading.findings


def known(path: Path) -> tuple[str, ...]:
    """The names of the fields of the part of a spec at `path`, none if it is no part of ours."""
    here: Any = model.Spec
    for step in path:
        if isinstance(step, str) and here is not None:
            field = part.fields(here).get(step)
            here = field.part if field else None
    return tuple(part.fields(here)) if here else ()


def _referred_to(path: Path) -> bool:
    """Whether expressions or containers may refer to what is wrong there."""
    if path[0] == "volumes":
        return len(path) <= 2 or path[2] == "name"
    return path[0] == "parameters"


def _lenient(spec: model.Spec, wrong: list[Path]) -> model.Spec:
    """Where borrowing is wrong, all is borrowed: the step may have left anything to it."""
    everything = model.Borrow(image=True, env=("*",), volume_mounts=("*",))
    if not any(path[0] == "steps" and path[2:3] == ("borrow",) for path in wrong):
        return spec
    steps = tuple(dataclasses.replace(step, borrow=everything) for step in spec.steps)
    return dataclasses.replace(spec, steps=steps)
