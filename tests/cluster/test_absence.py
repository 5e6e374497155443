"""No replica is there, or something else answers in its place, behind the same Service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster import nodes, outage
from tests.cluster.api import Json
from tests.cluster.creating import Outcome
from tests.cluster.load import BARE, Load
from tests.cluster.registration import until
from tests.cluster.release import Release

# Answers a review with what the pod's label `rubbish` says.
STAND_IN = r"""
import base64, http.server, json, ssl

def review(asked, **response):
    said = {"uid": asked["uid"], "allowed": True, **response}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": said}

def patch(*operations):
    text = json.dumps(operations).encode()
    return {"patchType": "JSONPatch", "patch": base64.b64encode(text).decode()}

WAYS = {
    "text": lambda asked: b"no JSON",
    "nothing": lambda asked: b"",
    "null": lambda asked: b"null",
    "object": lambda asked: {},
    "no-response": lambda asked: {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"},
    "version": lambda asked: {**review(asked), "apiVersion": "admission.k8s.io/v7"},
    "stranger": lambda asked: review(asked, uid="another"),
    "patch-no-base64": lambda asked: review(asked, patchType="JSONPatch", patch="?"),
    "patch-no-list": lambda asked: review(asked, patchType="JSONPatch", patch="e30="),
    "patch-misfit": lambda asked: review(asked, **patch({"op": "remove", "path": "/spec/none"})),
}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["request"]
        way = asked["object"]["metadata"]["labels"]["rubbish"]
        if way == "hangs-up":
            self.close_connection = True
            return self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")
        said = WAYS.get(way, lambda asked: b"<html>")(asked)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(404 if way == "page" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = http.server.ThreadingHTTPServer(("", 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/keys/tls.crt", "/keys/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
RUBBISH = (
    *("text", "nothing", "null", "object", "no-response", "version", "stranger", "page"),
    *("patch-no-base64", "patch-no-list", "hangs-up"),
)


@pytest.fixture(scope="module")
def away(load: Load) -> Iterator[Load]:
    """All replicas are gone until the end of the module."""
    with outage.none(load.release):
        yield load


@contextmanager
def standing_in(release: Release) -> Iterator[None]:
    """A pod with our image, our certificate and the label that the Service selects."""
    api, namespace = release.node.api, release.namespace
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{release.name}"
    spec = api.ask("GET", path).body["spec"]["template"]["spec"]
    container = {k: v for k, v in spec["containers"][0].items() if not k.endswith("Probe")}
    container |= {"command": ["python", "-c", STAND_IN], "args": [], "lifecycle": {}}
    container["volumeMounts"] = [{"name": "keys", "mountPath": "/keys"}]
    volumes = [{"name": "keys", "secret": {"secretName": secret(release)}}]
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "stand-in",
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": release.name},
        },
        "spec": {
            **spec,
            "containers": [container],
            "volumes": volumes,
            "terminationGracePeriodSeconds": 0,
        },
    }
    api.ensure(pod)
    try:
        release.node.reach(namespace, "stand-in", nodes.ready, seconds=120)
        yield
    finally:
        gone = f"/api/v1/namespaces/{namespace}/pods/stand-in"
        api.ask("DELETE", f"{gone}?gracePeriodSeconds=0")
        until(lambda: api.ask("GET", gone).code == 404, "the stand-in is gone", seconds=120)


def secret(release: Release) -> str:
    """The one that holds the certificate in force."""
    path = f"/api/v1/namespaces/{release.namespace}/secrets"
    found = release.node.api.ask("GET", path).body["items"]
    (name,) = (one["metadata"]["name"] for one in found if "tls.crt" in one.get("data", {}))
    return str(name)


def test_without_a_replica_a_convenience_is_left_out(away: Load) -> None:
    """Where the webhook is `Ignore` the pod is made at once, without steps, and counted."""
    before = outage.failed_open(away.api)

    made, waited = away.one(away.ignoring)

    assert BARE == made
    assert before + 1 == outage.failed_open(away.api)
    assert waited < 5  # nobody was waited for: connections are refused


def test_without_a_replica_a_namespace_that_demands_us_gets_no_pod(away: Load) -> None:
    """Where it is `Fail` the pod is refused, with the webhook's name and why."""
    (code, message), waited = away.one(away.enforcing)

    assert 500 == code
    assert message.startswith(
        'Internal error occurred: failed calling webhook "enforce.initject.dev": failed to call'
    )
    assert waited < 5


def test_rubbish_is_no_answer(away: Load) -> None:
    """Whatever cannot be read counts as none: `Ignore` makes the pod, `Fail` refuses it.

    But a patch that does not fit refuses the pod even where we are a convenience, as documented.
    """
    with standing_in(away.release):
        until(lambda: misfit(away)[0] == 500, "the stand-in is reached", seconds=120)
        refused = misfit(away)
        before = outage.failed_open(away.api)
        ignoring = {way: away.one(away.ignoring, rubbish=way)[0] for way in RUBBISH}
        counted = outage.failed_open(away.api) - before
        enforcing = {way: away.one(away.enforcing, rubbish=way)[0] for way in RUBBISH}

    assert dict.fromkeys(RUBBISH, BARE) == ignoring
    assert len(RUBBISH) == counted
    assert dict.fromkeys(RUBBISH, 500) == {way: code for way, (code, _) in enforcing.items()}
    assert {True} == {"enforce.initject.dev" in message for _, message in enforcing.values()}
    assert "nonexistent key" in refused[1]


def misfit(load: Load) -> Outcome:
    return load.one(load.ignoring, rubbish="patch-misfit")[0]
