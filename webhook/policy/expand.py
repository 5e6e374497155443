"""A spec with recipes to one of raw steps alone, and the way back to what was written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path, field
from webhook.form.form import Reading
from webhook.form.part import Part, texts
from webhook.policy import model
from webhook.recipes.defaults import Defaults
from webhook.recipes.registry import RECIPES, Recipe
from webhook.recipes.rendered import Beside, overridden

_STEP = Part(model.Step)
_VOLUME = Part(model.Volume, rest="source", core="Volume")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a step or volume comes from: what was written at `path`, by a recipe or as it is.

    `texts` are the written strings with templates, by which one is found again in what they became.
    """

    path: Path
    recipe: str = ""
    raw: Mapping[str, Any] | None = None
    texts: tuple[tuple[Path, str], ...] = ()

    def place(self, below: Path) -> tuple[Path, int, bool]:
        """What was written for the field at `below`.

        Gives its path, the offset of its text inside the field's, and whether it is that text.
        """
        if not self.recipe:
            return (*self.path, *below), 0, True
        text = _at(self.raw, below)
        for path, written in self.texts if isinstance(text, str) else ():
            if written in text:
                return (*self.path, *path), text.index(written), True
        return (*self.path, self.recipe), 0, False


@dataclass(frozen=True, slots=True)
class Origins:
    """Where every step and every volume of an expanded spec comes from, in their order."""

    steps: tuple[Origin, ...] = ()
    volumes: tuple[Origin, ...] = ()

    def place(self, path: Path) -> Path:
        """A path below an expanded spec as one below the written spec."""
        return self._place(path)[0]

    def original(self, finding: Finding) -> Finding:
        """A finding about an expanded spec as one about the written spec."""
        path, shift, same = self._place(finding.path)
        if same:
            offset = max(finding.offset - shift, 0)
            return dataclasses.replace(finding, path=path, offset=offset)
        where = field(finding.path[2:])
        what = f"{finding.what} (in what it becomes: {where})" if where else finding.what
        return dataclasses.replace(finding, path=path, what=what, offset=0)

    def _place(self, path: Path) -> tuple[Path, int, bool]:
        origins = {"steps": self.steps, "volumes": self.volumes}.get(str(path[0])) if path else None
        if not origins or len(path) < 2:
            return path, 0, True
        return origins[int(path[1])].place(path[2:])


@dataclass(frozen=True, slots=True)
class Expanded:
    """A spec whose steps all have a `container`.

    `network` names the steps that talk to others, `dns` those that do so by names. `pulled` says
    that one has an image of a recipe.
    """

    spec: model.Spec
    origins: Origins
    network: frozenset[str]
    dns: frozenset[str]
    pulled: bool
    findings: tuple[Finding, ...]


def expand(spec: model.Spec, defaults: Defaults) -> Expanded:
    """Every recipe as the steps and volumes that it becomes, in its place.

    Findings are those of the recipes themselves, at what was written. A recipe with an error gives
    no step.
    """
    kitchen = _Kitchen(defaults)
    for index, volume in enumerate(spec.volumes):
        kitchen.volumes.append((volume, Origin(("volumes", index))))
    for index, step in enumerate(spec.steps):
        kitchen.take(step, ("steps", index))
    steps, volumes = kitchen.steps, kitchen.volumes
    images = defaults.images
    kitchen.findings += (*_twice("step", steps), *_twice("volume", volumes))
    return Expanded(
        dataclasses.replace(
            spec, steps=tuple(s for s, _ in steps), volumes=tuple(v for v, _ in volumes)
        ),
        Origins(tuple(o for _, o in steps), tuple(o for _, o in volumes)),
        frozenset(kitchen.network),
        frozenset(kitchen.dns),
        any(_image(step) in images for step, _ in steps),
        tuple(kitchen.findings),
    )


