"""Whether one policy is for one pod: its match, its conditions, its parameters.

`decide` and `explain` both ask here, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.errors import EvaluationError
from webhook.expression.activation import Scope
from webhook.expression.reads import join
from webhook.inject import match
from webhook.inject.decision import Code, LeftOutError, Reason
from webhook.inject.match import NamespaceUnknownError, Subject
from webhook.policy.compiled import Condition, Parameter, Policy
from webhook.policy.namespace import Namespace
from webhook.review.request import Request

Json = Mapping[str, Any]
Parameters = Mapping[str, object]


def unmatched(policy: Policy, subject: Subject) -> Reason | None:
    """The clause that leaves a policy aside, or None when its `match` holds and no `exclude` does.

    Raises `LeftOutError` when only a namespace that is not known could tell.
    """
    if policy.namespace and policy.namespace != subject.namespace_name:
        return Reason(Code.UNMATCHED, policy.key, "metadata.namespace")
    try:
        clause = match.failed(policy.match, subject)
        if clause is not None:
            return Reason(Code.UNMATCHED, policy.key, f"match.{clause}")
        for index, entry in enumerate(policy.exclude):
            if match.failed(entry, subject) is None:
                return Reason(Code.EXCLUDED, policy.key, f"exclude[{index}]")
    except NamespaceUnknownError:
        raise _namespace_unknown(subject) from None
    return None


def open_scope(
    policies: Sequence[Policy], subject: Subject, request: Request, namespace: Namespace | None
) -> Scope:
    """What the expressions of these policies can see of one review; converted when first asked."""
    reads = policies[0].reads if len(policies) == 1 else join(*[p.reads for p in policies])
    return Scope(
        object=subject.pod, request=request.raw, namespace=_as_object(namespace), reads=reads
    )


def _as_object(namespace: Namespace | None) -> Json | None:
    if namespace is None:
        return None
    metadata = {
        "name": namespace.name,
        "labels": namespace.labels,
        "annotations": namespace.annotations,
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def parameters(policy: Policy, subject: Subject) -> Parameters:
    """The value of each parameter for this pod; raises `LeftOutError` for one that has none."""
    return {parameter.name: _value(parameter, subject) for parameter in policy.parameters}


def _value(parameter: Parameter, subject: Subject) -> object:
    for source, key in parameter.sources:
        text = _source(source, subject, parameter.name).get(key)
        if text is None:
            continue
        try:
            return parameter.read(text)
        except ValueError as error:
            raise LeftOutError(
                Code.PARAMETER_FAILED, f"parameters[{parameter.name}]", f"{source} {key}: {error}"
            ) from None
    if parameter.default is None:
        detail = "is not set and has no default"
        raise LeftOutError(Code.PARAMETER_FAILED, f"parameters[{parameter.name}]", detail)
    return parameter.default


def _source(source: str, subject: Subject, name: str) -> Json:
    if source == "podAnnotation":
        return subject.annotations
    if source == "podLabel":
        return subject.labels
    try:
        namespace = subject.namespace
    except NamespaceUnknownError:
        raise _namespace_unknown(subject, f"parameters[{name}]") from None
    return namespace.annotations if source == "namespaceAnnotation" else namespace.labels


def _namespace_unknown(subject: Subject, field: str = "match.namespaceSelector") -> LeftOutError:
    detail = f"the labels of namespace {subject.namespace_name} are not known"
    return LeftOutError(Code.NAMESPACE_UNKNOWN, field, detail)


def conditions(policy: Policy, subject: Subject, scope: Scope) -> tuple[Reason | None, Parameters]:
    """The condition that is false (or None), and the parameters.

    Parameters are read when the first condition needs them, at the latest after the last: a pod
    that an earlier condition leaves aside is not refused for a bad annotation. Raises
    `LeftOutError`.
    """
    values: Parameters | None = None if policy.parameters else {}
    for condition in policy.conditions:
        if values is None and condition.expression.reads.under("parameters"):
            values = parameters(policy, subject)
        if not holds(condition, subject, scope, values):
            return Reason(
                Code.CONDITION_FALSE, policy.key, f"conditions[{condition.name}]"
            ), values or {}
    return None, parameters(policy, subject) if values is None else values


def holds(condition: Condition, subject: Subject, scope: Scope, values: Parameters | None) -> bool:
    """Whether one condition is true; raises `LeftOutError` when it fails."""
    try:
        return condition.expression.boolean(scope, values)
    except EvaluationError as error:
        about_namespace = condition.expression.reads.under("namespaceObject")
        unknown = about_namespace and not subject.namespace_known
        code = Code.NAMESPACE_UNKNOWN if unknown else Code.CONDITION_FAILED
        raise LeftOutError(code, f"conditions[{condition.name}]", str(error)) from None
