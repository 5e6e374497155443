"""Further releases beside each other on one node, each with options of its own.

A release is what the overlay holds, under another name: one replica, further flags, and a webhook
that is called for pods of its own cases only, whatever their namespace.
"""

from __future__ import annotations

from typing import Any

import httpx
import trustme

from tests.cluster import release
from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.registration import sentinel
from webhook.settings import DECISION, Settings

WANTED = {
    "Namespace",
    "ServiceAccount",
    "Service",
    "Deployment",
    "ClusterRole",
    "ClusterRoleBinding",
    "MutatingWebhookConfiguration",
}


def flags(settings: Settings) -> list[str]:
    """Those of `serve` that give what a case can set."""
    given = ((one, getattr(settings, one.name)) for one in DECISION)
    texts = [
        one.flag if value is True else f"{one.flag}={written(value)}"
        for one, value in given
        if value != one.default
    ]
    return [f"--inject={settings.inject}", *(one for one in texts if "--inject=" not in one)]


def written(value: object) -> str:
    """As a flag has it; items between commas, pairs with `=`."""
    if isinstance(value, tuple):
        return ",".join("=".join(one) if isinstance(one, tuple) else str(one) for one in value)
    return str(value)


def called_for(name: str) -> list[Json]:
    """Pods of users whose extra field `case` begins with the release's name."""
    extra = "request.userInfo.extra"
    condition = f"has({extra}) && 'case' in {extra} && {extra}['case'][0].startsWith('{name}:')"
    return [{"name": "cases", "expression": condition}]


def manifests(name: str, arguments: list[str], ca: trustme.CA) -> list[Json]:
    """What makes up the release; each part is named after it."""
    values = release.trusting(release.rendered_with("mounted-certificate"), ca)
    found = [renamed(value, name) for value in values if value["kind"] in WANTED]
    for value in found:
        if value["kind"] == "Deployment":
            shrink(value["spec"], arguments)
        if value["kind"] == "MutatingWebhookConfiguration":
            hook = value["webhooks"][1] | {"name": f"{name}.initject.dev"}
            del hook["namespaceSelector"]
            value["webhooks"] = [hook | {"matchConditions": called_for(name)}, sentinel(name)]
    (space,) = (value for value in found if value["kind"] == "Namespace")
    return [space, release.secret(ca, name, name), *(one for one in found if one is not space)]


def renamed(value: Any, name: str) -> Any:
    """The value with `initject`, where it is a name of an object, replaced."""
    if isinstance(value, list):
        return [renamed(one, name) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: name
        if one == "initject" and key in {"name", "namespace", "serviceAccountName"}
        else renamed(one, name)
        for key, one in value.items()
    }


def shrink(spec: Json, arguments: list[str]) -> None:
    """One replica, with these options, and without a name of its own.

    Releases beside each other would each write the status of the same policies.
    """
    spec["replicas"] = 1
    (container,) = spec["template"]["spec"]["containers"]
    kept = [one for one in container["args"] if not one.startswith("--inject")]
    container["args"] = [*kept, *arguments]
    container["env"] = [one for one in container["env"] if one["name"] != "INITJECT_REPLICA"]


class Variant:
    """A release that runs: how many policies it has in force, by its metrics."""

    def __init__(self, node: Node, name: str) -> None:
        self.node, self.name = node, name
        path = f"/api/v1/namespaces/{name}/services/{name}"
        address = node.api.ask("GET", path).body["spec"]["clusterIP"]
        self._client = httpx.Client(base_url=f"http://{address}:8081", trust_env=False)

    def metrics(self) -> dict[str, float]:
        """Every series, by its name and labels as they are printed."""
        text = self.node.inside(self._client.get, "/metrics").text
        lines = (line for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in (one.rsplit(" ", 1) for one in lines)}

    def close(self) -> None:
        self.node.inside(self._client.close)

    def in_force(self) -> float:
        """The number of policies of both kinds."""
        return sum(v for k, v in self.metrics().items() if k.startswith("initject_policies{"))


def start(node: Node, ca: trustme.CA, wanted: dict[str, list[str]]) -> dict[str, Variant]:
    """Start a release for each list of flags; returns when all have rolled out."""
    for name, arguments in wanted.items():
        release.apply(node, manifests(name, arguments, ca))
    for name in wanted:
        node.run(f"kubectl -n {name} rollout status deployment/{name} --timeout=120s")
    return {name: Variant(node, name) for name in wanted}
