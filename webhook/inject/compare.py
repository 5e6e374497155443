"""How what is already in a pod compares with today's plan, and what becomes of it.

The marker is a hint: what it names is merged with its digests as the base, what it does not name
is ours only when it is as planned. Where opting out is forbidden nothing is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from webhook.inject import edit, ours
from webhook.inject.match import normal_path
from webhook.inject.ours import Digests, Leaves
from webhook.policy import trust
from webhook.policy.glob import Glob

Json = Mapping[str, Any]

# Fields that decide what runs: added to a container of ours they make it another one.
_DECIDING = frozenset(
    ("command", "args", "envFrom", "workingDir", "lifecycle", "restartPolicy", "restartPolicyRules",
     "securityContext")
)  # fmt: skip

# What may be added to a container where opting out is forbidden; everything else could have
# another program run (a mount or the file for messages over a script, a probe that kills), or none.
_HARMLESS = frozenset(
    ("imagePullPolicy", "ports", "resizePolicy", "resources", "stdin", "stdinOnce",
     "terminationMessagePolicy", "tty")
)  # fmt: skip
_CREDENTIALS = "/var/run/secrets/"
_MESSAGES = "/dev/termination-log"  # the API server's default for terminationMessagePath

# Fields that the API server fills in by itself (kubernetes pkg/apis/core/v1/defaults.go), where
# what they belong to is there.
_FILLED = frozenset(
    ("apiVersion", "defaultMode", "divisor", "expirationSeconds", "failureThreshold",
     "iscsiInterface", "periodSeconds", "protocol", "scheme", "service", "successThreshold",
     "timeoutSeconds", "type", "volumeMode")
)  # fmt: skip


class State(Enum):
    """How a container or volume that is already in the pod compares with today's plan."""

    AS_PLANNED = "as planned"
    MERGED = "merged"
    FOREIGN = "foreign"


class Comparison(msgspec.Struct, frozen=True):
    """The outcome: what the value becomes, and the fields that others changed and that stay."""

    state: State
    value: Json
    changed: tuple[str, ...] = ()


def compare(
    planned: Json,
    present: Json,
    marked: Digests | None,
    *,
    force: bool = False,
    mirrors: tuple[Glob, ...] = (),
) -> Comparison:
    """Hold a container or volume that is in the pod against today's plan.

    `marked` are the marker's digests for this name, None when the marker does not name it. With
    `force` (`optOut: Forbid` where it binds) every differing field is set again, and what was added
    and could change what runs goes.
    """
    wanted, there = ours.leaves(planned), ours.leaves(present)
    differing = [p for p, v in wanted.items() if not _in_place(p, v, present, there, force)]
    added = [p for p in there if p not in wanted and _decides(p, planned, there, wanted, force)]
    gone = [path for path in marked or () if path not in wanted and path in there]
    ordered = _ordered(planned, present, force)
    if not differing and not added and not gone and ordered:
        return Comparison(State.AS_PLANNED, present)
    if marked is None:
        return Comparison(State.FOREIGN, present)
    kept = {p: None for p in differing if _stays(p, wanted[p], there, marked, force, mirrors)}
    if not force:
        absent = set(gone)
        kept |= {path: None for path in added if path not in absent}
    edits = {path: wanted[path] for path in differing if path not in kept}
    removals = {*gone, *(path for path in added if path not in kept)}
    if not edits and not removals and ordered:
        return Comparison(State.AS_PLANNED, present, tuple(kept))
    value, whole = edit.edited(planned, present, edits, removals)
    if "env" in planned and not _ordered(planned, value, force):
        edit.reorder(planned, value)
    changed = tuple(path for path in kept if edit.part(path) not in whole)
    return Comparison(State.MERGED, value, changed)


def _in_place(path: str, value: Any, present: Json, there: Leaves, force: bool) -> bool:
    if path in there:
        return holds(value, there[path], exact=force)
    if value == {}:  # `emptyDir: {}` is in place when somebody filled it
        return isinstance(ours.at(present, path), dict)
    return False


