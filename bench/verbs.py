"""How long a verb of the command line takes for one file, from nothing to its end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 9
EXAMPLE = Path(__file__).parents[1] / "examples" / "05-templates-and-conditions"
POLICY, POD = str(EXAMPLE / "policy.yaml"), str(EXAMPLE / "pod.yaml")
INITJECT = [sys.executable, "-m", "webhook"]

NOTHING = "python -c pass"
COMMANDS = {
    NOTHING: [sys.executable, "-c", "pass"],
    "--help": [*INITJECT, "--help"],
    "version": [*INITJECT, "version"],
    "check": [*INITJECT, "check", POLICY],
    "preview": [*INITJECT, "preview", "--policies", POLICY, POD],
}


def use_bytecode(folder: Path) -> None:
    """Let all processes that are started from now on keep compiled modules, as an image has them.

    Those of this machine may be forbidden or stale: they are kept in `folder`.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def times() -> dict[str, float]:
    """Seconds of each of `COMMANDS`: the best of interleaved rounds, after one that compiles."""
    for command in COMMANDS.values():
        _run(command)
    rounds = [{name: _run(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    return {name: min(found[name] for found in rounds) for name in COMMANDS}


def _run(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - began
