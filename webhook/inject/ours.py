"""What is ours in a pod: the marker, and how what is already there compares with the plan.

The marker (annotation `initject.dev/injected`) holds a short digest of each planned field. Anybody
who writes a pod can forge it, so it is a hint for merging and never a proof.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

import msgspec

from webhook.policy import trust
from webhook.policy.glob import Glob

MARKER = "initject.dev/injected"
SKIPPED = "initject.dev/skipped"
ANNOTATIONS = (MARKER, SKIPPED)

Leaves = dict[str, Any]
Digests = Mapping[str, str]

# Lists that are merged by a key of their items, as the API server does (core/v1 patchMergeKey).
_KEYS = {"env": "name", "volumeMounts": "mountPath", "volumeDevices": "devicePath"}

# Of these an object may hold one: what a probe or hook does, where a variable comes from.
_ALTERNATIVES = (
    frozenset(("exec", "httpGet", "tcpSocket", "grpc", "sleep")),
    frozenset(("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")),
)

# Fields that decide what runs: added to a container of ours they make it another one.
_DECIDING = frozenset(
    ("command", "args", "envFrom", "workingDir", "lifecycle", "restartPolicy", "restartPolicyRules",
     "securityContext")
)  # fmt: skip


# Digests of short texts are remembered: pods of one workload carry the same ones again and again.
_REMEMBERED = 256


class Marker(msgspec.Struct, frozen=True, omit_defaults=True):
    """Digests of planned fields, by container, by volume, and by container and path of mounts."""

    containers: dict[str, dict[str, str]] = {}
    volumes: dict[str, dict[str, str]] = {}
    mounts: dict[str, dict[str, str]] = {}


NO_MARKER = Marker()
_decoder = msgspec.json.Decoder(Marker)
_encoder = msgspec.json.Encoder(order="sorted")


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
        elif isinstance(child, list) and name in _KEYS and not prefix:
            _collect_keyed(child, _KEYS[name], path + "/", found)
        elif child is not None:
            found[path] = child


def _collect_keyed(items: list[Any], key: str, prefix: str, found: Leaves) -> None:
    for item in items:
        if isinstance(item, dict) and isinstance(item.get(key), str):
            rest = {name: value for name, value in item.items() if name != key}
            if key == "name" and "valueFrom" not in rest:
                rest.setdefault("value", "")  # the API server leaves an empty value away
            _collect(rest, f"{prefix}{_escape(item[key])}/", found)


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1") if "/" in part or "~" in part else part


def unescape(part: str) -> str:
    """One part of a leaf's path as it was."""
    return part.replace("~1", "/").replace("~0", "~")


def _short(text: bytes) -> str:
    # 30 bits: enough to tell an edited field from an unedited one; not a protection.
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:5])[:5].decode()


@lru_cache(maxsize=8192)
def _digest_of_text(text: str) -> str:
    return _short(_encoder.encode(text))


def digest(value: Any) -> str:
    """Five characters that change when the value does."""
    if type(value) is str and len(value) <= _REMEMBERED:
        return _digest_of_text(value)
    return _short(_encoder.encode(value))


def digests(planned: Leaves) -> dict[str, str]:
    """The digest of each leaf."""
    return {path: digest(value) for path, value in planned.items()}


def holds(planned: Any, present: Any) -> bool:
    """Whether a planned value is in place, whatever the server added inside of it."""
    if isinstance(planned, dict):
        return isinstance(present, dict) and all(
            holds(v, present.get(k)) for k, v in planned.items()
        )
    if isinstance(planned, list) and planned and isinstance(planned[0], dict):
        return (
            isinstance(present, list)
            and len(planned) == len(present)
            and all(map(holds, planned, present))
        )
    return bool(planned == present) and type(planned) is type(present)


class State(Enum):
    """How a container or volume that is already in the pod compares with today's plan."""

    AS_PLANNED = "as planned"
    MERGED = "merged"
    FOREIGN = "foreign"


class Comparison(msgspec.Struct, frozen=True):
    """The outcome: what the value becomes, and the fields that others changed and that stay."""

    state: State
    value: Mapping[str, Any]
    changed: tuple[str, ...] = ()


