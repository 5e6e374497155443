"""Every case of the gallery, and every example, created in dry run through a real API server."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cluster import gallery, registration
from tests.cluster.api import Api, Json, User
from tests.cluster.network import Inside
from webhook import testing

CHECKOUT = Path(__file__).resolve().parents[2]
CASES = {
    f"{top}/{case.name}": case
    for top in ("tests/cases", "examples")
    for case in testing.load_cases(CHECKOUT / top)
}
TOKEN = "kube-api-access-"  # the volume that the ServiceAccount plugin adds, with a random end


@pytest.fixture(scope="module")
def asked() -> dict[str, testing.Asked]:
    """Every case that can be read; the others fail in their own test."""
    readings = {}
    for name, case in CASES.items():
        with contextlib.suppress(testing.CaseError):
            readings[name] = testing.ask(case)
    return readings


@pytest.fixture(scope="module")
def webhook(
    api: Api, inside: Inside, ca: trustme.CA, asked: dict[str, testing.Asked]
) -> Iterator[gallery.Gallery]:
    """The gallery as a webhook of the API server, for users who name a case."""
    prepare(api, [reading.made.pod for reading in asked.values()])
    application = gallery.Gallery(asked)
    condition = "has(request.userInfo.extra) && 'case' in request.userInfo.extra"
    with gallery.listening(application, inside, ca) as url:
        hook = registration.webhook(
            "gallery.initject.dev",
            url,
            ca.cert_pem.bytes(),
            matchConditions=[{"name": "cases", "expression": condition}],
        )
        registration.register(api, "gallery", hook)
        yield application
        registration.unregister(api, "gallery")


@pytest.mark.parametrize("name", CASES)
def test_the_api_server_stores_what_the_case_expects(
    name: str, api: Api, asked: dict[str, testing.Asked], webhook: gallery.Gallery
) -> None:
    """What comes back is what the server itself makes of the expected pod, or the refusal."""
    outcome = testing.run(CASES[name])
    assert ((), "") == (outcome.problems, outcome.diff), "the case fails offline"
    reading = asked[name]
    only_a_created_pod(reading)
    decision = outcome.decision
    assert decision is not None

    answer = api.create(sent(reading.made.pod), user=author(reading, name), dry_run=True)

    if not decision.allowed:
        denial = f'admission webhook "gallery.initject.dev" denied the request: {decision.message}'
        assert (403, denial) == (answer.code, answer.message)
        return
    expected = api.create(sent(decision.pod or reading.made.pod), dry_run=True)
    assert (201, "") == (expected.code, expected.message)
    assert (201, "") == (answer.code, answer.message)
    assert "" == testing.difference(stored(expected.body), stored(answer.body))
    assert tuple(decision.warnings) == tuple(w for w in answer.warnings if w in decision.warnings)


def author(reading: testing.Asked, name: str) -> User:
    """Who creates the pod: whom the case says, else nobody in particular."""
    info = reading.review["request"]["userInfo"]
    return User(info.get("username", "author"), tuple(info.get("groups", ())), case=name)


def only_a_created_pod(reading: testing.Asked) -> None:
    """Skip what cannot be asked of an API server by creating a pod."""
    request = reading.review["request"]
    if request["operation"] != "CREATE" or request["kind"]["kind"] != "Pod":
        pytest.skip("not about creating a pod")
    if request.get("subResource") or (request["object"] or {}).get("kind") != "Pod":
        pytest.skip("an API server does not ask this about a pod that is created")


def prepare(api: Api, pods: list[Json]) -> None:
    """What pods refer to and the API server looks up when they are created."""
    for namespace in sorted({pod["metadata"]["namespace"] for pod in pods}):
        api.ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    accounts = {
        (pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName") or "default")
        for pod in pods
    }
    for namespace, name in sorted(accounts):
        metadata = {"name": name, "namespace": namespace}
        api.ensure({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    for name in sorted({pod["spec"].get("priorityClassName") or "" for pod in pods} - {""}):
        if not name.startswith("system-"):
            api.ensure(
                {
                    "apiVersion": "scheduling.k8s.io/v1",
                    "kind": "PriorityClass",
                    "metadata": {"name": name},
                    "value": 1000,
                }
            )
    for name in sorted({pod["spec"].get("runtimeClassName") or "" for pod in pods} - {""}):
        api.ensure(
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": name},
                "handler": "runc",
            }
        )


def sent(pod: Any) -> Json:
    """The pod as a client can create it: without what only the server sets."""
    result: Json = copy.deepcopy(dict(pod))
    for name in ("resourceVersion", "uid", "creationTimestamp", "managedFields", "generation"):
        result["metadata"].pop(name, None)
    return result


def stored(pod: Json) -> Json:
    """The pod without what differs from one creation to the next.

    The token's volume and mounts have a random name, and stand where they were when the server's
    own plugin added them: before or after what the webhook added. Here they are put last.
    """
    result = copy.deepcopy(pod)
    for name in ("uid", "creationTimestamp", "managedFields"):
        result["metadata"].pop(name, None)
    if "generateName" in result["metadata"]:
        result["metadata"].pop("name", None)
    spec = result["spec"]
    last(spec.get("volumes", []))
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        last(container.get("volumeMounts", []))
    return result


def last(entries: list[Json]) -> None:
    entries.sort(key=lambda entry: entry["name"].startswith(TOKEN))
    for entry in entries:
        if entry["name"].startswith(TOKEN):
            entry["name"] = TOKEN
