"""Objects of the cluster as targets, against an API server that may be away, closed or hostile."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runner import apiserver, stand, test_wait
from tests.runner.apiserver import Server
from webhook.errors import HopelessError, UsageError
from webhook.runner import targets
from webhook.runner.objects import account

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
RUNNING = {"status": {"active": 1}}
COMPLETE = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
FAILED = {
    "status": {
        "conditions": [
            {
                "type": "Failed",
                "status": "True",
                "reason": "BackoffLimitExceeded",
                "message": "Job has reached the specified backoff limit",
            }
        ]
    }
}
HAS_FAILED = "the Job has failed: BackoffLimitExceeded: Job has reached the specified backoff limit"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with apiserver.serving(tmp_path / "account") as found:
        monkeypatch.setenv(account.HOST, "127.0.0.1")
        monkeypatch.setenv(account.PORT, str(found.port))
        yield found


def words(server: Server, *written: str) -> list[str]:
    return [*written, f"account={server.folder}"]


def look(server: Server, *written: str, seconds: float = 10.0) -> str:
    return stand.looked(targets.read(words(server, *written))[0], seconds)


def start(server: Server, *written: str) -> subprocess.Popen[str]:
    return test_wait.start("--timeout=30s", "--attempt-timeout=2s", *words(server, *written))


def said(process: subprocess.Popen[str]) -> str:
    """The next line, without our name."""
    assert process.stderr is not None
    return process.stderr.readline().removeprefix("initject wait: ").rstrip("\n")


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    _, rest = process.communicate(timeout=60)
    return process.returncode, re.sub(r"after [0-9.]+s", "after …", rest).splitlines()


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def replicas(**status: int) -> dict[str, Any]:
    return {"spec": {"replicas": 3}, "status": {"observedGeneration": 1, **status}}


def holds(kind: str, status: str, **more: object) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": status, **more}]}}


ROLLED = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
APPS = "/apis/apps/v1/namespaces/shop/"
PODS = "/api/v1/namespaces/shop/pods"
ANY = ("object", "api-version=cert-manager.io/v1", "kind=Certificate", "condition=Ready")
CERTIFICATES = "/apis/cert-manager.io/v1/namespaces/shop/certificates"

READINESS = [
    (("job",), JOBS, COMPLETE, ""),
    (("job",), JOBS, {"status": {"active": 2, "failed": 1}},
     "the Job is not complete: 2 pods active, 1 failed"),
    (("job",), JOBS, holds("Suspended", "True"), "the Job is suspended"),
    (("job",), JOBS, holds("Complete", "False"),
     "the Job is not complete: 0 pods active, 0 failed"),
    (("deployment",), f"{APPS}deployments", replicas(**ROLLED), ""),
    (("deployment",), f"{APPS}deployments", {"spec": {"replicas": 0},
     "status": {"observedGeneration": 1}}, ""),
    (("deployment",), f"{APPS}deployments", replicas(**{**ROLLED, "observedGeneration": 0}),
     "its controller has not seen the last change"),
    (("deployment",), f"{APPS}deployments", replicas(**{**ROLLED, "updatedReplicas": 1}),
     "1 of 3 replicas are updated"),
    (("deployment",), f"{APPS}deployments", replicas(**{**ROLLED, "replicas": 4}),
     "1 old replicas are left"),
    (("deployment",), f"{APPS}deployments", replicas(**{**ROLLED, "availableReplicas": 2}),
     "2 of 3 replicas are available"),
    (("deployment",), f"{APPS}deployments",
     {"spec": {}, "status": {"observedGeneration": 1, "conditions": [LATE]}},
     "0 of 1 replicas are updated, and its progress deadline is over"),
    (("statefulset",), f"{APPS}statefulsets", replicas(readyReplicas=3, updatedReplicas=3), ""),
    (("statefulset",), f"{APPS}statefulsets", replicas(readyReplicas=2, updatedReplicas=3),
     "2 of 3 replicas are ready"),
    (("statefulset",), f"{APPS}statefulsets", replicas(readyReplicas=3, updatedReplicas=1),
     "1 of 3 replicas are updated"),
    (("statefulset",), f"{APPS}statefulsets",
     {"spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
      "status": {"observedGeneration": 1, "readyReplicas": 3, "updatedReplicas": 1}}, ""),
    (("statefulset",), f"{APPS}statefulsets",
     {"spec": {"replicas": 3, "updateStrategy": {"type": "OnDelete"}},
      "status": {"observedGeneration": 1, "readyReplicas": 3}}, ""),
    (("pod",), PODS, holds("Ready", "True"), ""),
    (("pod",), PODS, {"status": {"phase": "Succeeded"}}, ""),
    (("pod",), PODS, holds("Ready", "False", reason="ContainersNotReady",
                           message="containers with unready status: [app]"),
     "the pod is not ready: ContainersNotReady: containers with unready status: [app]"),
    (("pod",), PODS, {"status": {"phase": "Failed", "reason": "Evicted"}},
     "the pod has failed: Evicted"),
    (ANY, CERTIFICATES, holds("Ready", "True"), ""),
    (ANY, CERTIFICATES, {}, "it has no condition Ready yet"),
    (ANY, CERTIFICATES, holds("Ready", "False", reason="Issuing"),
     "its condition Ready is False: Issuing"),
    (ANY, CERTIFICATES, holds("Ready", "True", observedGeneration=0),
     "its condition Ready is of an older generation"),
    ((*ANY, "status=unknown"), CERTIFICATES, holds("Ready", "Unknown"), ""),
    (("object", "api-version=cert-manager.io/v1", "kind=ClusterIssuer", "condition=Ready"),
     "/apis/cert-manager.io/v1/clusterissuers", holds("Ready", "True"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "found", "reason"), READINESS)
def test_an_object_is_ready_or_says_why_not(
    server: Server, kind: tuple[str, ...], path: str, found: dict[str, Any], reason: str
) -> None:
    """By the status that its controller writes, of the newest generation."""
    before = look(server, *kind, "name=db")
    server.put(path, "other", **COMPLETE)
    server.put(path, "db", **found)

    assert before.startswith("there is no ")
    assert reason == look(server, *kind, "name=db")


def test_another_namespace_is_asked_where_one_is_named(server: Server) -> None:
    """As words, and in a URL."""
    server.put("/apis/batch/v1/namespaces/data/jobs", "load", **COMPLETE)
    url = f"job://data/load#account={server.folder}"

    assert "" == look(server, "job", "name=load", "namespace=data")
    assert "" == stand.look(url)
    assert "there is no Job of that name" == look(server, "job", "name=load")


def test_a_job_is_followed_until_it_completes(server: Server) -> None:
    """By one watch: what happens in between is told when it happens."""
    process = start(server, "job", "name=load")
    missing = said(process)
    until(lambda: server.watches() == 1)
    server.put(JOBS, "load", **RUNNING)
    running = said(process)
    server.put(JOBS, "load", **COMPLETE)

    assert "job://load: not ready: there is no Job of that name" == missing
    assert "job://load: not ready: the Job is not complete: 1 pods active, 0 failed" == running
    assert (
        0,
        [
            "initject wait: job://load: ready after …",
            "initject wait: ready after …: job://load",
        ],
    ) == ended(process)
    assert (1, 2) == (server.watches(), len(server.asked))


def test_a_job_that_fails_ends_the_wait_at_once(server: Server, tmp_path: Path) -> None:
    """Also for targets that may still come, with a status of its own, and why in the last line."""
    message = tmp_path / "message"
    process = start(
        server, f"--termination-message={message}", "dns://nobody.invalid", "job", "name=load"
    )
    until(lambda: server.watches() == 1)
    server.put(JOBS, "load", **FAILED)
    status, lines = ended(process)

    assert 1 == status
    assert lines[-1].startswith("initject wait: failed after …, not ready: dns://nobody.invalid: ")
    assert lines[-1].endswith(f"; job://load: {HAS_FAILED}")
    assert message.read_text().endswith(HAS_FAILED)


def test_with_any_the_others_may_still_come(server: Server) -> None:
    """A failed Job is one that is missing; when all have failed, nobody is waited for."""
    server.put(JOBS, "load", **FAILED)
    server.put(JOBS, "again", **RUNNING)
    both = [*words(server, "job", "name=load"), "job", "name=again"]
    first = start(server, "--mode=any", *both)
    until(lambda: server.watches() == 1)
    server.put(JOBS, "again", **COMPLETE)
    one = ended(first)[0]
    server.put(JOBS, "again", **FAILED)

    assert (0, 1) == (one, ended(start(server, "--mode=any", *both))[0])


@pytest.mark.parametrize("verb", ["list", "watch"])
def test_a_right_that_is_missing_is_named_and_may_come_late(server: Server, verb: str) -> None:
    """Who may not do what, where; the wait goes on."""
    server.put(JOBS, "load", **RUNNING)
    server.denied.add(verb)
    process = start(server, "job", "name=load")
    lines = [said(process)] + ([said(process)] if verb == "watch" else [])
    server.denied.clear()
    server.put(JOBS, "load", **COMPLETE)

    assert (
        "job://load: not ready: system:serviceaccount:shop:default "
        f"may not {verb} jobs.batch named load in the namespace shop"
    ) == lines[-1]
    assert 0 == ended(process)[0]


def test_a_token_that_is_replaced_is_read_again(server: Server) -> None:
    """One that is not accepted any more may be a moment old."""
    server.put(JOBS, "load", **COMPLETE)
    server.tokens = {"newer"}
    process = start(server, "job", "name=load")
    first = said(process)
    (server.folder / "token").write_text("newer\n")

    assert first.endswith("the API server does not accept the token of the service account")
    assert 0 == ended(process)[0]


@pytest.mark.parametrize("end", ["forget", "cut"])
def test_however_a_watch_ends_a_list_comes_next(server: Server, end: str) -> None:
    """With 410 in the stream, or in the midst of it without an end; nothing is said of it."""
    server.put(JOBS, "load", **RUNNING)
    setattr(server, end, True)
    process = start(server, "job", "name=load")
    until(lambda: server.watches() >= 2)
    setattr(server, end, False)
    server.put(JOBS, "load", **COMPLETE)

    assert (0, 3) == (lambda found: (found[0], len(found[1])))(ended(process))


def test_an_object_that_is_deleted_is_not_there(server: Server) -> None:
    """It may be made again, under the same name."""
    server.put(JOBS, "load", **RUNNING)
    process = start(server, "job", "name=load")
    said(process)
    until(lambda: server.watches() == 1)
    server.remove(JOBS, "load")
    gone = said(process)
    server.put(JOBS, "load", **COMPLETE)

    assert "job://load: not ready: there is no Job of that name" == gone
    assert (0, 1) == (ended(process)[0], server.watches())


def test_one_attempt_may_not_take_longer_than_its_time(server: Server) -> None:
    """A body without an end is left when it has become too long, or at the deadline."""
    for body, reason in (
        (b"x" * 65536, "the API server answers with more than 4 MiB"),
        (b'{"metadata": [', "the API server answers with more than 4 MiB"),
    ):
        server.body = body
        began = time.monotonic()

        assert look(server, "job", "name=load", seconds=5) in {reason, "no answer in time"}
        assert time.monotonic() - began < 6


FLOODS = {
    "line": b"x" * 65536,
    "lines": b"x\n" * 9999,
    "events": b'{"type": "MODIFIED", "object": {"metadata": {"name": "load"}}}\n' * 999,
    "nothing": b'{"type": "MODIFIED"}\n',
    "bookmarks": b'{"type": "BOOKMARK", "object": {}}\n' * 999,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_stream_without_end_does_not_outlast_the_wait(server: Server, flood: str) -> None:
    """Whatever it says, the last line comes in time, and has what is known."""
    server.put(JOBS, "load", **RUNNING)
    server.flood = FLOODS[flood]
    began = time.monotonic()
    status, lines = test_wait.waited("--timeout=1s", *words(server, "job", "name=load"))

    assert time.monotonic() - began < 10
    assert 210 == status
    assert "job://load: the Job is not complete: " in lines[-1]


HOSTILE = [
    b"",
    b"{}",
    b"[]",
    b'"text"',
    b'{"metadata": {}, "items": 7}',
    b'{"metadata": {}, "items": [7]}',
    b'{"metadata": {}, "items": [{"status": 7}]}',
    b'{"metadata": {}, "items": [{"status": {"conditions": [7, {"type": []}]}}]}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("kind", [("job",), ("deployment",), ("statefulset",), ("pod",), ANY])
def test_whatever_is_answered_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: tuple[str, ...], body: bytes
) -> None:
    """Never ready, and never an error of our own."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with apiserver.serving(tmp_path / "account") as server, apiserver.answering(
        server, answer
    ) as port:  # fmt: skip
        monkeypatch.setenv(account.HOST, "127.0.0.1")
        monkeypatch.setenv(account.PORT, str(port))
        reason = look(server, *kind, "name=db")

    assert reason
    assert "internal" not in reason


