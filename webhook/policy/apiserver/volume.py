"""What a volume may say.

Source: `validateVolumeSource`, `validateProjectionSources`, `ValidatePersistentVolumeClaimSpec` in
kubernetes 1.37.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.policy import quantity
from webhook.policy.apiserver import shape
from webhook.policy.apiserver.walk import Rules

_PATHS = ("path", "credentialBundlePath", "keyPath", "certificateChainPath")


def sources() -> tuple[str, ...]:
    """Every kind of volume: all fields of a volume but its name."""
    return tuple(name for name in shape.types()["Volume"] if name != "name")


def _one_source(volume: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    given = [name for name in sources() if name in volume]
    if not given:
        what = "the volume has no source"
        yield Finding(path, what, "write for example emptyDir: {sizeLimit: 64Mi}")
    for name in given[1:]:
        what = f"stands beside {given[0]}"
        yield Finding((*path, name), what, "a volume has one source; write two volumes")
    if "gitRepo" in volume:
        what = "is refused or off in current clusters"
        yield Finding((*path, "gitRepo"), what, "fetch into an emptyDir instead", "warning")


def _empty(source: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    medium = source.get("medium", "")
    if medium not in ("", "Memory", "HugePages") and not medium.startswith("HugePages-"):
        what = f"{medium!r} is no value of medium"
        yield Finding((*path, "medium"), what, "leave it out, or write Memory")
    if "sizeLimit" not in source:
        what = "has no sizeLimit: it can fill the node's disk"
        if medium == "Memory":
            what = "has no sizeLimit: it can take all memory of the node"
        yield Finding(path, what, "write sizeLimit, for example 64Mi", "warning")
    elif quantity.parse(source["sizeLimit"]) < 0:
        yield Finding(
            (*path, "sizeLimit"), f"{source['sizeLimit']} is negative", "write more than 0"
        )


def _projected(source: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """No two projections may write one file."""
    seen: set[str] = set()
    for index, projection in enumerate(source.get("sources", ())):
        for kind, held in projection.items():
            here = (*path, "sources", index, kind)
            for place, name in _files(held, here):
                if name in seen:
                    what = f"{name!r} is already written by another source"
                    yield Finding(place, what, "give each file a path of its own")
                seen.add(name)


def _files(held: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    for index, item in enumerate(held.get("items", ())):
        if item.get("path"):
            yield (*path, "items", index, "path"), item["path"]
    for name in _PATHS:
        if held.get(name):
            yield (*path, name), held[name]


def _certificate(source: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if not any(source.get(name) for name in _PATHS[1:]):
        yield Finding(path, "writes no file", f"write one of {', '.join(_PATHS[1:])}")


def _bundle(source: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if "name" in source and "labelSelector" in source:
        yield Finding((*path, "labelSelector"), "goes with signerName only", "remove it")


def _claim(spec: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    modes = spec.get("accessModes", ())
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        yield Finding((*path, "accessModes"), "ReadWriteOncePod goes alone", "remove the others")
    here = (*path, "resources", "requests", "storage")
    requests = spec.get("resources", {}).get("requests", {})
    if "storage" not in requests:
        if "resources" in spec:
            yield Finding(here, "is missing", "write how much, for example 1Gi")
    elif quantity.parse(requests["storage"]) <= 0:
        yield Finding(here, f"{requests['storage']} is no amount of storage", "write more than 0")


RULES: Rules = {
    "Volume": (_one_source,),
    "EmptyDirVolumeSource": (_empty,),
    "ProjectedVolumeSource": (_projected,),
    "PodCertificateProjection": (_certificate,),
    "ClusterTrustBundleProjection": (_bundle,),
    "PersistentVolumeClaimSpec": (_claim,),
}