@dataclass(slots=True)
class _Kitchen:
    """Gathers what `expand` returns."""

    defaults: Defaults
    steps: list[tuple[model.Step, Origin]] = dataclasses.field(default_factory=list)
    volumes: list[tuple[model.Volume, Origin]] = dataclasses.field(default_factory=list)
    network: set[str] = dataclasses.field(default_factory=set)
    dns: set[str] = dataclasses.field(default_factory=set)
    findings: list[Finding] = dataclasses.field(default_factory=list)

    def take(self, step: model.Step, path: Path) -> None:
        for attribute, recipe in RECIPES.items():
            written = getattr(step, attribute)
            if written is not None:
                self._render(step, written, recipe, path)
                return
        if step.container is not None:
            self.steps.append((step, Origin(path)))

    def _render(self, step: model.Step, written: Any, recipe: Recipe, path: Path) -> None:
        beside = Beside(step.name, step.os, step.timeout, step.mode, step.exit_code)
        rendered = recipe.render(written, beside, self.defaults)
        steps, wrong = _read(_STEP, rendered.steps)
        volumes, also_wrong = _read(_VOLUME, rendered.volumes)
        found = (*rendered.findings, *wrong, *also_wrong)
        self.findings += (finding.under((*path, recipe.field)) for finding in found)
        if any(finding.severity == "error" for finding in found):
            return
        origin = Origin(path, recipe.field, texts=tuple(t for t in texts(step) if "${" in t[1]))
        if not any(one.name == step.name for one in steps):
            self._idle(step, recipe, path)
        for one in steps:
            one = self._overridden(one, step, recipe, path) if one.name == step.name else one
            self.steps.append((one, dataclasses.replace(origin, raw={"container": one.container})))
            self.network |= {one.name} if rendered.network else set()
            self.dns |= {one.name} if rendered.network and rendered.dns else set()
        for volume in volumes:
            self.volumes.append((volume, dataclasses.replace(origin, raw=volume.raw)))

    def _idle(self, step: model.Step, recipe: Recipe, path: Path) -> None:
        for name, value in (("container", step.container), ("borrow", step.borrow)):
            if value is not None:
                what = f"stands beside a {recipe.field} that runs no container"
                self.findings.append(Finding((*path, name), what, "remove it"))

    def _overridden(
        self, one: model.Step, step: model.Step, recipe: Recipe, path: Path
    ) -> model.Step:
        """The step of a recipe that does its work, with what is written beside the recipe."""
        if step.borrow is not None and one.borrow is not None:
            what = f"{recipe.field} borrows what it needs itself"
            self.findings.append(Finding((*path, "borrow"), what, "remove it"))
        container = overridden(one.container or {}, step.container or {})
        return dataclasses.replace(one, container=container, borrow=step.borrow or one.borrow)


def _twice(kind: str, made: Sequence[tuple[Any, Origin]]) -> Iterator[Finding]:
    """Names that a recipe makes and that are another's already; two that are written, `rules` tell.

    They are told where a recipe is.
    """
    first: dict[str, Origin] = {}
    for one, origin in made:
        other = first.setdefault(one.name, origin)
        if other is origin or not (other.recipe or origin.recipe):
            continue
        at, place = (origin, other) if origin.recipe else (other, origin)
        what = f"makes the {kind} {one.name}, a name that spec.{field(place.path)} has"
        yield Finding((*at.path, at.recipe), what, "rename one of the two")


def _read(part: Part, rendered: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Finding]]:
    """What a recipe rendered, read as if an author had written it, and what is wrong with it.

    A name that is made of the step's may have become too long.
    """
    found, wrong = [], []
    for raw in rendered:
        reading = Reading()
        found.append(part.read(("",), raw, reading))
        for finding in reading.findings:
            what = f"{finding.what} (in what it becomes: {field(finding.path[1:])})"
            wrong.append(Finding((), what, finding.advice))
    return found, wrong


def _image(step: model.Step) -> str:
    image = (step.container or {}).get("image")
    return image if isinstance(image, str) else ""


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
