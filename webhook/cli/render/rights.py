"""The Roles that pods need whose steps wait for objects of the cluster.

What a step waits for is read from the words of its command, so that it does not matter whether a
recipe wrote them. Source of the rule that a name is enough: RBAC documentation, "Referring to
resources" (`list` and `watch` with a selector for `metadata.name`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from webhook.errors import UsageError
from webhook.manifest import runner
from webhook.runner.schemes import SCHEMES

if TYPE_CHECKING:
    from webhook.runner.kinds.object import Meant
    from webhook.runner.objects.resource import Kind, Resource

Raw = Mapping[str, Any]

GROUP = "rbac.authorization.k8s.io"
VERBS = ["list", "watch"]


@dataclass(frozen=True, slots=True, order=True)
class Account:
    """A service account."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """As `kubectl` has it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Need:
    """That an account may see an object. `guessed`: its kind is not known here."""

    account: Account
    namespace: str
    resource: Resource
    name: str
    guessed: bool = False


def needs(pod: Raw, namespace: str) -> list[Need]:
    """What a pod of a namespace needs to see."""
    spec = pod.get("spec") or {}
    account = Account(namespace, spec.get("serviceAccountName") or "default")
    found = []
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        for one in _meant(container):
            resource = one.known or _guess(one.kind)
            where = one.namespace or namespace
            found.append(Need(account, where, resource, one.name, one.known is None))
    return found


def objects_for(every: Iterable[Need]) -> list[dict[str, Any]]:
    """A Role and a RoleBinding for each account and namespace, as manifests."""
    grouped: dict[tuple[Account, str], list[Need]] = {}
    for need in every:
        grouped.setdefault((need.account, need.namespace), []).append(need)
    return [
        manifest
        for (account, namespace), of in sorted(grouped.items(), key=lambda item: item[0])
        for manifest in _pair(account, namespace, of)
    ]


def notes(every: Iterable[Need]) -> Iterator[str]:
    """Below a verdict: whose rights it takes."""
    for account in sorted({need.account for need in every}):
        yield f"needs a Role for the service account {account}: initject preview -o rights"


def guesses(every: Iterable[Need]) -> Iterator[str]:
    """What of the Roles should be looked at."""
    for resource in dict.fromkeys(need.resource for need in every if need.guessed):
        yield (
            f"{resource.right} is a guess for {resource.kind.name} of {resource.kind.version}; "
            "kubectl api-resources has its name, and whether it needs a ClusterRole"
        )


def _pair(account: Account, namespace: str, of: Iterable[Need]) -> Iterator[dict[str, Any]]:
    # A colon is in no name of an account or a namespace.
    whose = [] if account.namespace == namespace else [account.namespace]
    name = ":".join(["initject-wait", *whose, account.name])
    metadata = {"name": name, "namespace": namespace}
    names: dict[tuple[str, str], set[str]] = {}
    for need in of:
        key = (need.resource.kind.group, need.resource.plural)
        names.setdefault(key, set()).add(need.name)
    rules = [
        {
            "apiGroups": [group],
            "resources": [plural],
            "resourceNames": sorted(called),
            "verbs": VERBS,
        }
        for (group, plural), called in sorted(names.items())
    ]
    head = {"apiVersion": f"{GROUP}/v1"}
    yield {**head, "kind": "Role", "metadata": metadata, "rules": rules}
    yield {
        **head,
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": name},
        "subjects": [
            {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
        ],
    }


def _meant(container: Raw) -> Iterator[Meant]:
    verb, *waited = runner.words(container) or [""]
    if verb != "wait":
        return
    if not any(SCHEMES.get(word.partition(":")[0]) == "object" for word in waited):
        return
    # The runner's words bring its connections along, which a preview does not need otherwise.
    from webhook.runner import address, words
    from webhook.runner.kinds import object as objects

    for item in words.split(waited):
        with suppress(UsageError):  # the runner says so
            found = words.parse(item) if isinstance(item, words.Group) else address.parse(item)
            if SCHEMES.get(found.scheme) == "object":
                yield objects.meant(found)


def _guess(kind: Kind) -> Resource:
    """As apimachinery's UnsafeGuessKindToResource does it."""
    from webhook.runner.objects.resource import Resource

    low = kind.name.lower()
    if low.endswith("s"):
        return Resource(kind, f"{low}es")
    return Resource(kind, f"{low[:-1]}ies" if low.endswith("y") else f"{low}s")
