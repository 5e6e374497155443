"""`initject emergency` where there is no cluster to speak to (tests/cluster has one)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.unit.cli.conftest import World


def kubeconfig(world: World) -> str:
    """One for a port that nobody listens on."""
    named = {"name": "nowhere"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{**named, "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{**named, "user": {"token": "none"}}],
        "contexts": [{**named, "context": {"cluster": "nowhere", "user": "nowhere"}}],
        "current-context": "nowhere",
    }
    return world.write("kubeconfig", json.dumps(config))


def test_without_a_kubeconfig_it_says_which_it_looked_for(world: World) -> None:
    """Wrong usage: status 2, nothing on standard output."""
    file = str(world.folder / "missing")

    ran = world.run("emergency", "off", "--kubeconfig", file)

    assert (2, "") == (ran.status, ran.out)
    assert f"initject: {file} cannot be used to reach a cluster: " in ran.err


def test_a_context_that_is_not_there_is_wrong_usage(world: World) -> None:
    """The message names it."""
    file = kubeconfig(world)

    ran = world.run("emergency", "status", "--kubeconfig", file, "--context", "elsewhere")

    assert (2, "") == (ran.status, ran.out)
    assert "elsewhere" in ran.err


@pytest.mark.parametrize("what", ["off", "on", "status"])
def test_a_cluster_that_does_not_answer_is_said(world: World, what: str) -> None:
    """Status 1, and what to do about it."""
    ran = world.run("emergency", what, "--kubeconfig", kubeconfig(world))

    assert (1, "") == (ran.status, ran.out)
    assert "initject: the API server: Cannot connect to host 127.0.0.1:1" in ran.err
    assert ran.err.endswith("run it again, it goes on where it stopped\n")


def test_the_kubeconfig_of_the_environment_is_used(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kubectl does, several files in one variable, too."""
    missing = world.folder / "missing"
    monkeypatch.setenv("KUBECONFIG", f"{missing}:{kubeconfig(world)}")

    ran = world.run("emergency", "status")

    assert 1 == ran.status
    assert "Cannot connect to host 127.0.0.1:1" in ran.err


def test_help_loads_no_client() -> None:
    """The Kubernetes client takes half a second: only who goes to a cluster waits for it."""
    script = (
        "import sys; from webhook.cli import main; "
        "main.run(['emergency', '--help']); print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert set() == {"kubernetes", "aiohttp", "asyncio"} & set(ran.stderr.split())