def test_a_status_of_trouble_is_a_reason(server: Server) -> None:
    """With what the API server says of it."""
    server.status = 500

    assert "the API server answers with status 500: go away" == look(server, "job", "name=load")


def test_a_kind_that_is_not_known_may_still_come(server: Server) -> None:
    """Its definition may be applied later than the pod."""
    kind = ("object", "api-version=example.com/v1", "kind=Cup", "condition=Ready", "name=db")

    assert "the API server knows no Cup of example.com/v1" == look(server, *kind)


def test_a_pod_without_a_token_says_so(server: Server, tmp_path: Path) -> None:
    """What is missing, and where."""
    (target,) = targets.read(["job", "name=load", f"account={tmp_path}/none"])

    assert (
        f"{tmp_path}/none/namespace cannot be read: No such file or directory; "
        "mount a token of the service account there"
    ) == stand.looked(target)


def test_an_impostor_learns_no_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has no certificate of the cluster's CA is asked nothing."""
    with apiserver.serving(tmp_path / "other") as other:
        monkeypatch.setenv(account.PORT, str(other.port))
        reason = look(server, "job", "name=load")

    assert reason.startswith("the certificate is not trusted: ")
    assert [] == other.asked


def test_a_failed_job_is_hopeless_in_one_look(server: Server) -> None:
    """As an error of its own, which nothing takes for `not yet`."""
    server.put(JOBS, "load", **FAILED)

    with pytest.raises(HopelessError, match="BackoffLimitExceeded"):
        look(server, "job", "name=load")


