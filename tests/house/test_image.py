"""The image: built from the Dockerfile as a user would, and run as a cluster would."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.house.tree import BIN, CHECKOUT
from tests.podman import Podman
from webhook import __version__

HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--pull=never")


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
