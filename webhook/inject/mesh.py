"""Where a service mesh lets an init container reach the network, by what the mesh put into the pod.

A proxy that is a sidecar among the init containers runs for those behind it. One that is an
application container runs too late for all of them: traffic that an init container of the mesh has
redirected reaches nobody, so only what stands before that has a network. With a CNI plugin traffic
is redirected from the start, and only the proxy's own user is left alone.
Istio's documentation of its CNI plugin, "Compatibility with application init containers"; Linkerd's
of `linkerd inject`, `--proxy-uid`. A mesh of the node (Istio ambient, Cilium) adds nothing to a pod
and takes nothing from its init containers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from webhook.policy import glob
from webhook.policy.glob import Glob

Json = Mapping[str, Any]

# proxy → the init container that redirects to it, and the proxy's user
_MESHES = {"istio-proxy": ("istio-init", 1337), "linkerd-proxy": ("linkerd-init", 2102)}


class Gate(msgspec.Struct, frozen=True):
    """What a step that needs the network must stand before and after.

    `proxy` is set when no place is right: only the user `user` has a network before it runs.
    """

    before: str = ""
    after: str = ""
    proxy: str = ""
    user: int = 0


OPEN = Gate()


def gate(inits: Sequence[Json], containers: Sequence[Json]) -> Gate:
    """The gate of a pod by its init containers and application containers; OPEN without a mesh."""
    names = {str(one.get("name")): one for one in inits}
    others = {str(one.get("name")) for one in containers}
    for proxy, (redirect, user) in _MESHES.items():
        if names.get(proxy, {}).get("restartPolicy") == "Always":
            return Gate(after=proxy)
        if proxy in others:
            return Gate(before=redirect) if redirect in names else Gate(proxy=proxy, user=user)
    return OPEN


def demands(
    before: tuple[Glob, ...], after: tuple[Glob, ...], found: Gate
) -> tuple[tuple[Glob, ...], tuple[Glob, ...]]:
    """A placement's `before` and `after` with those of the gate.

    What an author says of the mesh's container stands alone.
    """
    name = found.before or found.after
    if not name or any(one.matches(name) for one in (*before, *after)):
        return before, after
    ours = (glob.parse(name),)
    return (before + ours, after) if found.before else (before, after + ours)


def shut_out(container: Json, found: Gate) -> bool:
    """Whether a container has no network wherever it stands."""
    context = container.get("securityContext") or {}
    return bool(found.proxy) and context.get("runAsUser") != found.user
