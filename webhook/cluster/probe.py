"""What the API server does with a pod in a namespace that enforces, seen by a dry run.

Nothing is created. It needs the rights to list namespaces and to create pods: without them, or
where something else refuses the pod, nothing has been seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from enum import Enum
from urllib.parse import urlencode

from webhook.cluster.api import Api, ApiError, Json

ENFORCING = urlencode({"labelSelector": "initject.dev/enforce=true"})
MARKER = "initject.dev/injected"  # on every pod that was answered where a namespace enforces
PATIENCE = 30.0  # seconds; an API server acts on a change within one or two
PAUSE = 0.25
_RESOURCES = {"cpu": "1m", "memory": "1Mi", "ephemeral-storage": "1Mi"}


class Seen(Enum):
    """What became of the pod."""

    FREE = "admitted without us"
    ANSWERED = "answered by us"
    UNANSWERED = "refused, for we did not answer"
    NOTHING = "cannot be seen"


async def until(
    api: Api, policy: str, webhooks: Collection[str], wanted: Collection[Seen]
) -> tuple[Seen, str]:
    """Looks until it sees one of `wanted`, or cannot see, or time is over: what, and where or why.

    `policy` is the name of our ValidatingAdmissionPolicy, `webhooks` those of our webhooks.
    """
    namespace, why = await _enforcing(api)
    if not namespace:
        return Seen.NOTHING, why
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        seen, why = await _look(api, namespace, policy, webhooks)
        if seen in wanted or seen is Seen.NOTHING or asyncio.get_running_loop().time() > end:
            return seen, why or f"namespace {namespace}"
        await asyncio.sleep(PAUSE)


async def _enforcing(api: Api) -> tuple[str, str]:
    """A namespace that enforces, or why there is none to look at."""
    try:
        listed = await api.all(f"/api/v1/namespaces?{ENFORCING}")
    except ApiError as error:
        return "", str(error)
    names = [one["metadata"]["name"] for one in listed.objects if not _ending(one)]
    return (names[0], "") if names else ("", "no namespace is labelled initject.dev/enforce=true")


def _ending(namespace: Json) -> bool:
    return "deletionTimestamp" in namespace["metadata"]


async def _look(
    api: Api, namespace: str, policy: str, webhooks: Collection[str]
) -> tuple[Seen, str]:
    try:
        pod = await api.write("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", _POD)
    except ApiError as error:
        return _refused(str(error), policy, webhooks), str(error)
    answered = MARKER in (pod["metadata"].get("annotations") or {})
    return (Seen.ANSWERED if answered else Seen.FREE), ""


def _refused(text: str, policy: str, webhooks: Collection[str]) -> Seen:
    """By the words of the API server, which has no codes for it."""
    if f"ValidatingAdmissionPolicy '{policy}'" in text:
        return Seen.UNANSWERED
    if not any(f'webhook "{name}"' in text for name in webhooks):
        return Seen.NOTHING
    return Seen.ANSWERED if "denied the request" in text else Seen.UNANSWERED


# What passes the Pod Security Standard `restricted`, and quotas that are not full.
_POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "initject-emergency-"},
    "spec": {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "probe",
                "image": "initject.invalid/probe:none",
                "resources": {"requests": _RESOURCES, "limits": _RESOURCES},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}
