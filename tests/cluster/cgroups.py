"""A cluster's own control group: two kubelets under one root would clean away each other's pods."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path


def name(folder: Path) -> str:
    """The group's name, derived from the cluster's folder."""
    return f"initject-{zlib.crc32(str(folder).encode()):08x}"


def folders(folder: Path) -> list[Path]:
    """Where the group is, or would be: one place a hierarchy with cgroup v1."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(mount[1]) / name(folder) for mount in mounts if mount[2] in {"cgroup", "cgroup2"}]


def remove(folder: Path) -> bool:
    """Remove what is empty; false while something is left (a process is still going down)."""
    for top in folders(folder):
        for path, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
    return not any(path.exists() for path in folders(folder))
