"""Where a container sees volumes.

Source: `ValidateVolumeMounts`, `ValidateVolumeDevices`, `validateMountPropagation`,
`validateMountRecursiveReadOnly` in kubernetes 1.37; the API's own words for `mountPath` ("must not
contain ':'"), which the runtime refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import words
from webhook.policy.apiserver import formats
from webhook.policy.apiserver.walk import Rules


def unknown_volumes(container: Mapping[str, Any], volumes: Collection[str]) -> Iterator[Finding]:
    """Mounts and devices of a (clean) container whose volume is not among `volumes`."""
    for key in ("volumeMounts", "volumeDevices"):
        for index, mount in enumerate(container.get(key, ())):
            name = mount.get("name")
            if name and name not in volumes and not formats.is_template(name):
                what = f"there is no volume {name!r}"
                advice = words.meant(name, volumes) if volumes else "add it to spec.volumes"
                yield Finding((key, index, "name"), what, advice)
    for index, variable in enumerate(container.get("env", ())):
        reference = variable.get("valueFrom", {}).get("fileKeyRef", {})
        name = reference.get("volumeName")
        if name and name not in volumes and not formats.is_template(name):
            path = ("env", index, "valueFrom", "fileKeyRef", "volumeName")
            yield Finding(path, f"there is no volume {name!r}", "it must be an emptyDir")


def _mount(mount: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    place, here = mount.get("mountPath", ""), (*path, "mountPath")
    if not formats.is_template(place):
        if ":" in place and place[1:2] != ":":
            yield Finding(here, "must not contain ':'", "choose another path")
        elif place and not place.startswith("/") and place[1:2] != ":":
            advice = f"write /{place}"
            yield Finding(here, f"{place!r} is no absolute path", advice, "warning")
    if mount.get("subPath") and mount.get("subPathExpr"):
        yield Finding((*path, "subPathExpr"), "stands beside subPath", "only one is allowed")
    yield from _recursive(mount, (*path, "recursiveReadOnly"))


def _recursive(mount: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if mount.get("recursiveReadOnly") not in ("Enabled", "IfPossible"):
        return
    if not mount.get("readOnly"):
        yield Finding(path, "needs readOnly: true beside it", "write readOnly: true")
    if mount.get("mountPropagation", "None") != "None":
        yield Finding(path, "cannot go with mountPropagation", "remove one of the two")


def _propagation(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if container.get("securityContext", {}).get("privileged"):
        return
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount.get("mountPropagation") == "Bidirectional":
            here = (*path, "volumeMounts", index, "mountPropagation")
            what = "Bidirectional is for privileged containers only"
            yield Finding(here, what, "use HostToContainer, or set privileged: true")


def _devices(container: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    mounts = container.get("volumeMounts", ())
    names = {mount.get("name") for mount in mounts} - {None}
    paths = {mount.get("mountPath") for mount in mounts} - {None}
    for index, device in enumerate(container.get("volumeDevices", ())):
        here = (*path, "volumeDevices", index)
        if device.get("name") in names:
            what = f"the volume {device['name']!r} is mounted too"
            yield Finding((*here, "name"), what, "use it as a device or as a mount, not both")
        if device.get("devicePath") in paths:
            what = f"{device['devicePath']!r} is the path of a mount too"
            yield Finding((*here, "devicePath"), what, "choose another path")


RULES: Rules = {"Container": (_propagation, _devices), "VolumeMount": (_mount,)}
