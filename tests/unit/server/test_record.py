"""A decision as counts and as a log line."""

from __future__ import annotations

import logging

import pytest

from webhook.inject.decision import Code, Decision, Reason
from webhook.review.request import Request
from webhook.server import record
from webhook.telemetry import Metrics

REQUEST = Request(
    uid="u", namespace="shop", object={"metadata": {"generateName": "web-"}, "secret": "s3cret"}
)
PATCH = ({"op": "add", "path": "/x", "value": "s3cret"},)


def counted(decision: Decision) -> dict[tuple[str, ...], float]:
    """All that a decision adds to our own counters, by name and labels' values."""
    metrics = Metrics("test")
    record.record(metrics, REQUEST, decision)
    return {
        (sample.name.removeprefix("initject_"), *sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith("initject_") and sample.name.endswith("_total") and sample.value
    }


@pytest.mark.parametrize(
    ("reason", "counter"),
    [
        (Reason(Code.APPLIED, "p"), ("injections_total", "p")),
        (Reason(Code.AUDITED, "p"), ("audits_total", "p")),
        (Reason(Code.CHANGED, "p"), ("notes_total", "p", "changed")),
        (Reason(Code.CONFLICT, "p"), ("skips_total", "p", "conflict")),
        (Reason(Code.CONDITION_FALSE, "p"), ("skips_total", "p", "condition_false")),
        (Reason(Code.MIRROR_POD), ("skips_total", "", "mirror_pod")),
    ],
)
def test_each_reason_is_counted_once(reason: Reason, counter: tuple[str, ...]) -> None:
    """What happened to a policy is a counter of its own."""
    decision = Decision(reasons=(reason,))

    assert {counter: 1.0, ("reviews_total", "unchanged"): 1.0} == counted(decision)


def test_a_policy_that_does_not_match_is_not_counted() -> None:
    """That most policies concern other pods is no news."""
    decision = Decision(reasons=(Reason(Code.UNMATCHED, "p"),))

    assert {("reviews_total", "unchanged"): 1.0} == counted(decision)


def test_a_denial_is_counted_by_its_reason() -> None:
    """What let the pod be refused counts as a denial, what concerns others does not."""
    reasons = (Reason(Code.CONFLICT, "p"), Reason(Code.OS_UNSUPPORTED, "q"))

    assert {
        ("denials_total", "p", "conflict"): 1.0,
        ("skips_total", "q", "os_unsupported"): 1.0,
        ("reviews_total", "denied"): 1.0,
    } == counted(Decision(allowed=False, refused_by=("p",), message="no", reasons=reasons))


def test_a_review_without_a_pod_is_an_error() -> None:
    """A CREATE of nothing is allowed, and counted as an error."""
    got = counted(Decision(faulty=True, reasons=(Reason(Code.NO_POD),)))

    assert got[("errors_total", "no_pod")] == 1.0


@pytest.mark.parametrize(
    ("decision", "level"),
    [
        (Decision(), logging.DEBUG),
        (Decision(reasons=(Reason(Code.CONDITION_FALSE, "p"),)), logging.DEBUG),
        (Decision(reasons=(Reason(Code.CONFLICT, "p"),)), logging.INFO),
        (Decision(patch=PATCH, reasons=(Reason(Code.APPLIED, "p"),)), logging.INFO),
        (Decision(allowed=False, refused_by=("p",), message="no"), logging.INFO),
    ],
)
def test_a_line_is_at_info_when_something_happened(
    decision: Decision, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Injected, refused or left out: info. Nothing: debug. Never a part of the pod's body."""
    caplog.set_level(logging.DEBUG)
    counted(decision)
    (line,) = caplog.records

    assert (level, "review", "u", "shop", "web-*") == (
        line.levelno,
        line.message,
        *(vars(line)[name] for name in ("uid", "namespace", "pod")),
    )
    assert "s3cret" not in str(vars(line))
