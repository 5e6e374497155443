"""`job`, `deployment`, `statefulset`, `pod` and `object`: an object of the cluster is ready.

`job://NAME` is in the namespace of the pod, `job://NAMESPACE/NAME` in another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from webhook.runner import check
from webhook.runner.address import Address
from webhook.runner.objects import account
from webhook.runner.objects.follow import Followed
from webhook.runner.objects.readiness import JUDGES, Judge, condition
from webhook.runner.objects.resource import KNOWN, Kind, Resource

# API reference: names are DNS subdomains, those of namespaces labels.
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_NAMESPACE = re.compile(_LABEL)
_VERSION = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*/)?v[0-9a-z]{{1,62}}")
_KIND = re.compile(r"[A-Z][0-9A-Za-z]{0,62}")
_CONDITION = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_./]{0,315}")


@dataclass(frozen=True, slots=True)
class Meant:
    """Which object; an empty `namespace` is the pod's own.

    `known` is where its kind is found, None where only the API server can tell.
    """

    kind: Kind
    name: str
    namespace: str
    judge: Judge
    known: Resource | None = None


def read(address: Address) -> check.Check:
    """Ready when the object is: see `webhook.runner.objects.readiness`."""
    if address.listed:
        address.refuse("is an object of the cluster, which cannot stand in --targets")
    one = meant(address)
    who = account.found(address, address.one("account", account.FOLDER))
    return Followed(who, one.kind, one.name, one.namespace, one.judge, one.known)


def meant(address: Address) -> Meant:
    """The object that a target names; raises UsageError."""
    any_kind = address.scheme == "object"
    address.know("account", *(("api-version", "kind", "condition", "status") if any_kind else ()))
    if address.port or address.query:
        address.refuse("has a port or a query; write the namespace and the name alone")
    namespace, name = _named(address)
    if any_kind:
        kind, judge = _any(address)
        return Meant(kind, name, namespace, judge)
    found = KNOWN[address.scheme]
    return Meant(found.kind, name, namespace, JUDGES[address.scheme], found)


def _named(address: Address) -> tuple[str, str]:
    within = address.path.strip("/")
    namespace, name = (address.host, within) if within else ("", address.host)
    if not _NAME.fullmatch(name):
        address.refuse(f"{name[:100]!r} is no name of an object")
    if namespace and not _NAMESPACE.fullmatch(namespace):
        address.refuse(f"{namespace[:100]!r} is no name of a namespace")
    return namespace, name


def _any(address: Address) -> tuple[Kind, Judge]:
    said = {name: address.one(name) for name in ("api-version", "kind", "condition")}
    for (name, value), form in zip(said.items(), (_VERSION, _KIND, _CONDITION), strict=True):
        if not value:
            address.refuse(f"has no {name}; add {name}=…")
        if not form.fullmatch(value):
            address.refuse(f"{name} {value[:100]!r} is none")
    version, kind, name = said.values()
    return Kind(version, kind), condition(name, address.one("status", "True"))
