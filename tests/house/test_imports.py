"""The floor plan."""

from __future__ import annotations

import subprocess
import sys

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


def test_serving_files_brings_no_kubernetes_client() -> None:
    """It costs a second and 20 MB: only who chose the cluster pays for it."""
    code = "import sys, webhook.server.run; sys.exit('kubernetes' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, check=False)

    assert 0 == run.returncode
