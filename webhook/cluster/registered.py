"""Our MutatingWebhookConfiguration in an emergency: the switch in it, and what it remembers.

Functions that are given a configuration return JSON patch operations for it; none changes anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from webhook.cluster.api import Json
from webhook.errors import ClusterError

NAME = "emergency-off"
CONDITION = {"name": NAME, "expression": "false"}
REMEMBERED = "initject.dev/emergency"  # annotation of the configuration: bindings, by name
MAX_CONDITIONS = 64  # of one webhook, as the API server validates

# What the API server writes into an object anew; all else is its owner's and comes back.
_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp")
_PATH = "/metadata/annotations/initject.dev~1emergency"
FORGET: Json = {"op": "remove", "path": _PATH}


def webhooks(configuration: Json) -> list[Json]:
    """Ours, in their order."""
    return configuration.get("webhooks") or []


def _conditions(hook: Json) -> list[Json]:
    return hook.get("matchConditions") or []


def is_off(hook: Json) -> bool:
    """Whether the switch stands in one webhook."""
    return CONDITION in _conditions(hook)


def _others(hook: Json) -> list[Json]:
    return [one for one in _conditions(hook) if one["name"] != NAME]


def room(configuration: Json) -> list[Json]:
    """No change; raises ClusterError before anything is done that could not be finished."""
    for hook in webhooks(configuration):
        if len(_others(hook)) >= MAX_CONDITIONS:
            message = (
                f"webhook {hook['name']} has {MAX_CONDITIONS} matchConditions, the most that "
                f"Kubernetes takes: remove one, or delete the whole configuration"
            )
            raise ClusterError(message)
    return []


def switched_off(configuration: Json) -> list[Json]:
    """The operations that put the switch into each webhook that has it not."""
    return [
        {
            "op": "add",
            "path": f"/webhooks/{n}/matchConditions",
            "value": [*_others(hook), CONDITION],
        }
        for n, hook in enumerate(webhooks(configuration))
        if not is_off(hook)
    ]


def switched_on(configuration: Json) -> list[Json]:
    """The operations that take the switch out again, and nothing else."""
    operations: list[Json] = []
    for n, hook in enumerate(webhooks(configuration)):
        others = _others(hook)
        if others != _conditions(hook):
            path = f"/webhooks/{n}/matchConditions"
            operations.append(
                {"op": "replace", "path": path, "value": others}
                if others
                else {"op": "remove", "path": path}
            )
    return operations


def annotation(configuration: Json) -> str | None:
    """What is remembered, as it is written; None when nothing is."""
    text: str | None = (configuration["metadata"].get("annotations") or {}).get(REMEMBERED)
    return text


def parsed(text: str) -> dict[str, Json]:
    """Bindings by name. Raises ClusterError where somebody has edited what we remembered."""
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict) and all(isinstance(one, dict) for one in found.values()):
            return found
    message = (
        f"annotation {REMEMBERED} of the configuration cannot be read: apply the binding from your "
        "manifests, then remove the annotation"
    )
    raise ClusterError(message)


def remembered(configuration: Json) -> dict[str, Json]:
    """Bindings by name; nothing where that cannot be read, for `off` must work all the same."""
    with suppress(ClusterError):
        return parsed(annotation(configuration) or "{}")
    return {}


def remembering(kept: Mapping[str, Json], configuration: Json) -> list[Json]:
    """What is there now counts; what an earlier run took away is still remembered."""
    before = remembered(configuration)
    after = {**before, **kept}
    if after == before:
        return []
    text = json.dumps(after, separators=(",", ":"), sort_keys=True)
    if not configuration["metadata"].get("annotations"):
        return [{"op": "add", "path": "/metadata/annotations", "value": {REMEMBERED: text}}]
    return [{"op": "add", "path": _PATH, "value": text}]


def guard(seen: Json) -> Json:
    """The operation that makes a JSON patch conflict with an object that is another by now."""
    version = seen["metadata"]["resourceVersion"]
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": version}


def made_by(manager: str, binding: Json) -> bool:
    """Whether `manager` is said to own any of its fields."""
    entries = binding["metadata"].get("managedFields") or []
    return any(entry.get("manager") == manager for entry in entries)


def kept(binding: Json) -> Json:
    """A binding as it can be created again; items of a list come without their kind."""
    metadata: dict[str, Any] = binding["metadata"]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {key: value for key, value in metadata.items() if key not in _SERVERS},
        "spec": binding["spec"],
    }