def compare(
    planned: Mapping[str, Any],
    present: Mapping[str, Any],
    marked: Digests | None,
    *,
    force: bool = False,
    mirrors: tuple[Glob, ...] = (),
) -> Comparison:
    """Hold what is in the pod against today's plan (design: *Ours or not*).

    `marked` are the marker's digests for this name, None when the marker does not name it. With
    `force` (`optOut: Forbid` where it binds) every differing field is set again.
    """
    wanted, there = leaves(planned), leaves(present)
    differing = [
        path for path, value in wanted.items() if not _in_place(path, value, present, there)
    ]
    added = [path for path in there if _decides(path) and path not in wanted]
    gone = [path for path in marked or () if path not in wanted and path in there]
    if not differing and not added and not gone:
        return Comparison(State.AS_PLANNED, present)
    if marked is None:
        return Comparison(State.FOREIGN, present)
    kept = [path for path in differing if _stays(path, wanted[path], there, marked, force, mirrors)]
    kept_added = [path for path in added if not force and path not in gone]
    edits: dict[str, Any] = {path: wanted[path] for path in differing if path not in kept}
    removals = set(gone) | (set(added) - set(kept_added))
    changed = (*kept, *kept_added)
    if not edits and not removals:
        return Comparison(State.AS_PLANNED, present, changed)
    return Comparison(State.MERGED, _edited(present, edits, removals), changed)


def _in_place(path: str, value: Any, present: Mapping[str, Any], there: Leaves) -> bool:
    if path in there:
        return holds(value, there[path])
    if value == {}:  # `emptyDir: {}` is in place when the server filled it
        return isinstance(_at(present, path), dict)
    return False


def _decides(path: str) -> bool:
    head, _, rest = path.partition("/")
    return head in _DECIDING or (
        head == "env" and trust.loads_code(unescape(rest.split("/", 1)[0]))
    )


def _stays(
    path: str, value: Any, there: Leaves, marked: Digests, force: bool, mirrors: tuple[Glob, ...]
) -> bool:
    """Whether a field that differs is left as somebody else made it."""
    if force:
        image = there.get(path)
        return path == "image" and isinstance(image, str) and any(m.matches(image) for m in mirrors)
    return marked.get(path) == digest(value)


def _at(value: Any, path: str) -> Any:
    for part in path.split("/"):
        if not isinstance(value, dict):
            return None
        value = value.get(unescape(part))
    return value


def _edited(present: Mapping[str, Any], edits: Leaves, removals: Iterable[str]) -> dict[str, Any]:
    """A copy of `present` with some leaves set and others taken away."""
    result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(present))
    for path in removals:
        _remove(result, [unescape(part) for part in path.split("/")])
    for path, value in edits.items():
        _set(result, [unescape(part) for part in path.split("/")], value)
    return result


def _entry(items: list[Any], key: str, name: str) -> dict[str, Any] | None:
    return next((i for i in items if isinstance(i, dict) and i.get(key) == name), None)


def _set(target: dict[str, Any], parts: list[str], value: Any) -> None:
    head, *rest = parts
    if not rest:
        target[head] = value
        return
    if head in _KEYS and len(rest) > 1:
        items = target.setdefault(head, [])
        entry = _entry(items, _KEYS[head], rest[0])
        if entry is None:
            entry = {_KEYS[head]: rest[0]}
            items.append(entry)
        if head == "env":  # value and valueFrom exclude each other
            entry.pop("valueFrom" if rest[1] == "value" else "value", None)
        _set(entry, rest[1:], value)
        return
    child = target.get(head)
    if not isinstance(child, dict):
        child = target[head] = {}
    _clear_alternatives(child, rest[0])
    _set(child, rest, value)


def _clear_alternatives(holder: dict[str, Any], chosen: str) -> None:
    """Make room for one of several alternatives, also of what the server added inside another."""
    for names in _ALTERNATIVES:
        if chosen in names:
            for other in names - {chosen}:
                holder.pop(other, None)


def _remove(target: dict[str, Any], parts: list[str]) -> None:
    head, *rest = parts
    if not rest:
        target.pop(head, None)
        return
    child = target.get(head)
    if head in _KEYS and isinstance(child, list):
        entry = _entry(child, _KEYS[head], rest[0])
        if entry is not None:
            _remove(entry, rest[1:])
            if set(entry) <= {_KEYS[head]}:
                child.remove(entry)
        if not child:
            del target[head]
    elif isinstance(child, dict):
        _remove(child, rest)
        if not child:
            del target[head]
