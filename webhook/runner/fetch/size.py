"""Sizes as Kubernetes users write them: 100Mi, 2Gi, 500k."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNITS: Mapping[str, int] = {
    "": 1,
    **{f"{unit}i": 1024 ** (power + 1) for power, unit in enumerate("KMGT")},
    **{unit: 1000 ** (power + 1) for power, unit in enumerate("kMGT")},
}
_WHOLE = re.compile(r"([0-9]{1,15})([KMGT]i|[kMGT]|)")


def parse(text: str) -> int:
    """The bytes that `text` means, at least one; raises ValueError with what to write instead."""
    found = _WHOLE.fullmatch(text)
    if not found or int(found[1]) == 0:
        msg = f"{text[:40]!r} is no size; write one like 100Mi"
        raise ValueError(msg)
    return int(found[1]) * _UNITS[found[2]]


def written(count: int) -> str:
    """As a person reads it: bytes below 1 KiB, then tenths of the largest unit."""
    if count < 1024:
        return f"{count} byte{'' if count == 1 else 's'}"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1023.95 or unit == "TiB":
            break
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"
