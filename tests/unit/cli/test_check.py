"""`initject check`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import POLICY, World

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
