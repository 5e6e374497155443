"""One step to the container that it becomes in one pod: templates, borrowing, defaults, size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
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
Holes = tuple[tuple[Path, Template, bool, str], ...]

_OPENSHIFT_USERS = "openshift.io/sa.scc.uid-range"  # on namespaces whose users OpenShift assigns


class Rendered(msgspec.Struct, frozen=True):
    """The container of a step in one pod, in stored form, and the digests of its fields."""

    name: str
    container: Json
    digests: Mapping[str, str]


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


def render(step: Step, lent: Lent, scope: Scope, parameters: Parameters) -> Rendered:
    """The container that a step becomes in this pod.

    Raises `LeftOutError` when a template
    fails or there is nothing to borrow from.
    """
    subject = lent.subject
    guaranteed = step.sidecar and resources.guaranteed(subject.pod)
    fixed = _fixed(step, lent.size, guaranteed, lent.fixed_user)
    if not fixed.moving:
        return fixed.rendered
    container, digests = dict(fixed.rendered.container), dict(fixed.rendered.digests)
    _fill(container, fixed.holes, scope, parameters)
    if step.borrow is not None:
        source = _lender(step.borrow, step.place, subject)
        container = borrow.with_borrowed(container, step.borrow, source)
        if step.borrow.image:
            container["securityContext"] = _of_borrowed_image(step, source)
    if step.guarded:
        _guard(container, step.place)
        container = rules.stored(container)
    moved = {name: container[name] for name in fixed.moving if name in container}
    digests.update(ours.digests(ours.leaves(moved)))
    return Rendered(step.name, container, digests)


def _fill(container: dict[str, Any], holes: Holes, scope: Scope, parameters: Parameters) -> None:
    for path, template, expanded, source in holes:
        try:
            text = template.render(scope, parameters, expanded=expanded)
        except EvaluationError as error:
            raise LeftOutError(Code.TEMPLATE_FAILED, source, str(error)) from None
        if "\0" in text:
            raise LeftOutError(Code.TEMPLATE_FAILED, source, "holds a NUL character")
        _put(container, path, text)


class _Fixed(msgspec.Struct, frozen=True):
    """What of a step is the same in every pod of one size, and what differs.

    `rendered` has the digests of the fields that do not move; `moving` are the others. `holes` are
    the step's, each with whether the kubelet expands `$(NAME)` in its field, and the field of the
    policy that it comes from.
    """

    rendered: Rendered
    moving: tuple[str, ...]
    holes: Holes


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
    rendered = Rendered(step.name, container, ours.digests(ours.leaves(still)))
    holes = tuple(
        (path, template, _expanded(path), source)
        for (path, template), source in zip(step.holes, step.sources, strict=True)
    )
    return _Fixed(rendered, tuple(sorted(moving)), holes)


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
