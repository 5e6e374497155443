"""The image: built from the Dockerfile as a user would, and run as a cluster would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.house.tree import BIN, CHECKOUT
from webhook import __version__

CACHE = Path(os.environ.get("INITJECT_CACHE") or Path.home() / ".cache" / "initject")
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
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--pull=never")


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


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Podman:
    """podman, if this machine has it."""
    needs.root()
    needs.program("podman", how="apt-get install podman runc")
    needs.program("runc", how="apt-get install podman runc")
    return Podman(tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="module")
def base(podman: Podman) -> str:
    """Debian 12 with Python, where no image can be pulled: made once by debootstrap (40 s)."""
    archive = CACHE / "debian-12-python.tar"
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


@pytest.fixture(scope="module")
def image(podman: Podman, base: str) -> str:
    """The image. Of this machine it sees the network and whom it trusts, nothing of which stays."""
    pip = podman.folder / "pip.conf"
    pip.write_text(f"[global]\ncert = {TRUST}/ca-certificates.crt\n")
    podman.must(
        *("build", "--quiet", "--network=host", f"--build-arg=BASE={base}", f"--tag={IMAGE}"),
        *(f"--volume={TRUST}:{TRUST}:ro", f"--volume={pip}:/etc/pip.conf:ro", "."),
    )
    return IMAGE


def test_the_dockerfile_has_no_fault() -> None:
    """hadolint has nothing to say."""
    run = subprocess.run(
        [BIN / "hadolint", "Dockerfile"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )

    assert (0, "") == (run.returncode, run.stdout)


def test_the_image_says_how_it_runs(podman: Podman, image: str) -> None:
    """It serves as user 65532 unless told otherwise, and names its licence."""
    config: dict[str, Any] = json.loads(podman.must("inspect", image))[0]["Config"]

    assert "65532:65532" == config["User"]
    assert (["initject"], ["serve"]) == (config["Entrypoint"], config["Cmd"])
    assert {"8443/tcp", "8081/tcp"} == set(config["ExposedPorts"])
    assert "Apache-2.0" == config["Labels"]["org.opencontainers.image.licenses"]


def test_the_image_runs_with_nothing_allowed(podman: Podman, image: str) -> None:
    """No network, no capability, nothing writable: the command works."""
    answer = podman("run", "--rm", *HARDENED, "--network=none", image, "version")

    assert (f"initject {__version__}\n", "") == (answer.stdout, answer.stderr)


def test_the_image_holds_no_tools_and_no_keys(podman: Podman, image: str) -> None:
    """Neither compiler nor pip nor build backend came along, nor anything of the checkout."""
    script = (
        "command -v gcc cc make git; ls /opt/initject/bin | grep -E '^(pip|hatch|uv$)'; "
        "ls -d /build /opt/build; "
        "find /opt/initject -name '*.key' -o -name tests -path '*webhook*'"
    )
    answer = podman("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", script)

    assert "" == answer.stdout


@pytest.fixture
def port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        number: int = sock.getsockname()[1]
        return number


@pytest.fixture
def container(podman: Podman, image: str, port: int) -> Iterator[str]:
    """The image serving the first example, hardened, health on `port`."""
    policies = CHECKOUT / "examples" / "01-minimal" / "policy.yaml"
    settings = {"HOST": "127.0.0.1", "PORT": "0", "HEALTH_PORT": str(port), "DRAIN_SECONDS": "0.1"}
    identifier = podman.must(
        *("run", "--detach", *HARDENED, "--network=host"),
        *(f"--env=INITJECT_{name}={value}" for name, value in settings.items()),
        *(f"--volume={policies}:/policies/policy.yaml:ro", image),
        *("serve", "--self-signed", "--policies", "/policies"),
    )
    yield identifier
    podman("rm", "--force", "--time=0", identifier)


def test_the_image_serves_and_stops(podman: Podman, container: str, port: int) -> None:
    """It becomes ready on a read-only root, and ends well soon after SIGTERM."""
    end = time.monotonic() + 20
    while ready(port) != 200:
        assert time.monotonic() < end, podman("logs", container).stderr
        time.sleep(0.1)

    podman.must("stop", "--time=15", container)

    assert "0" == podman.must("inspect", "--format={{.State.ExitCode}}", container)


def ready(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            code: int = answer.status
            return code
    except OSError:
        return 0
