"""The container that waits: `initject wait` in our own image."""

from __future__ import annotations

from typing import Any

from webhook.recipes import asked
from webhook.recipes.defaults import Defaults
from webhook.recipes.rendered import Beside, Rendered
from webhook.recipes.targets import Target


def rendered(written: tuple[Target, ...], beside: Beside, defaults: Defaults) -> Rendered:
    """One step that waits for all targets in one process, and the volumes that it needs.

    Findings have paths below the list of targets.
    """
    needs = asked.asked(beside.name, written)
    timeout, code = defaults.ends(beside.timeout, beside.exit_code)
    mode = [] if beside.mode is None else [f"--mode={beside.mode}"]
    container: dict[str, Any] = {
        "image": defaults.runner,
        "command": ["initject", "wait"],
        "args": [timeout, *mode, code, *needs.words],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if needs.env:
        container["env"] = needs.env
    if needs.files:
        container["volumeMounts"] = [one.mount for one in needs.files]
    return Rendered(
        steps=({"name": beside.name, "os": beside.os, "container": container},),
        volumes=tuple(one.volume for one in needs.files),
        dns=needs.dns,
        findings=tuple(needs.findings),
    )
