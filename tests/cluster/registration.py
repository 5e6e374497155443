"""A MutatingWebhookConfiguration, and knowing that the API server has learned of it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.api import Api, Json, User

PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
CREATED_PODS = {
    "apiGroups": [""],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["pods"],
}


def webhook(name: str, url: str, ca: bytes, **fields: Any) -> Json:
    """A webhook for every CREATE of a pod, as deploy/ registers it; `fields` replace its own."""
    return {
        "name": name,
        "clientConfig": {"url": url, "caBundle": base64.b64encode(ca).decode()},
        "rules": [CREATED_PODS],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "failurePolicy": "Fail",
        "reinvocationPolicy": "IfNeeded",
        **fields,
    }


def sentinel(name: str) -> Json:
    """A webhook that nobody serves, for one user alone: its pods fail once it is in force."""
    condition = {"name": "probe", "expression": f"request.userInfo.username == '{name}'"}
    url = "https://127.0.0.1:1/"
    return webhook("sentinel.initject.dev", url, b"", matchConditions=[condition])


def register(api: Api, name: str, *webhooks: Json) -> None:
    """Create a configuration; return when the API server calls its webhooks."""
    metadata = {"name": name}
    api.ensure(
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": metadata,
            "webhooks": [*webhooks, sentinel(name)],
        }
    )
    until(lambda: in_force(api, name), f"{name} in force")


def unregister(api: Api, name: str) -> None:
    """Delete a configuration; return when the API server calls its webhooks no more."""
    api.ask("DELETE", f"{PATH}/{name}")
    until(lambda: not in_force(api, name), f"{name} forgotten")


def in_force(api: Api, name: str) -> bool:
    container = {"name": "app", "image": "registry.example.com/app:1.0"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"containers": [container]},
    }
    return "sentinel.initject.dev" in api.create(pod, user=User(name), dry_run=True).message


def audit(cluster: Path, pod: str) -> list[Json]:
    """What the API server's audit log says of the creation of a pod."""
    lines = (cluster / "audit.log").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return [event for event in events if event["objectRef"].get("name") == pod]


def until(
    condition: Callable[[], bool], what: str, *, seconds: float = 20, pause: float = 0.05
) -> None:
    """Return when `condition` holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds:.0f} s: {what}"
        time.sleep(pause)
