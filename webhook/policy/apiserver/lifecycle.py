"""Ports, probes, hooks and restarts: what a regular init container and a sidecar may have.

Source: `validateInitContainers`, `validateProbe`, `validateContainerRestartPolicy`,
`validateContainerPorts` in kubernetes 1.37.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.policy.apiserver.walk import Rules

MAX_RULES = 20
MAX_EXIT_CODES = 255
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def is_sidecar(container: Mapping[str, Any]) -> bool:
    """Whether an init container keeps running beside the application."""
    return container.get("restartPolicy") == "Always"


def _only_sidecars(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """Kubernetes runs a regular init container to its end, so nothing probes or stops it."""
    if is_sidecar(container):
        return
    for name in (*_PROBES, "lifecycle"):
        if name in container:
            yield Finding(
                (*path, name),
                f"a regular init container cannot have a {name}: it runs to its end before the "
                "application starts",
                "remove it, or set restartPolicy: Always to make the container a sidecar",
            )
    for index, policy in enumerate(container.get("resizePolicy", ())):
        if policy.get("restartPolicy") == "RestartContainer":
            here = (*path, "resizePolicy", index, "restartPolicy")
            what = "a regular init container cannot be restarted for a resize"
            yield Finding(here, what, "remove resizePolicy")


def _probes(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """What one kind of probe may not say, in a sidecar."""
    if not is_sidecar(container):
        return
    for name in ("livenessProbe", "startupProbe"):
        if container.get(name, {}).get("successThreshold", 1) not in (0, 1):  # 0 is the default
            here = (*path, name, "successThreshold")
            yield Finding(here, f"must be 1 in a {name}", "remove it")
    if "terminationGracePeriodSeconds" in container.get("readinessProbe", {}):
        here = (*path, "readinessProbe", "terminationGracePeriodSeconds")
        yield Finding(here, "a readinessProbe ends nothing, so it cannot have it", "remove it")


def _restart_policy(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    policy, here = container.get("restartPolicy"), (*path, "restartPolicy")
    if policy in ("OnFailure", "Never"):
        what = f"{policy} on an init container needs Kubernetes 1.35"
        yield Finding(here, what, "older clusters refuse the pod", "warning")


def _restart_rules(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    rules = container.get("restartPolicyRules", ())
    here = (*path, "restartPolicyRules")
    if rules and "restartPolicy" not in container:
        yield Finding(here, "needs restartPolicy beside it", "write restartPolicy: Never")
    elif rules and is_sidecar(container):
        what = "on a sidecar needs Kubernetes 1.36"
        yield Finding(here, what, "older clusters refuse the pod", "warning")
    if len(rules) > MAX_RULES:
        yield Finding(here, f"has {len(rules)} rules, {MAX_RULES} are allowed", "join some of them")
    for index, rule in enumerate(rules):
        codes = len(rule.get("exitCodes", {}).get("values", ()))
        if codes > MAX_EXIT_CODES:
            place = (*here, index, "exitCodes", "values")
            yield Finding(place, f"has {codes} codes, {MAX_EXIT_CODES} are allowed", "use NotIn")


def _ports(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    names: dict[str, int] = {}
    taken: dict[object, int] = {}
    for index, port in enumerate(container.get("ports", ())):
        here = (*path, "ports", index)
        name = port.get("name")
        if name and names.setdefault(name, index) != index:
            what = f"{name!r} is already the name of ports[{names[name]}]"
            yield Finding((*here, "name"), what, "give each port a name of its own")
        number = port.get("hostPort")
        key = (number, port.get("protocol", "TCP"), port.get("hostIP", ""))
        if number and taken.setdefault(key, index) != index:
            what = f"{number} is already taken by ports[{taken[key]}]"
            yield Finding((*here, "hostPort"), what, "a port of the node can be had once")


def _http(action: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if action.get("protocol") != "HTTP2":
        return
    if action.get("scheme", "HTTP") != "HTTP":
        yield Finding((*path, "protocol"), "HTTP2 goes with scheme HTTP only", "use scheme: HTTP")
    if action.get("host"):
        yield Finding((*path, "host"), "cannot be set with protocol HTTP2", "remove it")


def _stop_signal(lifecycle: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if "stopSignal" in lifecycle:
        what = "needs a pod that has spec.os.name"
        yield Finding((*path, "stopSignal"), what, "match only such pods", "warning")


RULES: Rules = {
    "Container": (_only_sidecars, _probes, _restart_policy, _restart_rules, _ports),
    "HTTPGetAction": (_http,),
    "Lifecycle": (_stop_signal,),
}
