"""Objects of the cluster that can be waited for, as they are written in a policy."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.form import label
from webhook.form import name as names
from webhook.form.form import Choice, Filled, Pattern, Text
from webhook.form.part import Part, needed, told
from webhook.recipes import reference

_NAME = Filled(reference.NAME)
_NAMESPACE = Filled(label.NAME)
_VERSION = Pattern(
    r"^([a-z0-9][-a-z0-9.]*/)?v[a-z0-9]+$", "be a version such as v1 or batch/v1", ""
)
_KIND = Pattern("^[A-Z][A-Za-z0-9]*$", "be a kind such as Certificate", "")
_CONDITION = Pattern(r"^[A-Za-z0-9][-A-Za-z0-9_./]*$", "be a condition such as Ready", "")
_CALLED = "The name of the object."
_WHERE = "Its namespace; the pod's own without it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An object of the cluster, by its name."""

    name: str = needed(_NAME, _CALLED)
    namespace: str | None = told(_NAMESPACE, _WHERE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCondition:
    """An entry of `status.conditions`."""

    type: str = needed(Text(316, pattern=_CONDITION), "Its type, such as Ready.")
    status: str = told(
        Choice(("True", "False", "Unknown")), "The status that is waited for.", default="True"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyObject:
    """An object of any kind, and the condition that it must have."""

    api_version: str = needed(
        Text(316, pattern=_VERSION), "The version of its kind, as in its manifest."
    )
    kind: str = needed(Text(names.MAX_NAME, pattern=_KIND), "Its kind, as in its manifest.")
    name: str = needed(_NAME, _CALLED)
    namespace: str | None = told(_NAMESPACE, _WHERE)
    condition: StatusCondition = needed(Part(StatusCondition), "The condition that it must have.")
