"""What is said: a line when something changes, and the last line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from webhook.runner import duration

TERMINATION_LOG = "/dev/termination-log"  # where Kubernetes looks if the pod says nothing else
MAX_MESSAGE = 4096  # bytes that Kubernetes reads of it

NOTHING_YET = "no attempt has ended yet"


def change(name: str, reason: str, seconds: float) -> str:
    """The line about a target that is ready, or not ready for another reason than before."""
    if reason:
        return f"{name}: not ready: {reason}"
    return f"{name}: ready after {duration.written(seconds)}"


def ready(names: Sequence[str], seconds: float) -> str:
    """The last line when all that was needed is there."""
    return f"ready after {duration.written(seconds)}: {', '.join(names) or 'nothing was named'}"


def given_up(what: str, reasons: Sequence[tuple[str, str]], seconds: float) -> str:
    """The last line otherwise: why it ended, and each target with its last reason."""
    each = "; ".join(f"{name}: {reason or NOTHING_YET}" for name, reason in reasons)
    return f"{what} after {duration.written(seconds)}, not ready: {each}"


def shortened(line: str, most: int = MAX_MESSAGE) -> str:
    """At most `most` bytes of a line, an ellipsis at the end of one that is longer."""
    data = line.encode()
    if len(data) <= most:
        return line
    return data[: most - 3].decode(errors="ignore") + "…"


def leave(line: str, path: str | None) -> str:
    """Writes the last line for Kubernetes; returns why that failed, or nothing.

    Without a path: where Kubernetes looks, if this is a container. An empty path is none.
    """
    if path is None:
        path = TERMINATION_LOG if os.access(TERMINATION_LOG, os.W_OK) else ""
    if not path:
        return ""
    try:
        Path(path).write_text(shortened(line), encoding="utf-8")
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}"
    return ""
