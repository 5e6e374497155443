"""One step to the container that it becomes in one pod: templates, borrowing, defaults, size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from webhook.document.problem import Path
from webhook.document.problem import field as field_name
from webhook.errors import EvaluationError
from webhook.expression.activation import Scope
from webhook.expression.template import Template
from webhook.inject import borrow, harden, ours, resources
from webhook.inject.decision import Code, LeftOutError
from webhook.inject.match import Subject, mapping
from webhook.policy import container as rules
from webhook.policy import quantity
from webhook.policy.compiled import Step

Json = Mapping[str, Any]
Parameters = Mapping[str, object]

_OPENSHIFT_USERS = "openshift.io/sa.scc.uid-range"  # on namespaces whose users OpenShift assigns


@dataclass(frozen=True, slots=True)
class Rendered:
    """The container of a step in one pod, in stored form, and the digests of its fields."""

    name: str
    container: Json
    digests: Mapping[str, str]


def render(
    step: Step, where: str, subject: Subject, scope: Scope, parameters: Parameters
) -> Rendered:
    """The container that a step becomes in this pod.

    `where` is the step's field in the policy, for reasons. Raises `LeftOutError` when a template
    fails or there is nothing to borrow from.
    """
    source = _lender(step, where, subject)
    windows = step.os == "windows"
    base, base_digests = _prepared(step, windows, _fixed_user(subject))
    touched = {"resources"}
    container = dict(base)
    for path, template in step.holes:
        _put(container, path, _filled(template, scope, parameters, f"{where}.container", path))
        touched.add(str(path[0]))
    if source is not None and step.borrow is not None:
        container = borrow.with_borrowed(container, step.borrow, source)
        touched.update(
            ("image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "securityContext")
        )
        if step.borrow.image:
            container["securityContext"] = harden.hardened(
                step.container.get("securityContext"),
                windows=windows,
                fixed_user=True,
                lender=source,
            )
    sized = _sized(step, subject)
    if sized:
        container["resources"] = sized
    if step.guarded:
        _guard(container, where)
        container = rules.stored(container)
    moving = {name: container[name] for name in touched if name in container}
    return Rendered(step.name, container, {**base_digests, **ours.digests(ours.leaves(moving))})


def _lender(step: Step, where: str, subject: Subject) -> Json | None:
    if step.borrow is None:
        return None
    source = borrow.lender(step.borrow, subject.containers)
    if source is None:
        detail = f"no application container is named {step.borrow.container}"
        raise LeftOutError(Code.BORROW_FAILED, f"{where}.borrow.container", detail)
    return source


@lru_cache(maxsize=4096)
def _prepared(step: Step, windows: bool, fixed_user: bool) -> tuple[Json, Mapping[str, str]]:
    """What of a step is the same in every pod: its container with defaults, and most digests."""
    borrows_image = step.borrow is not None and step.borrow.image
    container = {"name": step.name, **step.container}
    if not borrows_image:
        written = step.container.get("securityContext")
        container["securityContext"] = harden.hardened(
            written, windows=windows, fixed_user=fixed_user, lender=None
        )
    moving = {"resources", *(str(path[0]) for path, _ in step.holes)}
    if step.borrow is not None:
        moving |= {"image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "securityContext"}
    still = {name: value for name, value in container.items() if name not in moving}
    return container, ours.digests(ours.leaves(still))


def _fixed_user(subject: Subject) -> bool:
    return not subject.namespace_known or _OPENSHIFT_USERS not in subject.namespace.annotations


def _sized(step: Step, subject: Subject) -> Json:
    written = step.container.get("resources")
    if step.sidecar:
        wanted = mapping(written)
        return resources.equalised(wanted) if resources.guaranteed(subject.pod) else wanted
    return resources.fitted(mapping(written), _canonical(resources.model(subject.containers)))


def _canonical(sized: Json) -> Json:
    return {
        name: {key: quantity.canonical(value) for key, value in section.items()}
        for name, section in sized.items()
    }


def _filled(
    template: Template, scope: Scope, parameters: Parameters, where: str, path: Path
) -> str:
    try:
        text: str = template.render(scope, parameters)
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
    """Set one string deep inside, copying what is on the way: the rest is shared by all pods."""
    here: Any = container
    for part in path[:-1]:
        child = here[part]
        here[part] = here = dict(child) if isinstance(child, dict) else list(child)
    here[path[-1]] = text


def _guard(container: Json, where: str) -> None:
    """Templates fill fields that the API server checks: check them as it does, or a pod is lost."""
    for finding in rules.findings(container, volumes=None):
        if finding.severity == "error":
            place = f"{where}.container.{field_name(finding.path)}"
            raise LeftOutError(Code.TEMPLATE_FAILED, place, finding.what)
