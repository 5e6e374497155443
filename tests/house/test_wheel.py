"""The built wheel: what is in it, and that it works without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import BIN, CHECKOUT
from webhook import __version__

WANTED = ("pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as in the Dockerfile: from a copy without .gitignore, and with keys left in it."""
    source = tmp_path_factory.mktemp("source")
    for name in WANTED:
        shutil.copy(CHECKOUT / name, source)
    for package in ("webhook", "certs"):
        shutil.copytree(CHECKOUT / package, source / package)
    left_lying = source / "certs" / "local"
    left_lying.mkdir()
    for name in ("tls.key", "tls.crt", "ca.pem"):
        (left_lying / name).write_text("not for others")
    subprocess.run(
        [BIN / "hatchling", "build", "-t", "wheel"], cwd=source, check=True, capture_output=True
    )
    return next((source / "dist").glob("*.whl"))


def test_the_wheel_holds_the_two_packages_and_no_key(wheel: Path) -> None:
    """Nothing but `webhook`, `certs` and the wheel's own data is in it; keys stay out."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}

    assert {"certs", "webhook", f"initject-{__version__}.dist-info"} == tops
    assert [] == [name for name in names if name.endswith((".key", ".pem", ".crt"))]
    assert {"webhook/py.typed", "certs/py.typed"} <= set(names)


def test_the_wheel_passes_the_usual_checks(wheel: Path) -> None:
    """check-wheel-contents has nothing to say."""
    run = subprocess.run(
        [BIN / "check-wheel-contents", wheel],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, f"{wheel}: OK\n") == (run.returncode, run.stdout)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in an environment of its own, dependencies from this one, no checkout.

    A `.pth` file adds one folder: the `.pth` files inside that folder, such as that of an editable
    installation, are not read.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    uv = [BIN / "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--no-index"]
    subprocess.run([*uv, "--python", python, wheel], check=True)
    site = next((home / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return home / "bin" / "initject"


def run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [command, *arguments], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def test_the_installed_wheel_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    """What these tests run comes from the wheel."""
    python = installed.parent / "python"
    found = run(python, "-c", "import webhook; print(webhook.__file__)", cwd=tmp_path)

    assert found.stdout.startswith(str(installed.parents[1]))


def test_the_installed_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    """`initject version` works from anywhere."""
    answer = run(installed, "version", cwd=tmp_path)

    assert (0, f"initject {__version__}\n", "") == (answer.returncode, answer.stdout, answer.stderr)


def test_the_installed_command_previews(installed: Path, tmp_path: Path) -> None:
    """`initject preview` finds all its data in the wheel."""
    example = CHECKOUT / "examples" / "01-minimal"
    policy, pod = str(example / "policy.yaml"), str(example / "pod.yaml")
    answer = run(installed, "preview", "-o", "yaml", "--policies", policy, pod, cwd=tmp_path)

    assert (0, "") == (answer.returncode, answer.stderr)
    assert "initContainers:" in answer.stdout
