"""What comes in at `/validate`, over a real TLS socket, and what is answered."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.server import door
from webhook.document.problem import Problem
from webhook.policy import load
from webhook.server import validate

ROOT = Path(__file__).resolve().parents[2]
POLICIES = sorted([*ROOT.glob("tests/cases/**/policy.yaml"), *ROOT.glob("examples/**/policy.yaml")])
JSON = {"content-type": "application/json"}
REQUESTS = "controller_runtime_webhook_requests_total"
VERDICTS = "initject_policy_reviews_total"

GOOD: dict[str, Any] = {
    "apiVersion": "initject.dev/v1alpha1",
    "kind": "ClusterInitPolicy",
    "metadata": {"name": "database", "uid": "5", "generation": 1, "managedFields": [{"a": "b"}]},
    "spec": {
        "match": {"podSelector": {"matchLabels": {"app": "shop"}}},
        "steps": [
            {"name": "wait", "container": {"image": "registry.example.com/tools/wait:1.0"}},
        ],
    },
}
UNUSED = [{"name": "host", "type": "string", "pattern": "[a-z]+", "default": "postgres"}]
PROBE = {"livenessProbe": {"httpGet": {"port": 80}}}
EMPTY = "spec.conditions[0].expression: the expression is empty"


def changed(**spec: Any) -> dict[str, Any]:
    """The good policy with other fields in its spec."""
    return {**GOOD, "spec": {**GOOD["spec"], **spec}}


def wrong(**container: Any) -> dict[str, Any]:
    """The good policy with further fields in its container."""
    policy: dict[str, Any] = copy.deepcopy(GOOD)
    policy["spec"]["steps"][0]["container"].update(container)
    return policy


WRONG: dict[str, dict[str, Any]] = {
    "no-steps": changed(steps=[]),
    "unknown-field": changed(stepz=[]),
    "probe": wrong(**PROBE),
    "syntax": changed(conditions=[{"name": "a", "expression": "object.metadata.name =="}]),
    "type": changed(conditions=[{"name": "a", "expression": "1"}, {"name": "b", "expression": ""}]),
    "template": wrong(args=["${object.nothing.of}", "${parameters.none}"]),
    "trust": wrong(image="${object.metadata.labels.app}"),
    "volume": changed(volumes=[{"name": "a"}, {"name": "a", "emptyDir": {}}]),
    "forbid": changed(optOut="Forbid"),
    "placement": changed(placement={"before": ["a"], "after": ["a"]}),
    "warnings-too": wrong(image="registry.example.com/tools/wait", stdin=1),
    "name": {**GOOD, "metadata": {"name": "A"}},
}


def review(policy: Any, **request: Any) -> bytes:
    """What the API server asks about a policy."""
    kind = policy["kind"]
    metadata = policy["metadata"]
    group, _, version = policy["apiVersion"].partition("/")
    resource = {"ClusterInitPolicy": "clusterinitpolicies", "InitPolicy": "initpolicies"}
    return door.review(
        **{
            "kind": {"group": group, "version": version, "kind": kind},
            "resource": {"group": group, "version": version, "resource": resource.get(kind, "x")},
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "object": policy,
            **request,
        }
    )


def found(policy: dict[str, Any], severity: str) -> set[tuple[str, str]]:
    """What `initject check` says of it in a file: fields and sentences."""
    loaded = load.load([("policy.yaml", yaml.safe_dump(policy))])
    return {(p.field, p.cause) for p in loaded.problems if p.severity == severity}


@pytest.fixture(scope="module")
def opened() -> Iterator[door.Door]:
    """One door for the tests that do not change it."""
    with door.opened() as it:
        yield it


@pytest.fixture(scope="module")
def client(opened: door.Door) -> Iterator[httpx.Client]:
    with connected(opened) as it:
        yield it


def connected(opened: door.Door) -> httpx.Client:
    base = opened.url.removesuffix("/mutate")
    return httpx.Client(verify=door.client_context(), base_url=base, timeout=30)


def post(client: httpx.Client, body: bytes, query: str = "") -> httpx.Response:
    return client.post(f"/validate{query}", content=body, headers=JSON)


def answer(client: httpx.Client, policy: Any, **request: Any) -> dict[str, Any]:
    got = post(client, review(policy, **request))
    assert got.status_code == 200, got.text
    inner: dict[str, Any] = got.json()["response"]
    return inner


def test_a_right_policy_is_accepted(opened: door.Door, client: httpx.Client) -> None:
    """Allowed, without a word; counted."""
    before = opened.counted(VERDICTS, verdict="accepted")

    assert {"uid": "u-1", "allowed": True} == answer(client, GOOD)
    assert before + 1 == opened.counted(VERDICTS, verdict="accepted")


def policies(file: Path) -> list[dict[str, Any]]:
    """The policies of a file, each as an object of the API server."""
    values = [value for value in yaml.safe_load_all(file.read_text(encoding="utf-8")) if value]
    items = [item for value in values for item in value.get("items", [value])]
    return [item for item in items if item["apiVersion"] == "initject.dev/v1alpha1"]


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.parent.name)
def test_every_policy_of_the_cases_and_examples_is_accepted(
    client: httpx.Client, file: Path
) -> None:
    """What is right in a file is right in the cluster, with the warnings that concern it alone."""
    for policy in policies(file):
        got = answer(client, policy)

        assert got["allowed"], got
        told = [f"{field}: {cause}"[:255] for field, cause in found(policy, "warning")]
        assert sorted(told) == sorted(warning[:255] for warning in got.get("warnings", []))


@pytest.mark.parametrize("policy", WRONG.values(), ids=WRONG)
def test_a_wrong_policy_is_refused_with_what_check_finds(
    client: httpx.Client, policy: dict[str, Any]
) -> None:
    """Every problem and its field, as causes and in the message; warnings as warnings."""
    got = answer(client, policy)

    errors = found(policy, "error")
    status = got["status"]
    causes = status["details"].pop("causes")
    assert (False, 422, "Invalid") == (got["allowed"], status["code"], status["reason"])
    assert errors == {(one["field"], one["message"]) for one in causes}
    assert len(errors) == len(causes)
    assert {
        "name": policy["metadata"]["name"],
        "group": "initject.dev",
        "kind": "ClusterInitPolicy",
    } == status["details"]
    assert [] == [f for f, cause in errors if f"{f}: {cause}" not in status["message"]]
    warnings = {f"{field}: {cause}" for field, cause in found(policy, "warning")}
    assert warnings == set(got.get("warnings", []))


def test_one_problem_is_one_line_and_several_are_a_list(client: httpx.Client) -> None:
    """Problems stand in the order of the object, the third of a list before its eleventh."""
    one = answer(client, changed(conditions=[{"name": "a", "expression": " "}]))
    names = "abcdefghijklm"
    many = answer(client, changed(conditions=[{"name": n, "expression": " "} for n in names]))

    assert EMPTY == one["status"]["message"]
    lines = [f"- {EMPTY.replace('0', str(index))}" for index in range(len(names))]
    assert ["13 problems", *lines] == many["status"]["message"].split("\n")


def test_a_warning_reaches_the_author(client: httpx.Client) -> None:
    """What is allowed but probably wrong is told, in as many runes as the API server passes on."""
    long = [{**UNUSED[0], "name": "h" * 63}]
    warned = answer(client, changed(parameters=long, optOut="Allow"))
    borrowed = answer(
        client, changed(optOut="Forbid", onError="Reject", onConflict="Reject", mode="Audit")
    )

    assert warned["allowed"]
    assert [f"spec.parameters[0]: {'h' * 63} is never used; use or remove it"] == warned["warnings"]
    assert borrowed["allowed"]
    assert all(len(warning) <= 256 for warning in borrowed["warnings"])


@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "DELETE", "object": None, "oldObject": WRONG["probe"]},
        {"operation": "CONNECT"},
        {"operation": "UPDATE", "subResource": "status", "oldObject": GOOD},
        {"operation": "UPDATE", "oldObject": {**WRONG["probe"], "metadata": {"finalizers": ["a"]}}},
        {"operation": "UPDATE", "oldObject": {**WRONG["probe"], "status": {"steps": 1}}},
        {"kind": {"group": "initject.dev", "version": "v1", "kind": "ClusterInitPolicy"}},
        {"kind": {"group": "other.dev", "version": "v1alpha1", "kind": "ClusterInitPolicy"}},
        {"kind": {"group": "initject.dev", "version": "v1alpha1", "kind": "Other"}},
        {"kind": {"group": "", "version": "v1", "kind": "Pod"}},
    ],
    ids=[
        *("delete", "connect", "status", "finalizers", "old-status"),
        *("another-version", "another-group", "another-kind", "pod"),
    ],
)
def test_what_changes_no_spec_of_ours_is_let_through(
    opened: door.Door, client: httpx.Client, request_: dict[str, Any]
) -> None:
    """A policy that became wrong can be labelled and deleted, and others' objects are no matter."""
    before = opened.counted(VERDICTS, verdict="unchecked")

    got = answer(client, WRONG["probe"], **request_)

    assert {"uid": "u-1", "allowed": True} == got
    assert before + 1 == opened.counted(VERDICTS, verdict="unchecked")