def holds(planned: Any, present: Any, *, exact: bool = False) -> bool:
    """Whether a planned value is in place, whatever the server added inside of it.

    With `exact` only what the server is known to add is let pass.
    """
    if isinstance(planned, dict):
        return (
            isinstance(present, dict)
            and all(holds(v, present.get(k), exact=exact) for k, v in planned.items())
            and not (exact and any(k not in planned and k not in _FILLED for k in present))
        )
    if isinstance(planned, list) and planned and isinstance(planned[0], dict):
        return (
            isinstance(present, list)
            and len(planned) == len(present)
            and all(holds(a, b, exact=exact) for a, b in zip(planned, present, strict=True))
        )
    return bool(planned == present) and type(planned) is type(present)


def _decides(path: str, planned: Json, there: Leaves, wanted: Leaves, force: bool) -> bool:
    """Whether a field that somebody added decides what runs, and is not the server's."""
    head, _, rest = path.partition("/")
    variable = ours.unescape(rest.partition("/")[0]) if head == "env" else ""
    if head in _DECIDING or (variable and trust.loads_code(variable)):
        return not _is_filled(path, wanted)
    return force and not _is_harmless(path, planned, there, wanted)


def _is_harmless(path: str, planned: Json, there: Leaves, wanted: Leaves) -> bool:
    """Whether an added field leaves what runs as it is, as far as anybody can know."""
    head, _, rest = path.partition("/")
    if head in _HARMLESS or _is_filled(path, wanted):
        return True
    if head == "env":
        variable = ours.unescape(rest.partition("/")[0])
        return not _is_planned(path, wanted) and not _refers(planned, f"$({variable})")
    if head == "terminationMessagePath":
        return bool(there[path] == _MESSAGES)
    return head == "volumeMounts" and _is_credential(path, there)


def _is_planned(path: str, wanted: Leaves) -> bool:
    """Whether something of the part that a leaf belongs to is planned."""
    part = edit.part(path)
    return part in wanted or any(leaf.startswith(f"{part}/") for leaf in wanted)


def _is_filled(path: str, wanted: Leaves) -> bool:
    field = path.rpartition("/")[2]
    return (field in _FILLED or path.endswith("httpGet/path")) and _is_planned(path, wanted)


def _is_credential(path: str, there: Leaves) -> bool:
    """Whether a leaf is of a mount where the platform hands out credentials, and no programs lie.

    Webhooks of cloud providers put tokens there; at the account's own only the API server does.
    """
    mount = edit.part(path)
    where = normal_path(ours.unescape(mount.partition("/")[2]))
    if where == trust.TOKEN_PATH:
        return str(there.get(f"{mount}/name")).startswith(trust.TOKEN_VOLUME)
    return where.startswith(_CREDENTIALS)


def _refers(planned: Json, reference: str) -> bool:
    """Whether a command line or variable of the plan holds `$(NAME)`, which the kubelet expands."""
    texts = [item.get("value") for item in ours.items(planned.get("env"))]
    for field in ("command", "args"):
        texts += planned.get(field) or ()
    return any(isinstance(text, str) and reference in text for text in texts)


def _ordered(planned: Json, present: Json, force: bool) -> bool:
    """Whether variables stand as planned: `$(NAME)` in one sees only those before it."""
    if "env" not in planned or edit.in_order(planned, present):
        return True
    return not force and not _refers({"env": planned["env"]}, "$(")


def _stays(
    path: str, value: Any, there: Leaves, marked: Digests, force: bool, mirrors: tuple[Glob, ...]
) -> bool:
    """Whether a field that differs is left as somebody else made it."""
    if force:
        image = there.get(path)
        return path == "image" and isinstance(image, str) and any(m.matches(image) for m in mirrors)
    return marked.get(path) == ours.digest(value)
