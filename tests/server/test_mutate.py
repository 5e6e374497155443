"""What comes in at `/mutate`, over a real TLS socket, and what happens."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server import door
from webhook.inject.decision import Code, Decision, Options, Reason
from webhook.policy.namespace import Namespace
from webhook.server import limits
from webhook.server import post as posts

ERRORS = "initject_errors_total"
REQUESTS = "controller_runtime_webhook_requests_total"
IN_FLIGHT = "controller_runtime_webhook_requests_in_flight"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def opened() -> Iterator[door.Door]:
    """One door for the tests that do not change it."""
    with door.opened() as it:
        yield it


@pytest.fixture(scope="module")
def client(opened: door.Door) -> Iterator[httpx.Client]:
    with httpx.Client(
        verify=door.client_context(), base_url=opened.url.removesuffix("/mutate")
    ) as it:
        yield it


def post(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    return client.post("/mutate", content=body, headers={**JSON, **headers})


def test_a_review_is_answered_with_its_uid_and_patch(client: httpx.Client) -> None:
    """200, JSON, the uid that was asked with, and the decision's patch."""
    got = post(client, door.review(uid='a"\\b'))
    inner = got.json()["response"]

    assert (200, "application/json") == (got.status_code, got.headers["content-type"])
    assert ('a"\\b', True) == (inner["uid"], inner["allowed"])
    assert [door.ADD] == json.loads(base64.b64decode(inner["patch"]))


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=UTF-8"],
)
def test_a_content_type_may_have_parameters(client: httpx.Client, kind: str) -> None:
    """Parameters and case of the content type do not matter."""
    assert post(client, door.review(), **{"content-type": kind}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/mutate", JSON, 405),
        ("HEAD", "/mutate", JSON, 405),
        ("PUT", "/mutate", JSON, 405),
        ("OPTIONS", "/mutate", JSON, 405),
        ("POST", "/", JSON, 404),
        ("POST", "/mutate/", JSON, 404),
        ("POST", "/Mutate", JSON, 404),
        ("GET", "/docs", JSON, 404),
        ("GET", "/healthz", JSON, 404),
        ("POST", "/mutate", {}, 415),
        ("POST", "/mutate", {"content-type": "application/yaml"}, 415),
        ("POST", "/mutate", {"content-type": "application/jsonp"}, 415),
        ("POST", "/mutate", {**JSON, "content-encoding": "gzip"}, 415),
    ],
)
def test_what_is_no_review_request_is_refused(
    opened: door.Door,
    client: httpx.Client,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
) -> None:
    """Wrong method, path or content type: 405, 404, 415; the connection stays usable."""
    content = door.review() if method not in ("GET", "HEAD") else None
    url = opened.url.removesuffix("/mutate") + path

    assert status == client.request(method, url, headers=headers, content=content).status_code
    assert post(client, door.review()).status_code == 200


def test_405_says_what_is_allowed(client: httpx.Client) -> None:
    """RFC 9110 demands `Allow` with a 405."""
    assert client.get("/mutate").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'{"request":{"object":' + b"[" * 100_000, "the body is nested too deeply"),
        (b"{}", "kind: "),
        (door.review().replace(b"k8s.io/v1", b"k8s.io/v1beta1"), "apiVersion: "),
        (b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}', "request: "),
        (door.review(uid=""), "request.uid: "),
        (door.review(namespace=7), "request.namespace: "),
    ],
)
def test_what_is_no_review_gets_one_line_that_names_the_field(
    opened: door.Door, client: httpx.Client, body: bytes, field: str
) -> None:
    """400, one line of text; counted."""
    before = opened.counted(ERRORS, reason="bad_review")
    got = post(client, body)

    assert (400, 1) == (got.status_code, got.text.count("\n"))
    assert before + 1 == opened.counted(ERRORS, reason="bad_review")
    assert got.text.startswith(field)


def test_the_body_may_have_seven_mebibytes(opened: door.Door, client: httpx.Client) -> None:
    """A body of exactly the limit is read; a byte more is 413, and the connection is closed."""
    pad = limits.BODY_BYTES - len(door.review(options={"pad": ""}))
    largest = door.review(options={"pad": "x" * pad})

    assert [limits.BODY_BYTES, 200] == [len(largest), post(client, largest).status_code]
    got = post(client, largest + b" ")
    assert (413, "close") == (got.status_code, got.headers["connection"])


def test_a_chunked_body_is_bounded_too(client: httpx.Client) -> None:
    """Without a Content-Length the limit holds for what arrives."""
    got = client.post("/mutate", content=(b"x" * 2**20 for _ in range(9)), headers=JSON)

    assert (413, "close") == (got.status_code, got.headers["connection"])


def test_a_chunked_body_is_read(client: httpx.Client) -> None:
    """Chunks, of one byte even, make the same body."""
    body = door.review()
    got = client.post("/mutate", content=(body[i : i + 1] for i in range(len(body))), headers=JSON)

    assert got.status_code == 200


def test_an_authorization_header_is_ignored(client: httpx.Client) -> None:
    """A token that nobody asked for changes nothing."""
    assert post(client, door.review(), authorization="Bearer x").status_code == 200