@pytest.mark.parametrize("old", [GOOD, None, [], "x"])
def test_an_update_that_changes_the_spec_is_checked(client: httpx.Client, old: Any) -> None:
    """Also where what was there before cannot be told."""
    got = answer(client, WRONG["probe"], operation="UPDATE", oldObject=old)

    assert not got["allowed"]


def test_a_field_that_a_newer_cluster_may_know_is_a_warning(client: httpx.Client) -> None:
    """The API server keeps what is in a container, and so do we; in a file it is an error."""
    policy = wrong(brandNew=True)

    got = answer(client, policy)

    assert got["allowed"]
    field = "spec.steps[0].container.brandNew"
    (warning,) = got["warnings"]
    assert warning.startswith(f"{field}: unknown field brandNew; ")
    assert [field] == [place for place, _ in found(policy, "error")]


def test_a_policy_of_a_namespace_is_checked_as_one(client: httpx.Client) -> None:
    """An InitPolicy may not name namespaces."""
    metadata = {"name": "own", "namespace": "shop"}
    good = {**GOOD, "kind": "InitPolicy", "metadata": metadata}
    bad = {**good, "spec": {**GOOD["spec"], "match": {"namespaces": ["other"]}}}

    assert answer(client, good)["allowed"]
    assert "spec.match.namespaces" in answer(client, bad)["status"]["message"]


