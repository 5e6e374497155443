"""One step to the container that it becomes in one pod: templates, borrowing, defaults, size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from webhook.document.problem import Path
from webhook.document.problem import field as field_name
from webhook.errors import EvaluationError
from webhook.expression.activation import Scope
from webhook.expression.template import Template
from webhook.inject import borrow, harden, ours, resources
from webhook.inject.decision import Code, LeftOutError
from webhook.inject.match import Subject, mapping
from webhook.policy import container as rules
from webhook.policy.compiled import Borrow, Step

Json = Mapping[str, Any]
Parameters = Mapping[str, object]
Texts = tuple[str, ...]
# A place in a container and what fills it; whether the kubelet expands `$(NAME)` there; the field
# of the policy that it comes from.
_Hole = tuple[Path, Template, bool, str]

_OPENSHIFT_USERS = "openshift.io/sa.scc.uid-range"  # on namespaces whose users OpenShift assigns


class Item(msgspec.Struct, frozen=True, eq=False):
    """A container or volume: as planned, with its digests, and as it will stand in the pod.

    `present` is what the pod has under that name now, or None. `final` is `present` itself when
    nothing changes in it. Equal to itself alone, so that what follows from it can be remembered;
    where it is not `kept` for other pods, nothing may be, for its size is up to the pod's author.
    """

    name: str
    digests: dict[str, str]
    present: Json | None
    final: Json
    kept: bool = False


is_kept = attrgetter("kept")


class Lent(msgspec.Struct, frozen=True):
    """What the pod lends to its steps: itself, to borrow from, and the size of a container.

    `fixed_user` is false where the platform assigns users.
    """

    subject: Subject
    size: resources.Size
    fixed_user: bool


def lent(subject: Subject) -> Lent:
    """What a pod lends."""
    return Lent(subject, resources.model(subject.containers), _fixed_user(subject))


def render(step: Step, lent: Lent, scope: Scope, parameters: Parameters) -> Item:
    """The container that a step becomes in a pod that does not have it, in stored form.

    The same as before when a step is filled with the same texts, as in pods of one workload.
    Raises `LeftOutError` when a template fails or there is nothing to borrow from.
    """
    guaranteed = step.sidecar and resources.guaranteed(lent.subject.pod)
    fixed = _fixed(step, lent.size, guaranteed, lent.fixed_user)
    if not fixed.moving:
        return fixed.item
    texts = tuple([_text(hole, scope, parameters) for hole in fixed.holes])
    if step.borrow is not None:
        return _finished(fixed, _borrowing(fixed, texts, lent.subject))
    if sum(map(len, texts)) > _REMEMBERED:
        return _finished(fixed, _with(fixed, texts))
    return _filled(fixed, texts)


def _text(hole: _Hole, scope: Scope, parameters: Parameters) -> str:
    _, template, expanded, source = hole
    try:
        return template.render(scope, parameters, expanded=expanded)
    except EvaluationError as error:
        raise LeftOutError(Code.TEMPLATE_FAILED, source, str(error)) from None


_REMEMBERED = 512  # characters in holes: what an author chooses must not fill the memory


@lru_cache(maxsize=1024)
def _filled(fixed: _Fixed, texts: Texts) -> Item:
    """A step that borrows nothing, with these texts in its holes."""
    return _finished(fixed, _with(fixed, texts), kept=True)


def _with(fixed: _Fixed, texts: Texts) -> dict[str, Any]:
    container = dict(fixed.item.final)
    for hole, text in zip(fixed.holes, texts, strict=True):
        _put(container, hole[0], text)
    return container


def _borrowing(fixed: _Fixed, texts: Texts, subject: Subject) -> dict[str, Any]:
    step, container = fixed.step, _with(fixed, texts)
    assert step.borrow is not None
    source = _lender(step.borrow, step.place, subject)
    container = borrow.with_borrowed(container, step.borrow, source)
    if step.borrow.image:
        container["securityContext"] = _of_borrowed_image(step, source)
    return container


def _finished(fixed: _Fixed, container: dict[str, Any], *, kept: bool = False) -> Item:
    step = fixed.step
    if step.guarded:
        _guard(container, step.place)
        container = rules.stored(container)
    moved = {name: container[name] for name in fixed.moving if name in container}
    digests = {**fixed.item.digests, **ours.digests(ours.leaves(moved))}
    return Item(step.name, digests, None, container, kept)


class _Fixed(msgspec.Struct, frozen=True, eq=False):
    """What of a step is the same in every pod of one size, and what differs.

    `item` has the digests of the fields that do not move; `moving` are the others.
    """

    step: Step
    item: Item
    moving: tuple[str, ...]
    holes: tuple[_Hole, ...]


_BORROWED = ("image", "imagePullPolicy", "workingDir", "env", "envFrom", "volumeMounts",
             "securityContext")  # fmt: skip


@lru_cache(maxsize=4096)
def _fixed(step: Step, size: resources.Size, guaranteed: bool, fixed_user: bool) -> _Fixed:
    """A step with its defaults and resources, its holes still open."""
    container = {"name": step.name, **step.container}
    if step.borrow is None or not step.borrow.image:
        written, windows = step.container.get("securityContext"), step.os == "windows"
        container["securityContext"] = harden.hardened(
            written, windows=windows, fixed_user=fixed_user, lender=None
        )
    container.pop("resources", None)
    sized = _sized(step, size, guaranteed=guaranteed)
    if sized:
        container["resources"] = sized
    moving = {str(path[0]) for path, _ in step.holes} | set(_BORROWED if step.borrow else ())
    if step.guarded:
        moving |= set(container)
    still = {name: value for name, value in container.items() if name not in moving}
    item = Item(step.name, ours.digests(ours.leaves(still)), None, container, kept=True)
    holes = tuple(
        (path, template, _expanded(path), source)
        for (path, template), source in zip(step.holes, step.sources, strict=True)
    )
    return _Fixed(step, item, tuple(sorted(moving)), holes)


def _sized(step: Step, size: resources.Size, *, guaranteed: bool) -> Json:
    written = mapping(step.container.get("resources"))
    if step.sidecar:
        return resources.equalised(written) if guaranteed else written
    return resources.fitted(written, resources.as_resources(size))


def _lender(wanted: Borrow, where: str, subject: Subject) -> Json:
    source = borrow.lender(wanted, subject.containers)
    if source is None:
        detail = f"no application container is named {wanted.container}"
        raise LeftOutError(Code.BORROW_FAILED, f"{where}.borrow.container", detail)
    return source


def _of_borrowed_image(step: Step, source: Json) -> Json:
    written = step.container.get("securityContext")
    windows = step.os == "windows"
    return harden.hardened(written, windows=windows, fixed_user=True, lender=source)


def _fixed_user(subject: Subject) -> bool:
    return not subject.namespace_known or _OPENSHIFT_USERS not in subject.namespace.annotations


def _expanded(path: Path) -> bool:
    """Whether the kubelet expands `$(NAME)` in this field of a container."""
    return path[0] in ("command", "args") or path[-1] == "subPathExpr" or _is_variable(path)


def _is_variable(path: Path) -> bool:
    return path[0] == "env" and path[-1] == "value"


def _put(container: dict[str, Any], path: Path, text: str) -> None:
    """Set one string deep inside, copying what is on the way: the rest is shared by all pods.

    An empty one is left away, as the API server stores it, unless it is an item of a list.
    """
    here: Any = container
    for part in path[:-1]:
        child = here[part]
        here[part] = here = dict(child) if isinstance(child, dict) else list(child)
    if text or isinstance(here, list):
        here[path[-1]] = text
    else:
        del here[path[-1]]


def _guard(container: Json, where: str) -> None:
    """Templates fill fields that the API server checks: check them as it does, or a pod is lost."""
    for finding in rules.findings(container, volumes=None):
        if finding.severity == "error":
            place = f"{where}.container.{field_name(finding.path)}"
            raise LeftOutError(Code.TEMPLATE_FAILED, place, finding.what)
