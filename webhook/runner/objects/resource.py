"""Where objects of a kind are: the path of their collection, and what a Role calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.errors import NotReadyError
from webhook.runner.deadline import Deadline
from webhook.runner.objects import ask
from webhook.runner.objects.account import Account


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as a manifest names it: `batch/v1` and `Job`."""

    version: str
    name: str

    @property
    def root(self) -> str:
        """The path below which its version is served."""
        return f"/{'apis' if '/' in self.version else 'api'}/{self.version}"

    @property
    def group(self) -> str:
        """The group, empty for the core."""
        return self.version.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as paths and Roles name it: `jobs`; `namespaced` is whether it is in namespaces."""

    kind: Kind
    plural: str
    namespaced: bool = True

    def path(self, namespace: str) -> str:
        """The path of all of them, in a namespace where they are in one."""
        inside = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{self.kind.root}{inside}/{self.plural}"

    @property
    def right(self) -> str:
        """As `kubectl auth can-i` has it: `jobs.batch`."""
        return f"{self.plural}.{self.kind.group}".rstrip(".")


# Those that have a word of their own.
KNOWN: Mapping[str, Resource] = {
    "job": Resource(Kind("batch/v1", "Job"), "jobs"),
    "deployment": Resource(Kind("apps/v1", "Deployment"), "deployments"),
    "statefulset": Resource(Kind("apps/v1", "StatefulSet"), "statefulsets"),
    "pod": Resource(Kind("v1", "Pod"), "pods"),
}


def find(account: Account, kind: Kind, deadline: Deadline) -> Resource:
    """The resource of a kind, as the API server's discovery has it; raises NotReadyError.

    Every service account may ask for that (ClusterRole `system:discovery`).
    """
    try:
        found = ask.read(account, kind.root, deadline)
    except ask.GoneError:
        found = {}
    for one in found.get("resources") or []:
        if one.get("kind") == kind.name and "/" not in one.get("name", "/"):
            return Resource(kind, one["name"], bool(one.get("namespaced")))
    msg = f"the API server knows no {kind.name} of {kind.version}"
    raise NotReadyError(msg)
