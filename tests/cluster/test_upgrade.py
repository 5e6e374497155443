"""A release of the chart: upgraded, and given new keys, while pods are created all the time."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator

import pytest

from tests import helm, needs
from tests.cluster import load as loads
from tests.cluster import outage, replicas
from tests.cluster.load import MANY, Load
from tests.cluster.nodes import Node
from tests.cluster.registration import until
from tests.cluster.release import Release

NAMESPACE = "/api/v1/namespaces/initject"
# A new CA is known before it signs: by default for a minute, which a test need not wait.
SOON = "--set=settings.propagation-seconds=3"


@pytest.fixture(scope="module")
def charted(bare_node: Node) -> Release:
    """As docs/how-to/install.md does it."""
    ours(bare_node, f"install {helm.CHART} --create-namespace --wait {SOON}")
    return Release(bare_node)


@pytest.fixture(scope="module")
def load(charted: Release) -> Iterator[Load]:
    """Two namespaces for which pods can be created all the time."""
    with loads.of(charted) as found:
        yield found


def ours(node: Node, command: str) -> None:
    """helm, with nothing of who runs the tests."""
    verb, _, flags = command.partition(" ")
    own = " ".join(f"{k}={v}" for k, v in helm.BARE.items() if k != "KUBECONFIG")
    program = f"{own} HELM_CACHE_HOME={node.home} {needs.tool('helm')}"
    node.run(f"{program} {verb} initject {flags} --namespace=initject", seconds=300)


def test_an_upgrade_is_not_noticed(load: Load) -> None:
    """`helm upgrade` replaces every replica; no creation fails, none is left without its steps."""
    old = names(load.release)
    with load.constant("helm upgrade", MANY):
        ours(load.release.node, f"upgrade {helm.CHART} --wait {SOON} --set=log.level=warning")
        load.release.settled()
        now = names(load.release)

    assert set() == old & now


def names(release: Release) -> set[str]:
    """Of the replicas, when those that leave are gone."""
    return {one["metadata"]["name"] for one in outage.only(release, 2)}


def test_new_keys_are_not_noticed(load: Load) -> None:
    """A leaf by the same CA, then a new CA with its leaf: both replicas serve them."""
    before = keys(load)
    with load.constant("new leaf, new CA"):
        remove(load, "tls.crt", "tls.key")
        until(
            lambda: whole(load) and keys(load)["tls.crt"] != before["tls.crt"],
            "a new leaf",
            seconds=300,
        )
        until(lambda: served(load), "both serve it", seconds=300)
        between = keys(load)
        remove(load, "ca.key")
        until(lambda: whole(load) and signed_anew(load, between), "a new CA", seconds=300)
        until(lambda: served(load), "both serve its leaf", seconds=300)

    after = keys(load)
    assert before["ca.crt"] == between["ca.crt"]
    assert after["ca.crt"] != between["ca.crt"]
    assert base64.b64decode(before["ca.crt"]) in base64.b64decode(after["ca.crt"])


def keys(load: Load) -> dict[str, str]:
    """What is in our Secret, as base64."""
    found: dict[str, str] = load.api.ask("GET", SECRET).body["data"]
    return found


SECRET = f"{NAMESPACE}/secrets/initject-certificates"


def remove(load: Load, *names: str) -> None:
    """As docs/how-to/certificates.md says."""
    patch = json.dumps([{"op": "remove", "path": f"/data/{name}"} for name in names])
    load.release.node.run(
        "kubectl -n initject patch secret initject-certificates --type json -p '" + patch + "'"
    )


def whole(load: Load) -> bool:
    """Whether nothing is missing and nothing under way."""
    return set(keys(load)) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


def signed_anew(load: Load, before: dict[str, str]) -> bool:
    now = keys(load)
    return now["ca.key"] != before.get("ca.key") and now["tls.crt"] != before["tls.crt"]


def served(load: Load) -> bool:
    """Whether each replica shows the leaf of the Secret to who connects now."""
    stored = base64.b64decode(keys(load)["tls.crt"]).decode().split()
    shown = [
        load.release.node.inside(replicas.handshake, one["status"]["podIP"], b"")
        for one in load.release.pods()
    ]
    return len(shown) == 2 and all(ssl.DER_cert_to_PEM_cert(x).split() == stored for x in shown)
