"""podman, and the image built from the Dockerfile, for every test that wants to run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests import needs

CHECKOUT = Path(__file__).resolve().parents[1]
BASE, IMAGE = "localhost/initject-test-base", "localhost/initject-test"
CLAMP = CHECKOUT / "tests" / "cluster" / "runc-clamp"
TRUST = Path("/etc/ssl/certs")  # the machine's CAs: package registries may be behind a proxy

# What works without systemd, and where this process may not raise its own limits.
CONTAINERS = f"""[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "clamp"
[engine.runtimes]
clamp = ["{CLAMP}"]
"""


class Podman:
    """podman with the settings of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        configuration = folder / "containers.conf"
        configuration.write_text(CONTAINERS)
        self._environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["podman", *map(str, arguments)],
            cwd=CHECKOUT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def must(self, *arguments: str | Path) -> str:
        done = self(*arguments)
        assert done.returncode == 0, f"podman {arguments[0]}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """podman, if this machine has it."""
    needs.root()
    needs.program("podman", how="apt-get install podman runc")
    needs.program("runc", how="apt-get install podman runc")
    return Podman(tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="session")
def base(podman: Podman) -> str:
    """Debian 12 with Python, where no image can be pulled: made once by debootstrap (40 s)."""
    archive = needs.CACHE / "debian-12-python.tar"
    if not archive.exists():
        needs.program("debootstrap", how="apt-get install debootstrap")
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
            include = "--include=python3,python3-venv,ca-certificates"
            strap = ["debootstrap", "--variant=minbase", include, "bookworm", f"{folder}/root"]
            subprocess.run(strap, check=True, capture_output=True)
            tar = ["tar", "-C", f"{folder}/root", "-cf", f"{folder}/part", "."]
            subprocess.run(tar, check=True)
            shutil.move(f"{folder}/part", archive)
    if podman("image", "exists", BASE).returncode != 0:
        podman.must("import", "--quiet", archive, BASE)
    return BASE


@pytest.fixture(scope="session")
def image(podman: Podman, base: str) -> str:
    """The image. Of this machine it sees the network and whom it trusts, nothing of which stays."""
    pip = podman.folder / "pip.conf"
    pip.write_text(f"[global]\ncert = {TRUST}/ca-certificates.crt\n")
    podman.must(
        *("build", "--quiet", "--network=host", f"--build-arg=BASE={base}", f"--tag={IMAGE}"),
        *(f"--volume={TRUST}:{TRUST}:ro", f"--volume={pip}:/etc/pip.conf:ro", "."),
    )
    return IMAGE
