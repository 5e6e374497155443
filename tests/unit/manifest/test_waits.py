"""What a workload's rules make of a step that waits."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.document.problem import field
from webhook.manifest import waits


def pod(*containers: tuple[str, str, str], **spec: Any) -> dict[str, Any]:
    """Injected waits by name, timeout and exit code."""
    inits = [
        {
            "name": name,
            "command": ["initject", "wait"],
            "args": [f"--timeout={timeout}", f"--exit-code={code}", "tcp", "host=--timeout=9h"],
        }
        for name, timeout, code in containers
    ]
    return {"spec": {"initContainers": [{"name": "own", "image": "a"}, *inits], **spec}}


def notes(manifest: dict[str, Any], injected: dict[str, Any]) -> list[str]:
    """What is said, without its place."""
    return [f"{one.what}: {one.advice}" for one in waits.findings(manifest, injected)]


def job(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    policy = {"podFailurePolicy": {"rules": list(rules)}} if rules else {}
    return {"kind": "Job", "spec": {**policy, **spec}}


def rule(action: str, operator: str, *values: int, **more: str) -> dict[str, Any]:
    return {
        "action": action,
        "onExitCodes": {"operator": operator, "values": list(values), **more},
    }


WAIT = pod(("wait", "5m", "210"))


@pytest.mark.parametrize(
    ("manifest", "field"),
    [
        (job(activeDeadlineSeconds=299), "activeDeadlineSeconds, 4m59s"),
        (
            {"kind": "CronJob", "spec": {"jobTemplate": job(activeDeadlineSeconds=60)}},
            "activeDeadlineSeconds, 1m",
        ),
        (
            {"kind": "Deployment", "spec": {"progressDeadlineSeconds": 200}},
            "progressDeadlineSeconds, 3m20s",
        ),
    ],
)
def test_a_wait_longer_than_the_workloads_own_deadline(
    manifest: dict[str, Any], field: str
) -> None:
    """It says both times, and which field."""
    assert [
        f"wait may take 5m, longer than {field}: set a shorter timeout, or a longer "
        f"{field.partition(',')[0]}"
    ] == notes(manifest, WAIT)


def test_waits_add_up() -> None:
    """One runs after the other; a Deployment that says nothing has ten minutes."""
    two = pod(("one", "5m", "210"), ("two", "5m1s", "210"))

    (note,) = notes({"kind": "Deployment", "spec": {}}, two)

    assert note.startswith("one, two may take 10m1s, longer than progressDeadlineSeconds, 10m")
    assert [] == notes({"kind": "Deployment", "spec": {}}, WAIT)
    (of_pod,) = notes({"kind": "Pod"}, pod(("wait", "5m", "1"), activeDeadlineSeconds=30))
    assert "longer than the pod's activeDeadlineSeconds, 30s" in of_pod


@pytest.mark.parametrize(
    "first",
    [
        rule("FailJob", "In", 1, 210),
        rule("FailJob", "NotIn", 42),
        rule("FailIndex", "In", 210, containerName="wait"),
        rule("Ignore", "NotIn", 42),
    ],
)
def test_a_rule_that_a_wait_in_vain_meets(first: dict[str, Any]) -> None:
    """The first that fits is told: those behind it do not count."""
    (note,) = notes(job(first, rule("FailJob", "In", 210)), WAIT)

    assert note.startswith("wait exits with 210 when its time is over, which podFailurePolicy.")
    assert f"rules[0] takes for {first['action']}:" in note


@pytest.mark.parametrize(
    "only",
    [
        rule("Ignore", "In", 210),
        rule("FailJob", "In", 42),
        rule("FailJob", "NotIn", 210),
        rule("FailJob", "In", 210, containerName="app"),
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ],
)
def test_a_rule_that_it_does_not_meet_or_that_names_it_on_purpose(only: dict[str, Any]) -> None:
    """Nothing is said."""
    assert [] == notes(job(only), WAIT)


def step(*words: str, name: str = "wait") -> dict[str, Any]:
    """A pod with one step of our program."""
    return {"spec": {"initContainers": [{"name": name, "command": ["initject"], "args": [*words]}]}}


TIMES = ("--timeout=5m", "--exit-code=210")
JOB = ("job", "name=load")


@pytest.mark.parametrize(
    "first",
    [
        rule("FailJob", "In", 1),
        rule("FailJob", "In", 1, 2, 3),
        rule("FailJob", "NotIn", 0, 42, 210),
        rule("Ignore", "In", 1),
        rule("FailIndex", "NotIn", 210, containerName="wait"),
    ],
)
def test_a_rule_that_the_failure_of_a_job_meets(first: dict[str, Any]) -> None:
    """Status 1 is that of many programs: a rule for it hardly means a Job that is waited for."""
    (note,) = notes(job(first, rule("FailJob", "In", 1)), step("wait", *TIMES, *JOB))

    assert (
        "wait exits with 1 when a Job that it waits for has failed, which podFailurePolicy."
        f"rules[0] takes for {first['action']}: name the container that the rule is meant for in "
        "its containerName"
    ) == note


@pytest.mark.parametrize(
    "only",
    [
        rule("FailJob", "In", 1, containerName="app"),
        rule("FailJob", "In", 1, containerName="wait"),
        rule("FailJob", "NotIn", 1, 210),
        rule("FailJob", "In", 2),
        rule("Count", "In", 1),
        {"action": "FailJob", "onPodConditions": [{"type": "ConfigIssue"}]},
    ],
)
def test_a_rule_that_does_not_meet_the_failure_of_a_job_or_means_it(only: dict[str, Any]) -> None:
    """Nothing is said of a rule for another container, for this one, or that counts as usual."""
    assert [] == notes(job(only), step("wait", *TIMES, *JOB))


@pytest.mark.parametrize(
    ("words", "fails"),
    [
        (("tcp", "host=db", "port=5432"), False),
        (("deployment", "name=job"), False),
        (("pod://job",), False),
        (("tcp://db:5432", "job://batch/load"), True),
        (("--mode=any", "tcp://db:5432", *JOB), False),
        (("--mode", "any", "tcp://db:5432", *JOB), False),
        (("--mode=any", "--targets=tcp://db:5432", *JOB), False),
        (("--mode=any", *JOB, "job", "name=other"), True),
        (("--mode=all", "tcp://db:5432", *JOB), True),
    ],
)
def test_only_a_wait_that_a_job_can_end_exits_with_1(words: tuple[str, ...], fails: bool) -> None:
    """A Job alone can fail for good, and of any targets it must be the last hope."""
    found = notes(job(rule("FailJob", "In", 1)), step("wait", *TIMES, *words))

    assert fails == bool(found)


def test_how_a_raw_step_ends_is_known_without_its_times() -> None:
    """Its failure does not depend on them."""
    (note,) = notes(job(rule("FailJob", "In", 1)), step("wait", "--timeout", "5m", "job://load"))

    assert note.startswith("wait exits with 1 when a Job that it waits for has failed")


def test_a_fetch_in_vain_exits_with_1() -> None:
    """What is refused or not there is not asked for again."""
    (note,) = notes(job(rule("FailJob", "In", 1)), step("fetch", *TIMES, "http", "host=settings"))

    assert note.startswith("wait exits with 1 when what it fetches is refused or not there, which")


def test_a_rule_is_told_once_where_both_endings_have_one_code() -> None:
    """A step may give up with status 1, too."""
    (note,) = notes(
        job(rule("FailJob", "In", 1)), step("wait", "--timeout=5m", "--exit-code=1", *JOB)
    )

    assert note.startswith("wait exits with 1 when its time is over, which")


NO_LIST = {"onExitCodes": {"operator": "In", "values": 210}}


@pytest.mark.parametrize("odd", [None, [], "x", {"rules": "x"}, {"rules": [None, NO_LIST]}])
def test_what_is_of_no_shape_says_nothing(odd: object) -> None:
    """The API server says what is wrong with it."""
    assert [] == notes({"kind": "Job", "spec": {"podFailurePolicy": odd}}, WAIT)


@pytest.mark.parametrize(
    "args", [["--timeout=$(TIME)", "--exit-code=210"], ["--timeout", "5m"], [], ["--exit-code=x"]]
)
def test_a_wait_that_says_no_time_is_not_judged(args: list[str]) -> None:
    """A raw step may leave it to the runner."""
    step = {"name": "raw", "command": ["initject", "wait"], "args": args}

    assert [] == notes(job(activeDeadlineSeconds=1), {"spec": {"initContainers": [step]}})


def test_a_fetch_takes_time_too() -> None:
    """It has the same deadline, and the same exit code after that."""
    step = {
        "name": "settings",
        "command": ["initject", "fetch"],
        "args": ["--timeout=5m", "--exit-code=210", "http", "host=settings"],
    }
    found = notes(
        job(rule("FailJob", "In", 210), activeDeadlineSeconds=60),
        {"spec": {"initContainers": [step]}},
    )

    assert ["settings may take 5m", "settings exits with 210"] == [
        " ".join(note.split()[:4]).rstrip(",") for note in found
    ]


def test_a_step_of_our_image_without_a_command_is_ours() -> None:
    """Its arguments are for the image's program; with another command they are not."""
    step = {"name": "raw", "args": ["wait", "--timeout=5m", "--exit-code=210"]}

    (note,) = notes(job(activeDeadlineSeconds=60), {"spec": {"initContainers": [step]}})

    assert note.startswith("raw may take 5m")
    other = {**step, "command": ["sleep"]}
    assert [] == notes(job(activeDeadlineSeconds=60), {"spec": {"initContainers": [other]}})


