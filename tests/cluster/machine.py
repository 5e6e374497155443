"""A whole one-node Kubernetes cluster in namespaces of its own, that leaves nothing behind.

    M=tests.cluster.machine
    python -m $M up BIN DIR [--control-plane-only] [--image TAR …] [--api-flag FLAG …]
    python -m $M exec DIR COMMAND …      in the cluster's network, KUBECONFIG set
    python -m $M down DIR

BIN holds the binaries of build.sh; etcd, runc, iptables and the CNI plugins are the machine's own
(README.md). `up` returns when the API server is ready and, unless --control-plane-only, the node is
Ready. Everything runs in new PID, mount, network, UTS and IPC namespaces: no packet can leave the
machine, and killing process 1 kills all of it. Needs root; works on cgroup v1 and without
CAP_SYS_RESOURCE (runc-clamp).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.cluster import cgroups, control_plane, node
from tests.cluster.parts import Parts

CHECKOUT = Path(__file__).resolve().parents[2]
NAMESPACES = ["--pid", "--mount-proc", "--mount", "--net", "--uts", "--ipc"]
UNSHARE = ["unshare", "--fork", "--kill-child", *NAMESPACES]


class StartError(Exception):
    """The cluster did not start; the text is what its first process printed."""


def up(bin_: Path, folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    """Start a cluster in `folder`, which must not exist yet; the process that holds it.

    `flags` are those of the command line. Raises StartError.
    """
    folder.mkdir(parents=True)
    cgroups.remove(folder)
    inner = [sys.executable, "-m", "tests.cluster.machine", "inner", str(bin_), str(folder), *flags]
    with (folder / "machine.log").open("wb") as log:
        process = subprocess.Popen(
            [*UNSHARE, *inner],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=CHECKOUT,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(process.pid))
    began = time.monotonic()
    while not (folder / "ready").exists():
        if process.poll() is not None or time.monotonic() > began + 180:
            process.kill()
            process.wait()
            raise StartError((folder / "machine.log").read_text() or "no word of why")
        time.sleep(0.05)
    return process


def first_process(folder: Path) -> int:
    """The cluster's process 1, as this machine numbers it."""
    outer = int((folder / "pid").read_text())
    return int(Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])


def inside(folder: Path, *command: str) -> list[str]:
    """`command`, to be run in the cluster's network."""
    return ["nsenter", "--net", "--target", str(first_process(folder)), *command]


def down(folder: Path) -> None:
    """End the cluster with all that runs in it; its folder stays, for the logs."""
    outer = int((folder / "pid").read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(outer, signal.SIGKILL)  # --kill-child takes the rest along
    for _ in range(20):
        if cgroups.remove(folder):
            return
        time.sleep(0.1)


def run_as_first_process(arguments: argparse.Namespace) -> NoReturn:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    parts = Parts(arguments.bin, arguments.dir)
    control_plane.network()
    control_plane.start(parts, arguments.api_flag)
    if not arguments.control_plane_only:
        node.start(parts, arguments.image)
    (arguments.dir / "ready").touch()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(1)


def run_up(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    up(arguments.bin, arguments.dir, *sys.argv[4:])
    sys.stdout.write(f"cluster ready in {time.monotonic() - began:.1f} s\n")


def run_exec(arguments: argparse.Namespace) -> NoReturn:
    os.environ["KUBECONFIG"] = str(arguments.dir / "kubeconfig")
    command = inside(arguments.dir, *arguments.command)
    os.execvp(command[0], command)


def absolute(path: str) -> Path:
    return Path(path).resolve()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    for name, run in (("up", run_up), ("inner", run_as_first_process)):
        verb = verbs.add_parser(name)
        verb.add_argument("bin", type=absolute)
        verb.add_argument("dir", type=absolute)
        verb.add_argument("--control-plane-only", action="store_true")
        verb.add_argument("--image", type=absolute, action="append", default=[])
        verb.add_argument("--api-flag", action="append", default=[])
        verb.set_defaults(run=run)
    verb = verbs.add_parser("exec")
    verb.add_argument("dir", type=absolute)
    verb.add_argument("command", nargs=argparse.REMAINDER)
    verb.set_defaults(run=run_exec)
    verb = verbs.add_parser("down")
    verb.add_argument("dir", type=absolute)
    verb.set_defaults(run=lambda arguments: down(arguments.dir))
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
