"""What variables may say, and what they may be read from.

Source: `ValidateEnv`, `validateObjectFieldSelector`, `validateContainerResourceFieldSelector` in
kubernetes 1.37.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import name as names
from webhook.form import words
from webhook.policy import quantity
from webhook.policy.apiserver import formats
from webhook.policy.apiserver.walk import Rules

_ENV_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName"),
    *("spec.serviceAccountName", "status.hostIP", "status.hostIPs"),
    *("status.podIP", "status.podIPs"),
)
_VOLUME_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid"),
    *("metadata.labels", "metadata.annotations"),
)
_RESOURCES = tuple(
    f"{kind}.{name}"
    for kind in ("limits", "requests")
    for name in ("cpu", "memory", "ephemeral-storage")
)
_UNITS = ("", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_BYTES = frozenset({"0", *(f"1{unit}" for unit in _UNITS)})
_CPU = frozenset({"1", "1m", "0"})
_SUBSCRIPT = re.compile(r"(metadata\.(labels|annotations))\['(.*)'\]")


def _variable(variable: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    name = variable.get("name", "")
    if name and not formats.env_name(name) and not formats.is_old_env_name(name):
        what = f"{name!r} is a name that clusters before Kubernetes 1.34 refuse"
        yield Finding((*path, "name"), what, "use letters, digits and '_'", "warning")
    if variable.get("value") and variable.get("valueFrom"):
        yield Finding((*path, "valueFrom"), "stands beside value", "only one of them is allowed")


def _variables(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for index, variable in enumerate(container.get("env", ())):
        name = variable.get("name")
        if name and seen.setdefault(name, index) != index:
            what = f"{name!r} is already set by env[{seen[name]}]; the later one wins"
            yield Finding((*path, "env", index, "name"), what, "remove one of the two", "warning")
            seen[name] = index


def _env_source(source: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if "fieldRef" in source:
        yield from _field(source["fieldRef"], _ENV_FIELDS, (*path, "fieldRef"))
    if "resourceFieldRef" in source:
        yield from _resource(source["resourceFieldRef"], (*path, "resourceFieldRef"))


def _volume_source(source: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if "fieldRef" in source:
        yield from _field(source["fieldRef"], _VOLUME_FIELDS, (*path, "fieldRef"))
    if "resourceFieldRef" in source:
        here = (*path, "resourceFieldRef")
        yield from _resource(source["resourceFieldRef"], here)
        if not source["resourceFieldRef"].get("containerName"):
            what = "is missing"
            yield Finding((*here, "containerName"), what, "a volume must say of which container")


def _field(reference: Mapping[str, Any], fields: tuple[str, ...], path: Path) -> Iterator[Finding]:
    text, here = reference.get("fieldPath", ""), (*path, "fieldPath")
    if reference.get("apiVersion", "v1") not in ("v1", ""):
        yield Finding((*path, "apiVersion"), "there is only v1", "remove it")
    if not text or formats.is_template(text) or text in fields:
        return
    subscript = _SUBSCRIPT.fullmatch(text)
    if subscript is None:
        yield Finding(
            here, f"{text!r} is no field that can be read here", _near_field(text, fields)
        )
    elif names.key(subscript[3].lower() if subscript[2] == "annotations" else subscript[3]):
        fault = names.key(subscript[3])
        yield Finding(here, f"the key {subscript[3]!r} {fault}", "")


def _near_field(text: str, fields: tuple[str, ...]) -> str:
    if text.startswith(("metadata.labels", "metadata.annotations")):
        return "write metadata.labels['KEY'] or metadata.annotations['KEY']"
    return words.meant(text, fields)


def _resource(reference: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    text = reference.get("resource", "")
    huge = text.startswith(("limits.hugepages-", "requests.hugepages-"))
    if not text or formats.is_template(text):
        return
    if text not in _RESOURCES and not huge:
        what = f"{text!r} is no resource that can be read"
        yield Finding((*path, "resource"), what, words.meant(text, _RESOURCES))
        return
    divisor = reference.get("divisor", "0")
    allowed = _CPU if text.endswith(".cpu") else _BYTES
    if isinstance(divisor, str) and formats.is_template(divisor):
        return
    if quantity.canonical(divisor) not in allowed:
        what = f"{divisor} is no divisor for {text}"
        yield Finding((*path, "divisor"), what, words.meant(str(divisor), sorted(allowed - {"0"})))


RULES: Rules = {
    "Container": (_variables,),
    "EnvVar": (_variable,),
    "EnvVarSource": (_env_source,),
    "DownwardAPIVolumeFile": (_volume_source,),
}
