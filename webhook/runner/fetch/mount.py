"""Whether a folder is where a volume is mounted: it can then neither be moved nor replaced."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")


def is_root(folder: str) -> bool:
    """Also where both sides are on one file system, as volumes of one node are."""
    path = os.path.realpath(folder)
    if os.path.ismount(path):
        return True
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:  # not on Linux
        return False
    places = (line.split()[4] for line in lines)
    return os.fsencode(path) in (
        _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), place) for place in places
    )
