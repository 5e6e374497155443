"""What a test needs of the machine, and the one line at the end about what was left out.

A test that needs a program calls `program`; where it is missing the test is skipped, and with
`CI=true` it fails: a green CI has run everything.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

# What takes minutes to make and outlives a checkout: binaries of Kubernetes, an image's base.
CACHE = Path(os.environ.get("INITJECT_CACHE") or Path.home() / ".cache" / "initject")

# A kubeconfig: what can be tested in a cluster that is there already is tested in it.
CLUSTER = os.environ.get("INITJECT_CLUSTER") or None

left_out: dict[str, str] = {}  # what is missing → how to get it


def program(name: str, *, how: str) -> str:
    """The path of a program; `how` says in a few words how to install it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or leave_out(name, how)


def tool(name: str) -> str:
    """The path of a program that tests/cluster/tools.sh fetches; the machine's own will do."""
    fetched = CACHE / "tools" / name
    return str(fetched) if fetched.exists() else program(name, how="make cluster fetches it")


def file(path: Path, *, how: str) -> Path:
    """A file that must be there already, such as a binary that takes minutes to build."""
    if not path.exists():
        leave_out(path.name, how)
    return path


def root() -> None:
    """Namespaces of our own can only be made by root."""
    if os.geteuid() != 0:
        leave_out("root", "run as root")


def own_cluster() -> None:
    """Where INITJECT_CLUSTER names a cluster, none of our own is started."""
    if CLUSTER:
        leave_out("a cluster of the tests' own", "unset INITJECT_CLUSTER")


def leave_out(what: str, how: str) -> str:
    """Skip this test (fail it with `CI=true`), and say so in the last line of the run."""
    left_out[what] = how
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing: {how}", pytrace=False)
    pytest.skip(f"{what} is missing: {how}")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """After pytest's own closing line: what this machine could not run."""
    if left_out:
        missing = "; ".join(f"{what} ({how})" for what, how in sorted(left_out.items()))
        sys.stdout.write(f"\nLeft out, because this machine lacks: {missing}\n")
    elif not config.invocation_params.args:
        sys.stdout.write("\nNothing was left out.\n")
