"""What recipes return, and what they are given beside their own field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """The fields of a step that stand beside its recipe. `timeout` is a duration, or a template."""

    name: str
    os: str = "linux"
    timeout: str | None = None
    mode: str | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """Entries of `steps` and `volumes`, as an author could have written them.

    The step that does the work has the name of the written one; those that help it, before or after
    it, are named `<step>-<kind>`. `network` says that they talk to others, and so need the pod's
    network to work; `dns` that they do so by names. `findings` are what is wrong with the recipe,
    their paths below its field.
    """

    steps: tuple[Raw, ...] = ()
    volumes: tuple[Raw, ...] = ()
    network: bool = True
    dns: bool = True
    findings: tuple[Finding, ...] = ()


def overridden(container: Raw, by: Raw) -> dict[str, Any]:
    """A rendered container with what an author wrote beside the recipe.

    Entries of `env` replace those of the same name, of `volumeMounts` those of the same path; every
    other field is replaced as a whole.
    """
    result = {**container, **by}
    for field, key in (("env", "name"), ("volumeMounts", "mountPath")):
        ours, theirs = container.get(field), by.get(field)
        if isinstance(ours, list) and isinstance(theirs, list):
            keys = [entry.get(key) for entry in theirs if isinstance(entry, Mapping)]
            result[field] = [*(entry for entry in ours if entry.get(key) not in keys), *theirs]
    return result