@pytest.mark.parametrize(
    ("kind", "spec", "places"),
    [
        ("Job", ("spec",), {"spec.activeDeadlineSeconds", "spec.podFailurePolicy.rules[1]"}),
        (
            "CronJob",
            ("spec", "jobTemplate", "spec"),
            {
                "spec.jobTemplate.spec.activeDeadlineSeconds",
                "spec.jobTemplate.spec.podFailurePolicy.rules[1]",
            },
        ),
    ],
)
def test_each_warning_stands_where_the_rule_is(
    kind: str, spec: tuple[str, ...], places: set[str]
) -> None:
    """And that of the pod in its template."""
    value = job(rule("Ignore", "In", 1), rule("FailJob", "In", 210), activeDeadlineSeconds=1)[
        "spec"
    ]
    for part in reversed(spec):
        value = {part: value}
    injected = pod(("wait", "5m", "210"), activeDeadlineSeconds=1)

    found = waits.findings({"kind": kind, **value}, injected, (*spec, "template"))

    assert {"warning"} == {one.severity for one in found}
    template = f"{'.'.join(spec)}.template.spec.activeDeadlineSeconds"
    assert places | {template} == {field(one.path) for one in found}


@pytest.mark.parametrize("odd", [{"a": "b"}, "wait", [1], [["wait"]], None])
def test_words_of_no_shape_are_none(odd: object) -> None:
    """An author may write anything into a container of a manifest."""
    for step in ({"args": odd}, {"command": odd}, {"command": ["initject"], "args": odd}):
        assert [] == notes(job(activeDeadlineSeconds=1), {"spec": {"initContainers": [step]}})
