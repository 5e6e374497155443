"""What is ours in a pod: the marker, and the fields that it tells apart.

The marker (annotation `initject.dev/injected`) holds a short digest of each planned field. Anybody
who writes a pod can forge it, so it is a hint for merging and never a proof.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

MARKER = "initject.dev/injected"
SKIPPED = "initject.dev/skipped"
ANNOTATIONS = (MARKER, SKIPPED)

Leaves = dict[str, Any]
Digests = Mapping[str, str]

# Lists that are merged by a key of their items, as the API server does (core/v1 patchMergeKey).
KEYS = {"env": "name", "volumeMounts": "mountPath", "volumeDevices": "devicePath"}


class Marker(msgspec.Struct, frozen=True, omit_defaults=True):
    """Digests of planned fields, by container, by volume, and by container and path of mounts."""

    containers: dict[str, dict[str, str]] = {}
    volumes: dict[str, dict[str, str]] = {}
    mounts: dict[str, dict[str, str]] = {}


NO_MARKER = Marker()
_decoder = msgspec.json.Decoder(Marker)
_encoder = msgspec.json.Encoder(order="sorted")


def is_marked(annotations: Mapping[str, Any]) -> bool:
    """Whether a pod has any annotation of ours."""
    return MARKER in annotations or SKIPPED in annotations


def read_marker(annotations: Mapping[str, Any]) -> Marker:
    """The pod's marker; one that cannot be read counts as none."""
    text = annotations.get(MARKER)
    if not isinstance(text, str):
        return NO_MARKER
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return NO_MARKER


def write_marker(marker: Marker) -> str:
    """The annotation's value: compact JSON with sorted keys, `{}` when nothing was injected."""
    return _encoder.encode(marker).decode()


def leaves(container: Mapping[str, Any]) -> Leaves:
    """Each field of a container or volume by its path (RFC 6901 escapes, no leading slash).

    Items of keyed lists stand under their key, other lists are one leaf. The name is no leaf.
    """
    found: Leaves = {}
    _collect(container, "", found)
    found.pop("name", None)
    return found


def _collect(value: Mapping[str, Any], prefix: str, found: Leaves) -> None:
    for name, child in value.items():
        path = prefix + _escape(name)
        if isinstance(child, dict) and child:
            _collect(child, path + "/", found)
        elif isinstance(child, list) and name in KEYS and not prefix:
            _collect_keyed(child, KEYS[name], path + "/", found)
        elif child is not None:
            found[path] = child


def _collect_keyed(value: list[Any], key: str, prefix: str, found: Leaves) -> None:
    # Of several with one key the last counts, as for the kubelet.
    keyed = {item[key]: item for item in items(value) if isinstance(item.get(key), str)}
    for text, item in keyed.items():
        rest = {name: child for name, child in item.items() if name != key}
        if key == "name" and "valueFrom" not in rest:
            rest.setdefault("value", "")  # the API server leaves an empty value away
        _collect(rest, f"{prefix}{_escape(text)}/", found)


def items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, which may be absent or null."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1") if "/" in part or "~" in part else part


def unescape(part: str) -> str:
    """One part of a leaf's path as it was."""
    return part.replace("~1", "/").replace("~0", "~")


_URL_SAFE = bytes.maketrans(b"+/", b"-_")  # base64url, without a call into Python


def digest(value: Any) -> str:
    """Five characters that change when the value does."""
    # 30 bits: enough to tell an edited field from an unedited one; not a protection.
    head = sha256(_encoder.encode(value)).digest()[:5]
    return b2a_base64(head)[:5].translate(_URL_SAFE).decode()


def digests(planned: Leaves) -> dict[str, str]:
    """The digest of each leaf."""
    return {path: digest(value) for path, value in planned.items()}


def at(value: Any, path: str) -> Any:
    """What stands at a leaf's path outside of lists, or None."""
    for part in path.split("/"):
        if not isinstance(value, dict):
            return None
        value = value.get(unescape(part))
    return value
