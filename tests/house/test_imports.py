"""The floor plan."""

from __future__ import annotations

import subprocess

from tests.house.tree import BIN, CHECKOUT


def test_the_direction_of_imports_holds() -> None:
    """Every contract of .importlinter is kept."""
    run = subprocess.run(
        [BIN / "lint-imports", "--no-cache"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (run.returncode, run.stdout if run.returncode else "")
