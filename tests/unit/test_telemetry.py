from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from webhook import telemetry
from webhook.telemetry.logs import JsonFormatter, TextFormatter

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _samples(metrics: telemetry.Metrics) -> Samples:
    families = text_string_to_metric_families(metrics.render()[0].decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def _value(metrics: telemetry.Metrics, name: str, **labels: str) -> float | None:
    return _samples(metrics).get((name, tuple(sorted(labels.items()))))


@pytest.fixture
def metrics() -> telemetry.Metrics:
    return telemetry.Metrics("1.2.3")


def _record(message: str, *arguments: object, **fields: object) -> logging.LogRecord:
    logger = logging.getLogger("initject.test")
    return logger.makeRecord(
        logger.name, logging.INFO, __file__, 1, message, arguments, None, extra=fields
    )


def _json(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


# metrics


def test_every_metric_of_the_table_is_shown_with_its_help(metrics: telemetry.Metrics) -> None:
    """What the table names is what Prometheus reads, with kind and help, and nothing else."""
    text = metrics.render()[0].decode()

    for instrument in telemetry.INSTRUMENTS:
        assert f"# TYPE {instrument.name} {instrument.kind}\n" in text
        assert f"# HELP {instrument.name} {instrument.help}\n" in text
    names = {instrument.name for instrument in telemetry.INSTRUMENTS}
    shown = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert names == {name for name in shown if not name.startswith(("process_", "python_"))}


def test_names_follow_the_conventions() -> None:
    """Counters end in `_total`, nothing else does, and no label names a pod."""
    for instrument in telemetry.INSTRUMENTS:
        assert (instrument.kind == "counter") == instrument.name.endswith("_total")
        assert not {"pod", "namespace", "uid", "name"} & set(instrument.labels)
        assert instrument.help.endswith(".")


def test_is_served_as_prometheus_expects(metrics: telemetry.Metrics) -> None:
    """The content type says which text format it is."""
    assert metrics.render()[1].startswith("text/plain; version=")


def test_controller_runtimes_names_are_there_from_the_start(metrics: telemetry.Metrics) -> None:
    """Dashboards made for controller-runtime find requests, latency and flight of `/mutate`."""
    prefix = "controller_runtime_webhook"

    assert _value(metrics, f"{prefix}_requests_total", webhook="/mutate", code="200") == 0
    assert _value(metrics, f"{prefix}_requests_total", webhook="/mutate", code="500") == 0
    assert _value(metrics, f"{prefix}_latency_seconds_count", webhook="/mutate") == 0
    assert _value(metrics, f"{prefix}_requests_in_flight", webhook="/mutate") == 0
    assert _value(metrics, "certwatcher_read_certificate_total") == 0
    assert _value(metrics, "certwatcher_read_certificate_errors_total") == 0


def test_counts_a_request(metrics: telemetry.Metrics) -> None:
    """A request is in flight, then counted by status with its latency and size."""
    prefix, mutate = "controller_runtime_webhook", {"webhook": "/mutate"}
    metrics.begin()
    metrics.received(5000)
    assert _value(metrics, f"{prefix}_requests_in_flight", **mutate) == 1

    metrics.end(404, 0.0001)
    latency = f"{prefix}_latency_seconds"
    assert _value(metrics, f"{prefix}_requests_in_flight", **mutate) == 0
    assert _value(metrics, f"{prefix}_requests_total", code="404", **mutate) == 1
    assert _value(metrics, f"{latency}_bucket", le="5e-05", **mutate) == 0
    assert _value(metrics, f"{latency}_bucket", le="0.0001", **mutate) == 1
    assert _value(metrics, f"{latency}_bucket", le="+Inf", **mutate) == 1
    assert _value(metrics, f"{latency}_sum", **mutate) == 0.0001
    assert _value(metrics, "initject_review_bytes_bucket", le="4096.0") == 0
    assert _value(metrics, "initject_review_bytes_bucket", le="16384.0") == 1


def test_counts_a_request_that_was_answered_at_once(metrics: telemetry.Metrics) -> None:
    """It is counted as any other, and was never in flight."""
    prefix, mutate = "controller_runtime_webhook", {"webhook": "/mutate"}
    metrics.answered(200, 0.0001)

    assert _value(metrics, f"{prefix}_requests_in_flight", **mutate) == 0
    assert _value(metrics, f"{prefix}_requests_total", code="200", **mutate) == 1
    assert _value(metrics, f"{prefix}_latency_seconds_count", **mutate) == 1


def test_counts_the_requests_of_each_webhook_apart(metrics: telemetry.Metrics) -> None:
    """A check of a policy is no review of a pod."""
    name = "controller_runtime_webhook_requests_total"
    metrics.begin("/validate")
    metrics.end(503, 0.1, "/validate")

    assert _value(metrics, name, webhook="/validate", code="503") == 1
    assert _value(metrics, name, webhook="/mutate", code="503") is None
    assert _value(metrics, name, webhook="/validate", code="200") == 0


def test_counts_what_became_of_a_policy(metrics: telemetry.Metrics) -> None:
    """Each verdict is there from the start."""
    metrics.judged("refused")
    name = "initject_policy_reviews_total"

    counted = {
        verdict: _value(metrics, name, verdict=verdict)
        for verdict in ("accepted", "refused", "unchecked")
    }
    assert {"accepted": 0, "refused": 1, "unchecked": 0} == counted


def test_a_value_beyond_all_buckets_is_counted(metrics: telemetry.Metrics) -> None:
    """What is slower than the last bound stands in the bucket without one."""
    metrics.begin()
    metrics.end(200, 100.0)
    name = "controller_runtime_webhook_latency_seconds_bucket"

    assert _value(metrics, name, webhook="/mutate", le="30.0") == 0
    assert _value(metrics, name, webhook="/mutate", le="+Inf") == 1


def test_counts_what_became_of_a_review(metrics: telemetry.Metrics) -> None:
    """Each review ends in one outcome; what went wrong is counted by reason as well."""
    metrics.concluded("patched")
    metrics.refused("request.uid")
    metrics.bug()
    metrics.faulty()

    outcomes = {
        labels[0][1]: value
        for (name, labels), value in _samples(metrics).items()
        if name == "initject_reviews_total"
    }
    errors = {
        labels[0][1]: value
        for (name, labels), value in _samples(metrics).items()
        if name == "initject_errors_total"
    }
    assert {"patched": 1, "unchanged": 0, "denied": 0, "refused": 1, "failed": 1} == outcomes
    assert {"bad_review": 1, "bug": 1, "no_pod": 1} == errors


def test_counts_what_policies_did(metrics: telemetry.Metrics) -> None:
    """Injections, skips, denials, audits and notes are counted by policy and reason."""
    metrics.injected("a")
    metrics.injected("a")
    metrics.skipped("team/b", "conflict")
    metrics.skipped("", "mirror_pod")
    metrics.denied("a", "template_failed")
    metrics.audited("a")
    metrics.noted("a", "changed")

    assert _value(metrics, "initject_injections_total", policy="a") == 2
    assert _value(metrics, "initject_skips_total", policy="team/b", reason="conflict") == 1
    assert _value(metrics, "initject_skips_total", policy="", reason="mirror_pod") == 1
    assert _value(metrics, "initject_denials_total", policy="a", reason="template_failed") == 1
    assert _value(metrics, "initject_audits_total", policy="a") == 1
    assert _value(metrics, "initject_notes_total", policy="a", reason="changed") == 1


def test_series_of_policies_that_are_gone_end(metrics: telemetry.Metrics) -> None:
    """However many policies come and go, only those in force have series."""
    metrics.policies_in_force(["a", "team/b"])
    for policy in ("a", "team/b"):
        metrics.injected(policy)
        metrics.skipped(policy, "conflict")
        metrics.audited(policy)
    metrics.skipped("", "mirror_pod")
    metrics.policies_in_force(["a", "c"])

    assert _value(metrics, "initject_policies", kind="ClusterInitPolicy") == 2
    assert _value(metrics, "initject_policies", kind="InitPolicy") == 0
    assert "team/b" not in metrics.render()[0].decode()
    assert _value(metrics, "initject_injections_total", policy="a") == 1
    assert _value(metrics, "initject_skips_total", policy="", reason="mirror_pod") == 1


def test_a_source_that_fails_keeps_its_last_success(metrics: telemetry.Metrics) -> None:
    """A failed reading is counted and its problems shown; the last success stays as it was."""
    metrics.source_read("policies", 1000.0, errors=0, warnings=2)
    metrics.source_read("policies", 2000.0, errors=3, warnings=0)
    last = "initject_source_last_success_timestamp_seconds"
    problems = "initject_source_problems"
    reads = "initject_source_reads_total"

    assert _value(metrics, last, source="policies") == 1000
    assert _value(metrics, reads, source="policies", result="success") == 1
    assert _value(metrics, reads, source="policies", result="failure") == 1
    assert _value(metrics, problems, source="policies", severity="error") == 3
    assert _value(metrics, problems, source="policies", severity="warning") == 0


def test_a_certificate_that_fails_keeps_the_expiry(metrics: telemetry.Metrics) -> None:
    """The expiry is that of the certificate in force; before there is one nothing is said."""
    expiry = "initject_certificate_expiry_timestamp_seconds"
    assert _value(metrics, expiry) is None

    metrics.certificate_read(1000.0)
    metrics.certificate_read(None)

    assert _value(metrics, expiry) == 1000
    assert _value(metrics, "certwatcher_read_certificate_total") == 2
    assert _value(metrics, "certwatcher_read_certificate_errors_total") == 1


def test_says_what_runs_and_whether_it_is_ready(metrics: telemetry.Metrics) -> None:
    """Version, readiness, namespaces and the process itself are there."""
    assert _value(metrics, "initject_ready") == 0
    metrics.ready(yes=True)
    metrics.namespaces_known(4)
    python = ".".join(map(str, sys.version_info[:3]))

    assert _value(metrics, "initject_ready") == 1
    assert _value(metrics, "initject_namespaces") == 4
    assert _value(metrics, "initject_build_info", version="1.2.3", python=python) == 1
    assert "process_resident_memory_bytes" in {name for name, _ in _samples(metrics)}


def test_two_sets_of_metrics_are_strangers(metrics: telemetry.Metrics) -> None:
    """Nothing is global: what one set counts is not in another."""
    other = telemetry.Metrics("1.2.3")
    other.injected("a")

    assert _value(metrics, "initject_injections_total", policy="a") is None


def test_importing_telemetry_brings_no_metrics_library() -> None:
    """The library, which makes a global registry, is imported when metrics are made."""
    code = "import sys, webhook.telemetry; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


# log lines


def test_a_line_is_one_object() -> None:
    """Time in UTC, level, logger and message stand first, then the fields."""
    record = _record("policies replaced", policies=3, source="files")
    record.created = 1795521600.25

    assert {
        "time": "2026-11-24T12:00:00.250000Z",
        "level": "info",
        "logger": "initject.test",
        "message": "policies replaced",
        "policies": 3,
        "source": "files",
    } == _json(record)


def test_a_line_never_breaks() -> None:
    """Whatever a value holds, line breaks of all alphabets included, the line is one of ASCII."""
    nasty = 'a\nb\r\x0b\u2028\u0085\x1b[31m"\ud800é'
    line = JsonFormatter().format(_record("what %s", nasty, value=nasty))

    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert (f"what {nasty}", nasty) == (json.loads(line)["message"], json.loads(line)["value"])


def test_a_mapping_is_never_written() -> None:
    """A pod, or a part of one, appears by its type alone, in a list as well."""
    pod = {"metadata": {"name": "secret"}}

    found = _json(_record("m", pod=pod, pods=[pod, "x"], raw=b"secret", thing=object()))
    assert ("<dict>", ["<dict>", "x"], "<bytes>", "<object>") == (
        found["pod"],
        found["pods"],
        found["raw"],
        found["thing"],
    )


def test_values_keep_their_type() -> None:
    """Numbers, truth values, texts and lists of them are written as such, paths as text."""
    found = _json(
        _record("m", a=1, b=1.5, c=True, d=None, e=("x", 1), f=Path("/p"), g=float("nan"), h={"y"})
    )

    assert [1, 1.5, True, None, ["x", 1], "/p", "nan", ["y"]] == [
        found[name] for name in "abcdefgh"
    ]


def test_a_long_text_is_cut() -> None:
    """A text that is too long to be a sentence is cut, and says how long it was."""
    found = _json(_record("m", value="x" * 5000))

    assert "x" * 2048 + "… (5000 characters)" == found["value"]


def test_a_field_cannot_pose_as_the_line() -> None:
    """A field that has the name of a standing part does not replace it."""
    found = _json(_record("m", time="never", level="none", logger="x"))

    assert ("info", "initject.test") == (found["level"], found["logger"])
    assert found["time"] != "never"


def test_a_traceback_is_a_field() -> None:
    """An exception stays in its line."""
    try:
        int("wrong")
    except ValueError:
        record = logging.getLogger("x").makeRecord(
            "x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info()
        )

    trace = _json(record)["traceback"]
    assert isinstance(trace, str)
    assert trace.startswith("Traceback (most recent call last):\n")
    assert trace.endswith("ValueError: invalid literal for int() with base 10: 'wrong'\n")


def test_arguments_that_do_not_fit_lose_no_line() -> None:
    """A message whose arguments are wrong is written without them."""
    assert _json(_record("a %s b", 1, 2))["message"] == "a %s b"


def test_a_line_for_a_person() -> None:
    """On a terminal a line has the clock, the level, the message and the fields as words."""
    line = TextFormatter().format(
        _record("policies replaced", policies=["a", "b"], source="files", why="two words", none="")
    )

    assert (
        'info    policies replaced policies=["a","b"] source=files why="two words" none=""'
        == (line.partition(" ")[2])
    )


def test_a_value_cannot_forge_a_line_for_a_person() -> None:
    """Control characters are escaped in text too."""
    line = TextFormatter().format(_record("m\n", value="a\n12:00:00 error forged \x1b[31m"))

    assert 'info    m\\n value="a\\n12:00:00 error forged \\u001b[31m"' == line.partition(" ")[2]


SET_UP = """
import logging, sys, warnings
from webhook import telemetry
telemetry.set_up_logs({level!r}, {form!r})
log = logging.getLogger("initject.review")
log.debug("reviewed"); log.info("injected", extra={{"policy": "a"}})
warnings.warn("old", stacklevel=1)
logging.getLogger("uvicorn.error").error("Traceback\\nlines", extra={{"color_message": "x"}})
print(log.isEnabledFor(logging.DEBUG))
"""


def _run(level: str, form: str) -> tuple[str, list[str]]:
    code = SET_UP.format(level=level, form=form)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr.splitlines()


def test_all_lines_of_the_process_go_one_way() -> None:
    """Ours, the server's and Python's own warnings are JSON lines on standard error."""
    out, lines = _run("info", "auto")
    found = [json.loads(line) for line in lines]

    assert out == "False\n"
    assert ["initject.review", "py.warnings", "uvicorn.error"] == [line["logger"] for line in found]
    assert "a" == found[0]["policy"]
    assert "color_message" not in found[2]


def test_the_level_is_as_asked() -> None:
    """At debug there is a line for each review, at error only what went wrong."""
    assert _run("debug", "json")[0] == "True\n"
    assert len(_run("debug", "json")[1]) == 4
    assert ["uvicorn.error"] == [json.loads(line)["logger"] for line in _run("error", "json")[1]]


def test_text_is_for_who_asks() -> None:
    """The form `text` is given off a terminal too."""
    _, lines = _run("info", "text")

    assert "info    injected policy=a" == lines[0].partition(" ")[2]