@pytest.mark.parametrize("value", [None, [], "policy"])
def test_a_creation_without_an_object_is_no_review(client: httpx.Client, value: Any) -> None:
    """400 with the field: no API server asks so."""
    got = post(client, review(GOOD, object=value))

    assert (400, "request.object: must be an object\n") == (got.status_code, got.text)


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("GET", JSON, b"", 405),
        ("POST", {}, review(GOOD), 415),
        ("POST", JSON, b"{", 400),
        ("POST", JSON, b"{}", 400),
    ],
)
def test_what_is_no_review_request_is_refused_as_at_mutate(
    client: httpx.Client, method: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Both paths share what is looked at before a review is read."""
    assert status == client.request(method, "/validate", headers=headers, content=body).status_code


def test_requests_are_counted_by_path(opened: door.Door, client: httpx.Client) -> None:
    """controller-runtime's names, with the path as `webhook`."""
    mutate = opened.counted(REQUESTS, webhook="/mutate", code="200")
    before = opened.counted(REQUESTS, webhook="/validate", code="200")
    latency = "controller_runtime_webhook_latency_seconds_count"
    seen = opened.counted(latency, webhook="/validate")

    answer(client, GOOD)

    assert before + 1 == opened.counted(REQUESTS, webhook="/validate", code="200")
    assert seen + 1 == opened.counted(latency, webhook="/validate")
    assert mutate == opened.counted(REQUESTS, webhook="/mutate", code="200")


def test_a_policy_that_is_too_large_is_let_through_with_a_warning(client: httpx.Client) -> None:
    """It is not the check's size that decides what may be stored."""
    container = {**WRONG["probe"]["spec"]["steps"][0]["container"], "args": ["x" * 2**18]}

    got = answer(client, changed(steps=[{"name": "a", "container": container}]))

    assert (True, [validate.UNCHECKED]) == (got["allowed"], got["warnings"])


HEAVY = changed(
    conditions=[
        {"name": f"c{i}", "expression": f"[{','.join('1' * 2000)}].size() > {i}"} for i in range(32)
    ]
)


def test_a_long_check_holds_up_no_pod() -> None:
    """While a policy takes a second to check, reviews of pods are answered as ever."""
    with door.opened() as it, connected(it) as slow, connected(it) as quick:
        quick.post("/mutate", content=door.review(), headers=JSON)
        checks: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: checks.append(answer(slow, HEAVY)))
        times = []
        thread.start()
        while thread.is_alive():
            began = time.perf_counter()
            got = quick.post("/mutate", content=door.review(), headers=JSON)
            times.append(time.perf_counter() - began)
            assert got.status_code == 200
        thread.join()

    assert [True] == [check["allowed"] for check in checks]
    assert len(times) > 10
    assert sorted(times)[len(times) // 2] < 0.1


def test_a_check_that_takes_too_long_is_given_up() -> None:
    """503 within the deadline, one line; what waited for it has been given up, too."""
    with door.opened() as it, connected(it) as client:
        got = post(client, review(HEAVY), "?timeout=10ms")
        again = post(client, review(GOOD), "?timeout=10s")

        assert (503, validate.BUSY + "\n") == (got.status_code, got.text)
        assert again.json()["response"]["allowed"]
        assert it.counted(REQUESTS, webhook="/validate", code="503") == 1


def test_a_refusal_is_logged_with_its_problems(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Who looks for why a policy is not there finds it in the log."""
    with caplog.at_level("INFO", "webhook.server.validate"):
        answer(client, changed(conditions=[{"name": "a", "expression": " "}]))

    (record,) = [each for each in caplog.records if each.name == "webhook.server.validate"]
    assert ("policy refused", "database") == (record.message, vars(record)["policy"])
    assert [EMPTY] == vars(record)["problems"]


def test_a_problem_without_a_file_is_its_field_and_cause() -> None:
    """No empty place is written in front of it."""
    problem = Problem("", 0, 0, "spec.steps", "is empty", "write one")

    assert "spec.steps: is empty; write one" == str(problem)
