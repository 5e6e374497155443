"""`initject test`."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from tests.unit.cli.conftest import DEPLOYMENT, POD, POLICY, World


def case(world: World, name: str, pod: str, expected: str | None, policy: str = POLICY) -> Path:
    if policy:
        world.write(f"{name}/policy.yaml", policy)
    if expected is not None:
        world.write(f"{name}/expected.yaml", expected)
    return Path(world.write(f"{name}/pod.yaml", pod)).parent


def test_a_case_passes(world: World) -> None:
    """A pod that stays as it is passes where the same pod is expected."""
    case(world, "order/stays", POD, POD)
    ran = world.run("test", str(world.folder))

    assert (ran.status, ran.out) == (0, "1 passed, 0 failed\n")


def test_a_case_fails(world: World) -> None:
    """A failed case is named, with a unified diff from what was expected to what happens."""
    case(world, "order/stays", POD, POD)
    case(world, "wait/is-injected", DEPLOYMENT, DEPLOYMENT)
    ran = world.run("test", str(world.folder))

    assert ran.status == 1
    assert ran.out.startswith("FAILED wait/is-injected\n--- ")
    assert "\n+      - name: wait\n" in ran.out
    assert ran.out.endswith("1 passed, 1 failed\n")


def test_update(world: World) -> None:
    """--update writes what happens, keeps the comment at the top, and then all is well."""
    folder = case(world, "wait", DEPLOYMENT, "# Why.\nkind: Deployment\n")
    updated = world.run("test", "--update", str(world.folder))
    again = world.run("test", str(world.folder))

    assert (updated.status, again.status) == (0, 0)
    assert (folder / "expected.yaml").read_text().startswith("# Why.\napiVersion: apps/v1\n")


def test_a_missing_expectation(world: World) -> None:
    """A case without expected.yaml fails, and says how to write it."""
    case(world, "wait", DEPLOYMENT, None)
    ran = world.run("test", str(world.folder))

    assert ran.status == 1
    assert "no expected.yaml" in ran.out
    assert world.run("test", "--update", str(world.folder)).status == 0


def test_policies_from_elsewhere(world: World) -> None:
    """Policies may come from --policies instead of a policy.yaml in each folder."""
    case(world, "cases/other-stays", POD, POD, policy="")
    policy = world.write("p.yaml", POLICY)
    cases = str(world.folder / "cases")

    assert world.run("test", "--policies", policy, cases).status == 0
    assert world.run("test", cases).status == 1


def test_no_cases(world: World) -> None:
    """A folder without cases is wrong usage, not a success."""
    ran = world.run("test", str(world.folder))

    assert ran.status == 2
    assert "no case in" in ran.err


def test_junit(world: World) -> None:
    """`-o junit` prints JUnit XML with the diff as failure."""
    case(world, "wait/is-injected", DEPLOYMENT, DEPLOYMENT)
    ran = world.run("test", "-o", "junit", str(world.folder))

    failure = ET.fromstring(ran.out).find(".//failure")
    assert failure is not None
    assert "+      - name: wait" in (failure.text or "")


def test_a_refusal(world: World) -> None:
    """A Status expects a refusal; only what it states is compared."""
    policy = POLICY.replace("  steps:", "  onConflict: Reject\n  steps:")
    taken = DEPLOYMENT + "      initContainers: [{name: wait, image: other}]\n"
    case(world, "a", taken, "apiVersion: v1\nkind: Status\ncode: 403\n", policy)
    case(world, "b", taken, "apiVersion: v1\nkind: Status\nmessage: other\n", policy)
    ran = world.run("test", str(world.folder))

    assert "FAILED b\n" in ran.out
    assert ran.out.endswith("1 passed, 1 failed\n")
