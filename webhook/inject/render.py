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

_OPENSHIFT_USERS = "openshift.io/sa.scc.uid-range"  # on namespaces whose users OpenShift assigns


class Rendered(msgspec.Struct, frozen=True):
    """The container of a step in one pod, in stored form, and the digests of its fields."""

    name: str
    container: Json
    digests: Mapping[str, str]


class Lent(msgspec.Struct, frozen=True):
    """What the pod lends to its steps: itself, to borrow from, and the size of a container."""

    subject: Subject
    size: resources.Size


def render(step: Step, where: str, lent: Lent, scope: Scope, parameters: Parameters) -> Rendered:
    """The container that a step becomes in this pod.

    `where` is the step's field in the policy, for reasons. Raises `LeftOutError` when a template
    fails or there is nothing to borrow from.
    """
    subject = lent.subject
    prepared = _prepared(step, step.os == "windows", _fixed_user(subject))
    container, digests = dict(prepared.container), dict(prepared.digests)
    for path, template in step.holes:
        _put(container, path, _filled(template, scope, parameters, f"{where}.container", path))
    sized = _sized(step, lent.size, _guaranteed(step, subject))
    container.update(sized.container)
    digests.update(sized.digests)
    if step.borrow is not None:
        source = _lender(step.borrow, where, subject)
        container = borrow.with_borrowed(container, step.borrow, source)
        if step.borrow.image:
            container["securityContext"] = _of_borrowed_image(step, source)
    if step.guarded:
        _guard(container, where)
        container = rules.stored(container)
    for name in prepared.moving:
        if name in container:
            digests.update(ours.digests(ours.leaves({name: container[name]})))
    return Rendered(step.name, container, digests)


class _Part(msgspec.Struct, frozen=True):
    """Some fields of a container with their digests; `moving` are fields that differ by pod."""

    container: Json
    digests: Mapping[str, str]
    moving: tuple[str, ...] = ()


_BORROWED = ("image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "securityContext")


@lru_cache(maxsize=4096)
def _prepared(step: Step, windows: bool, fixed_user: bool) -> _Part:
    """What of a step is the same in every pod: its container with defaults, and most digests."""
    container = {"name": step.name, **step.container}
    if step.borrow is None or not step.borrow.image:
        written = step.container.get("securityContext")
        container["securityContext"] = harden.hardened(
            written, windows=windows, fixed_user=fixed_user, lender=None
        )
    moving = {str(path[0]) for path, _ in step.holes} | set(_BORROWED if step.borrow else ())
    if step.guarded:
        moving |= set(container)
    still = {name: value for name, value in container.items() if name not in moving}
    return _Part(container, ours.digests(ours.leaves(still)), tuple(sorted(moving)))


@lru_cache(maxsize=4096)
def _sized(step: Step, size: resources.Size, guaranteed: bool) -> _Part:
    """The resources of a step in a pod of that size, as a container without anything else."""
    written = mapping(step.container.get("resources"))
    if step.sidecar:
        wanted = resources.equalised(written) if guaranteed else written
    else:
        wanted = resources.fitted(written, resources.as_resources(size))
    container = {"resources": wanted} if wanted else {}
    return _Part(container, ours.digests(ours.leaves(container)))


def _guaranteed(step: Step, subject: Subject) -> bool:
    return step.sidecar and resources.guaranteed(subject.pod)


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


def _filled(
    template: Template, scope: Scope, parameters: Parameters, where: str, path: Path
) -> str:
    try:
        text: str = template.render(scope, parameters, expanded=_expanded(path))
    except EvaluationError as error:
        raise LeftOutError(
            Code.TEMPLATE_FAILED, f"{where}.{field_name(path)}", str(error)
        ) from None
    if "\0" in text:
        raise LeftOutError(
            Code.TEMPLATE_FAILED, f"{where}.{field_name(path)}", "holds a NUL character"
        )
    return text


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
