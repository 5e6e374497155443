"""`initject check`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import POLICY, World
from webhook.manifest import workload

WRONG = POLICY + "  order: soon\n"
LATEST = POLICY.replace("wait:1.4", "wait:latest")


def test_nothing_is_wrong(world: World) -> None:
    """Good policies are counted, and the status is 0."""
    ran = world.run("check", world.write("p.yaml", POLICY))

    assert (ran.status, ran.out, ran.err) == (0, "1 policy, no problems\n", "")


def test_an_error(world: World) -> None:
    """An error is one line with its place, then a summary; the status is 1."""
    path = world.write("p.yaml", WRONG)
    ran = world.run("check", path)

    line, summary = ran.out.splitlines()
    assert line.startswith(f"{path}:10:10: spec.order: ")
    assert summary == "1 error in 1 file"
    assert ran.status == 1


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--strict"], 1)])
def test_a_warning(world: World, options: list[str], status: int) -> None:
    """A warning is marked as one, and fails only with --strict."""
    path = world.write("p.yaml", LATEST)
    ran = world.run("check", *options, path)

    assert f"{path}:9:26: warning: spec.steps[0].container.image: " in ran.out
    assert ran.out.endswith("1 warning in 1 file\n")
    assert ran.status == status


def test_as_json(world: World) -> None:
    """`-o json` prints counts and problems."""
    report: dict[str, Any] = world.run("check", "-o", "json", world.write("p.yaml", WRONG)).json

    assert (report["errors"], report["warnings"]) == (1, 0)
    assert report["problems"][0]["field"] == "spec.order"
    assert report["problems"][0]["severity"] == "error"


def test_as_annotations(world: World) -> None:
    """`-o github` prints annotations for a pull request."""
    path = world.write("p.yaml", WRONG)
    ran = world.run("check", "-o", "github", path)

    assert ran.out.startswith(f"::error file={path},line=10,col=10,title=spec.order::")


def test_a_folder_without_policies(world: World) -> None:
    """Checking nothing is no success: the folder may be the wrong one."""
    world.write("some/service.yaml", "apiVersion: v1\nkind: Service\n")
    ran = world.run("check", str(world.folder / "some"))

    assert ran.status == 1
    assert ran.err == f"initject check: no policy in {world.folder / 'some'}\n"


def test_a_path_that_is_not_there(world: World) -> None:
    """A path that does not exist is wrong usage."""
    ran = world.run("check", str(world.folder / "missing.yaml"))

    assert ran.status == 2
    assert ran.err.count("\n") == 1


def test_every_file_at_once(world: World) -> None:
    """The problems of all files come in one run, by file and place."""
    names = ("a", "b")
    paths = [world.write(name, WRONG.replace("database", name)) for name in names]
    ran = world.run("check", "-o", "json", *reversed(paths))

    assert [problem["file"] for problem in json.loads(ran.out)["problems"]] == paths


WAITING = """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: database}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps: [{name: wait, waitFor: [{tcp: {host: db, port: 5432}}]}]
"""
JOB = """
apiVersion: v1
kind: List
items:
  - apiVersion: batch/v1
    kind: Job
    metadata: {name: import}
    spec:
      activeDeadlineSeconds: 60
      podFailurePolicy:
        rules: [{action: FailJob, onExitCodes: {operator: In, values: [1, 210]}}]
      template:
        metadata: {labels: {app: shop}}
        spec: {restartPolicy: Never, containers: [{name: app, image: "a:1"}]}
"""


def test_a_rule_that_the_failure_of_a_job_meets(world: World) -> None:
    """`check` and `preview` say so where a step waits for a Job, with what to do."""
    waiting = WAITING.replace("tcp: {host: db, port: 5432}", "job: {name: a}")
    policy = world.write("p.yaml", waiting)
    rule = "values: [1, 210]"
    job = JOB.replace("Seconds: 60", "Seconds: 900").replace(rule, "values: [1]")
    path = world.write("job.yaml", job)
    what = (
        "wait exits with 1 when a Job that it waits for has failed, which podFailurePolicy.rules[0]"
        " takes for FailJob; name the container that the rule is meant for in its containerName"
    )
    line = f"{path}:11:17: warning: items[0].spec.podFailurePolicy.rules[0]: {what}"

    assert line == world.run("check", policy, path).out.splitlines()[0]
    shown = world.run("preview", "--policies", policy, path).out
    assert "  note: " + what.partition(";")[0] in shown


def test_a_workload_beside_the_policies_that_has_less_time_than_its_steps_wait(
    world: World,
) -> None:
    """Both rules of the Job that the wait meets are warnings, where they stand."""
    path = world.write("job.yaml", JOB)
    ran = world.run("check", "--strict", world.write("p.yaml", WAITING), path)

    assert ran.status == 1
    deadline, rule, summary = ran.out.splitlines()
    assert deadline.startswith(
        f"{path}:9:30: warning: items[0].spec.activeDeadlineSeconds: wait may take 5m, longer than"
    )
    assert rule.startswith(
        f"{path}:11:17: warning: items[0].spec.podFailurePolicy.rules[0]: wait exits with 210 "
    )
    assert summary == "2 warnings in 1 file"


@pytest.mark.parametrize("kind", [kind for _, kind in workload.TEMPLATES])
def test_every_kind_of_workload_is_looked_at(world: World, kind: str) -> None:
    """In JSON too."""
    pod = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"activeDeadlineSeconds": 1, "containers": [{"name": "app", "image": "a:1"}]},
    }
    (group, path) = next((g, p) for (g, k), p in workload.TEMPLATES.items() if k == kind)
    value: Any = pod
    for part in reversed(path):
        value = {part: value}
    head = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind}
    text = json.dumps({**head, **value, "metadata": {"name": "a", **value.get("metadata", {})}})

    ran = world.run("check", world.write("p.yaml", WAITING), world.write("a.json", text))

    assert "may take 5m, longer than the pod's activeDeadlineSeconds, 1s" in ran.out


def test_a_workload_that_no_step_comes_into_is_nothing_to_check(world: World) -> None:
    """Nor one of which no pod can be made."""
    other = world.write("job.yaml", JOB.replace("app: shop", "app: other"))
    broken = world.write("broken.yaml", JOB.replace("containers: [{", "containers: [3, {"))

    ran = world.run("check", "--strict", world.write("p.yaml", WAITING), other, broken)

    assert (ran.status, ran.out) == (0, "1 policy, no problems\n")
