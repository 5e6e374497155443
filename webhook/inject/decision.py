"""The answer for one pod, with its reasons as data.

Values that every review makes are msgspec structs, here and in the rest of the room: a frozen
dataclass takes ten times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from webhook.policy.glob import Glob
from webhook.review.patch import NO_PATCH, Operation


class Code(StrEnum):
    """Why something happened or did not: the words of metrics, logs, annotations and `explain`."""

    # the whole request
    NOT_A_POD_CREATION = "not_a_pod_creation"
    NO_POD = "no_pod"
    MIRROR_POD = "mirror_pod"
    NAMESPACE_OPTED_OUT = "namespace_opted_out"
    NAMESPACE_NOT_OPTED_IN = "namespace_not_opted_in"
    NAMESPACE_EXCLUDED = "namespace_excluded"
    NODE_CRITICAL = "node_critical"
    # one policy: not for this pod
    UNMATCHED = "unmatched"
    EXCLUDED = "excluded"
    CONDITION_FALSE = "condition_false"
    OPTED_OUT = "opted_out"
    # one policy: for this pod, but left out (or the pod is denied)
    NAMESPACE_UNKNOWN = "namespace_unknown"
    CONDITION_FAILED = "condition_failed"
    PARAMETER_FAILED = "parameter_failed"
    TEMPLATE_FAILED = "template_failed"
    BORROW_FAILED = "borrow_failed"
    CONFLICT = "conflict"
    OS_UNSUPPORTED = "os_unsupported"
    HOST_NETWORK = "host_network"
    # one policy: applied, and what is worth knowing about it
    APPLIED = "applied"
    PLANNED = "planned"  # it would be applied, but another policy denies the pod
    AUDITED = "audited"
    CHANGED = "changed"
    ORPHAN = "orphan"
    PLACEMENT = "placement"
    MESH = "mesh"
    COST = "cost"


class Reason(msgspec.Struct, frozen=True):
    """One fact of a decision. `policy` is empty when it concerns the whole request.

    `field` is a field of the policy or of the pod, `detail` a clause for people, without any value
    of the pod's environment.
    """

    code: Code
    policy: str = ""
    field: str = ""
    detail: str = ""


class LeftOutError(Exception):
    """Why a policy is left out of a pod (or the pod is denied) although it matched."""

    def __init__(self, code: Code, where: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.field = where
        self.detail = detail


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """The few settings that decisions depend on (their meaning: docs/reference/settings.md).

    Made once; compared by identity, so that what was found out under them can be remembered.
    """

    inject: str = "all"  # or "opt-in"
    excluded: tuple[Glob, ...] = ()  # namespaces left alone in mode `all`
    keep_first: tuple[Glob, ...] = ()  # init containers that stay in front of ours
    mirrors: tuple[Glob, ...] = ()  # images that a registry mirror may have written
    pull_secrets: tuple[str, ...] = ()  # for pods that get an image of a recipe
    evictable: bool = False  # the autoscaler may move a pod in spite of volumes of recipes


class Decision(msgspec.Struct, frozen=True):
    """What is answered. `pod` is the pod after the patch, or None when there is none to speak of.

    `message` is set when `allowed` is false; `refused_by` then names the policies that refused the
    pod. `audit` are the audit annotations. `faulty` is true when the request itself was wrong (a
    CREATE of pods without a pod): allowed, and counted.
    """

    allowed: bool = True
    message: str = ""
    refused_by: tuple[str, ...] = ()
    patch: tuple[Operation, ...] = NO_PATCH
    pod: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    audit: Mapping[str, str] = {}
    faulty: bool = False

    @property
    def applied(self) -> tuple[str, ...]:
        """The keys of the policies whose steps are in the pod, in the order they were planned."""
        return tuple(r.policy for r in self.reasons if r.code is Code.APPLIED)