WRONG = [
    (("job",), "job: has no name that an object can have; add name=NAME"),
    (("job", "name=a/b"), "job: has no name that an object can have; add name=NAME"),
    (("job", "name=-load"), "job://-load: '-load' is no name of an object"),
    (("job", "name=load", "namespace=-a"), "job://-a/load: '-a' is no name of a namespace"),
    (("job", "name=load", "host=db"), "job://load: unknown option 'host'; it has: account"),
    (("job", "name=load", "condition=Ready"),
     "job://load: unknown option 'condition'; it has: account"),
    (("object", "name=load"), "object://load: has no api-version; add api-version=…"),
    (("object", "name=load", "api-version=../v1", "kind=Cup", "condition=Ready"),
     "object://load: api-version '../v1' is none"),
    (("object", "name=load", "api-version=v1", "kind=pods", "condition=Ready"),
     "object://load: kind 'pods' is none"),
    (("object", "name=load", "api-version=v1", "kind=Pod", "condition=a b"),
     "object://load: condition 'a b' is none"),
    (("job://load:80",),
     "job://load:80: has a port or a query; write the namespace and the name alone"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "said"), WRONG)
def test_what_is_no_object_is_wrong_usage(
    written: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it can become another path."""
    monkeypatch.setenv(account.HOST, "127.0.0.1")
    with pytest.raises(UsageError) as caught:
        targets.read(written)

    assert said == str(caught.value)


def test_outside_of_a_cluster_there_are_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything is waited for."""
    monkeypatch.delenv(account.HOST, raising=False)
    with pytest.raises(UsageError, match="is of a cluster, and there is none here"):
        targets.read(["job://load"])


def test_a_list_of_somebody_else_names_no_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service account is the pod's, its rights are not for whoever writes an annotation."""
    monkeypatch.setenv(account.HOST, "127.0.0.1")
    with pytest.raises(UsageError, match="cannot stand in --targets"):
        targets.read([], ["job://load"])
