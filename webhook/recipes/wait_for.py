"""`waitFor`: wait until dependencies are there, by `initject wait` in our own image."""

from __future__ import annotations

from webhook.recipes import targets
from webhook.recipes.defaults import Defaults
from webhook.recipes.rendered import Beside, Rendered
from webhook.recipes.targets import Target

FORM = targets.FORM
DESCRIPTION = (
    "Wait until all of these are there, or with `mode: any` one of them. Nothing but the network "
    "is needed; a database that asks for a password is there."
)
BESIDE = ("timeout", "mode", "exitCode")
TIMEOUT = "5m"


def render(written: tuple[Target, ...], beside: Beside, defaults: Defaults) -> Rendered:
    """One container that waits for all targets in one process."""
    words, findings = targets.words(written)
    args = [f"--timeout={beside.timeout or TIMEOUT}"]
    if beside.mode is not None:
        args.append(f"--mode={beside.mode}")
    code = defaults.exit_code if beside.exit_code is None else beside.exit_code
    container = {
        "image": defaults.runner,
        "command": ["initject", "wait"],
        "args": [*args, f"--exit-code={code}", *words],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    step = {"name": beside.name, "os": beside.os, "container": container}
    return Rendered(steps=(step,), findings=tuple(findings))
