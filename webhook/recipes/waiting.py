"""The container that waits: `initject wait` in our own image."""

from __future__ import annotations

from typing import Any

from webhook.recipes import asked
from webhook.recipes.defaults import Defaults
from webhook.recipes.rendered import Beside, Rendered
from webhook.recipes.targets import Target

TIMEOUT = "5m"  # as `initject wait` has it


def rendered(written: tuple[Target, ...], beside: Beside, defaults: Defaults) -> Rendered:
    """One step that waits for all targets in one process, and the volumes that it needs.

    Findings have paths below the list of targets.
    """
    needs = asked.asked(beside.name, written)
    args = [f"--timeout={beside.timeout or TIMEOUT}"]
    if beside.mode is not None:
        args.append(f"--mode={beside.mode}")
    code = defaults.exit_code if beside.exit_code is None else beside.exit_code
    container: dict[str, Any] = {
        "image": defaults.runner,
        "command": ["initject", "wait"],
        "args": [*args, f"--exit-code={code}", *needs.words],
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