@pytest.mark.parametrize("value", [None, [], "pod", 3])
def test_an_object_that_is_no_pod_reaches_the_decision_as_none(value: object) -> None:
    """`object` null or not an object at all is for the decision, not an HTTP error."""
    seen: list[Any] = []

    def decide(request: Any, *_: Any) -> Decision:
        seen.append(request.object)
        return Decision(faulty=True, reasons=(Reason(Code.NO_POD),))

    with (
        door.opened(decide) as it,
        httpx.Client(
            verify=door.client_context(), base_url=it.url.removesuffix("/mutate")
        ) as client,
    ):
        got = post(client, door.review(object=value)).json()["response"]

    assert ([None], {"uid": "u-1", "allowed": True}) == (seen, got)


def test_a_denial_is_a_well_formed_answer() -> None:
    """Denied: 200, allowed false, 403 inside, warnings and audit annotations kept."""
    decision = Decision(allowed=False, message="no", warnings=("w",), audit={"a": "b"})
    with (
        door.opened(lambda *_: decision) as it,
        httpx.Client(
            verify=door.client_context(), base_url=it.url.removesuffix("/mutate")
        ) as client,
    ):
        got = post(client, door.review())

    assert got.status_code == 200
    assert got.json()["response"] == {
        "uid": "u-1",
        "allowed": False,
        "status": {"code": 403, "reason": "Forbidden", "message": "no"},
        "warnings": ["w"],
        "auditAnnotations": {"a": "b"},
    }


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError(), MemoryError()])
def test_a_bug_is_a_plain_500_and_the_process_serves_on(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with a sentence, a traceback in the log, counted; the same connection serves on."""
    broken = [True]

    def decide(*arguments: Any) -> Decision:
        if broken.pop() if broken else False:
            raise error
        return door.inject(*arguments)

    with (
        door.opened(decide) as it,
        httpx.Client(
            verify=door.client_context(), base_url=it.url.removesuffix("/mutate")
        ) as client,
    ):
        got = [post(client, door.review()) for _ in range(2)]

    assert [500, 200] == [each.status_code for each in got]
    assert got[0].text == posts.BUG + "\n"
    assert it.counted(ERRORS, reason="bug") == 1
    assert it.counted(REQUESTS, webhook="/mutate", code="500") == 1
    assert it.counted(IN_FLIGHT, webhook="/mutate") == 0
    assert [type(error)] == [r.exc_info[0] for r in caplog.records if r.exc_info]


def test_an_answer_that_cannot_be_written_is_a_bug_too() -> None:
    """A patch that is no JSON ends in a 500, never in a half answer."""
    decision = Decision(patch=({"op": "add", "path": "/x", "value": object()},))
    with (
        door.opened(lambda *_: decision) as it,
        httpx.Client(
            verify=door.client_context(), base_url=it.url.removesuffix("/mutate")
        ) as client,
    ):
        assert post(client, door.review()).status_code == 500


class Slow:
    """A cluster that takes its time to give a namespace."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def read(self, name: str) -> Namespace | None:
        await asyncio.sleep(self.seconds)
        return Namespace(name, {"read": "yes"})


def labels(request: Any, policies: Any, namespace: Namespace | None, options: Any) -> Decision:
    return Decision(audit=dict(namespace.labels) if namespace else {"known": "no"})


@pytest.mark.parametrize(
    ("seconds", "needed", "inject", "known"),
    [
        (0.0, True, "all", {"read": "yes"}),
        (30.0, True, "all", {"known": "no"}),
        (0.0, False, "all", {"known": "no"}),
        (0.0, False, "opt-in", {"read": "yes"}),
    ],
)
def test_a_namespace_is_read_only_when_needed_and_within_the_deadline(
    seconds: float, needed: bool, inject: str, known: dict[str, str]
) -> None:
    """A namespace that does not come in time is not known; one that nobody needs is not read.

    Where namespaces opt in, each one's labels are needed.
    """
    with (
        door.opened(
            labels,
            policies=door.Policies(needs_namespace=needed),
            options=Options(inject=inject),
            source=Slow(seconds),
        ) as it,
        httpx.Client(verify=door.client_context()) as client,
    ):
        got = client.post(f"{it.url}?timeout=500ms", content=door.review(), headers=JSON)

    assert known == got.json()["response"]["auditAnnotations"]


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        (b"timeout=10s", 10.0),
        (b"a=b&timeout=1m30s", 90.0),
        (b"timeout=1.5s", 1.5),
        (b"timeout=300ms", 0.3),
        (b"timeout=%C2%B5s", 10.0),
        (b"timeout=2%C2%B5s", 2e-6),
        (b"", 10.0),
        (b"timeout=", 10.0),
        (b"timeout=10", 10.0),
        (b"timeout=-1s", 10.0),
        (b"timeout=10s;x", 10.0),
        (b"timeout=" + b"9" * 5000 + b"s", 10.0),
    ],
)
def test_the_deadline_is_a_go_duration(query: bytes, seconds: float) -> None:
    """What Go prints is read; anything else means the API server's default."""
    assert pytest.approx(seconds) == posts.deadline(query)


BYTES = st.binary(max_size=2000)
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
REVIEWS = st.dictionaries(
    st.sampled_from(["uid", "kind", "resource", "object", "namespace", "operation", "dryRun"]),
    VALUES,
).map(lambda changes: door.review(**changes))


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(BYTES | REVIEWS | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_answered(client: httpx.Client, body: bytes) -> None:
    """Whatever the bytes, the answer is an AdmissionReview with its uid or one line of 400."""
    got = post(client, body)

    if got.status_code == 200:
        assert got.json()["response"]["uid"] == json.loads(body)["request"]["uid"]
    else:
        assert (400, 1) == (got.status_code, got.text.count("\n"))
