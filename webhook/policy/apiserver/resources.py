"""What requests and limits may say.

Source: `validateResourceRequirements` and `ValidateContainerResourceName` in kubernetes 1.37.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import name as names
from webhook.form import words
from webhook.policy import quantity
from webhook.policy.apiserver import formats
from webhook.policy.apiserver.walk import Rules

_STANDARD = ("cpu", "memory", "ephemeral-storage")
_HUGE = "hugepages-"


def _amounts(resources: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    for key, held in (("limits", limits), ("requests", requests)):
        for name, written in held.items():
            yield from _amount(name, written, (*path, key, name))
    for name, written in requests.items():
        yield from _pair(name, _value(written), limits, path)
    named = {*limits, *requests}
    if any(name.startswith(_HUGE) for name in named) and not named & {"cpu", "memory"}:
        yield Finding(path, "huge pages need cpu or memory beside them", "write a memory limit")


def _amount(name: str, written: Any, path: Path) -> Iterator[Finding]:
    fault = _resource_name(name)
    if fault:
        yield Finding(path, f"{name!r} {fault}", words.meant(name, _STANDARD))
    value = _value(written)
    if value is None:
        return
    if value < 0:
        yield Finding(path, f"{written} is negative", "write 0 or more")
    if _is_extended(name) and value.denominator != 1:
        yield Finding(path, f"{written} is no whole number", f"{name} comes in whole pieces")
    if name == "memory" and 0 < value < 1024:
        what = f"{written} is less than 1 KiB"
        yield Finding(path, what, "did you mean Mi? m means a thousandth", "warning")
    if name == "cpu" and value > 1024:
        advice = "1000m is one cpu, 1 is one cpu too"
        yield Finding(path, f"{written} are more cpus than a machine has", advice, "warning")


def _pair(
    name: str, request: Fraction | None, limits: Mapping[str, Any], path: Path
) -> Iterator[Finding]:
    here = (*path, "requests", name)
    exact = name.startswith(_HUGE) or _is_extended(name)
    if name not in limits:
        if exact:
            what = f"{name} needs a limit that equals the request"
            yield Finding(here, what, f"write it under limits: {name}")
        return
    limit = _value(limits[name])
    if limit is None or request is None or request == limit:
        return
    if exact:
        yield Finding(here, f"differs from the limit of {limits[name]}", "write the same for both")
    elif request > limit:
        what = f"is more than the limit of {limits[name]}"
        yield Finding(here, what, "lower the request or raise the limit")


def _resource_name(name: str) -> str:
    if name in _STANDARD or name.startswith(_HUGE):
        return ""
    if "/" not in name:
        return "is no resource of a container"
    return names.key(name)


def _is_extended(name: str) -> bool:
    """A resource of a domain of its own, such as `nvidia.com/gpu`: whole pieces, never shared."""
    domain, slash, _ = name.rpartition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def _value(written: Any) -> Fraction | None:
    """What is written, None if only the pod decides it."""
    if isinstance(written, str) and formats.is_template(written):
        return None
    return quantity.parse(written)


def _claims(claim: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    what = "needs a pod that has this claim in spec.resourceClaims"
    yield Finding((*path, "name"), what, "match only such pods", "warning")


RULES: Rules = {"ResourceRequirements": (_amounts,), "ResourceClaim": (_claims,)}
