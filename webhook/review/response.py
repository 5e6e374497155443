"""The only five ways to answer, as bytes: allowed, patched, denied, invalid, errored.

All but the last are an AdmissionReview v1; `errored` is the one plain line of an HTTP error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from webhook.review.patch import Operation, Patch, encode

# What the API server keeps of warnings (apiserver, endpoints/filters/warning.go): it drops those
# with control characters, and cuts each to 256 runes once all together exceed 4096.
WARNING_RUNES = 256
WARNINGS_RUNES = 4096
# An audit annotation's key becomes the name part of a qualified name: kubernetes.md, 2.5.
AUDIT_KEY = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
_is_audit_key = lru_cache(maxsize=64)(AUDIT_KEY.fullmatch)
ERROR_LENGTH = 512  # of a plain line: a guess, enough for a sentence

_write = msgspec.json.Encoder().encode
_HEAD = (
    b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":%b,"uid":'
)
_ALLOWED = _HEAD % b"true"
_DENIED = _HEAD % b"false"
_PATCH = b',"patchType":"JSONPatch","patch":"'


def allowed(uid: str, *, warnings: Sequence[str] = (), audit: Mapping[str, str] = {}) -> bytes:
    """The object goes through as it is."""
    if not warnings and not audit:
        return _ALLOWED + _write(uid) + b"}}"
    return b"".join((_ALLOWED, _write(uid), _notes(warnings, audit), b"}}"))


def patched(
    uid: str,
    patch: Sequence[Operation],
    *,
    warnings: Sequence[str] = (),
    audit: Mapping[str, str] = {},
) -> bytes:
    """The object goes through with `patch` (RFC 6902, at least one operation)."""
    encoded = patch.encoded if isinstance(patch, Patch) else encode(patch)
    return b"".join((_ALLOWED, _write(uid), _PATCH, encoded, b'"', _notes(warnings, audit), b"}}"))


def denied(
    uid: str,
    message: str,
    *,
    warnings: Sequence[str] = (),
    audit: Mapping[str, str] = {},
) -> bytes:
    """The object is refused; its author reads `message`. (Codes below 400 would become 400.)"""
    status = _write({"code": 403, "reason": "Forbidden", "message": message})
    return b"".join((_DENIED, _write(uid), b',"status":', status, _notes(warnings, audit), b"}}"))


def invalid(
    uid: str, message: str, details: Mapping[str, Any], *, warnings: Sequence[str] = ()
) -> bytes:
    """The object is refused for what stands in it, field by field.

    `details` are `name`, `group`, `kind` and `causes` (each `field` and `message`) of a Status:
    kubectl prints these as it prints what the API server itself finds, others print `message`.
    """
    causes = [{"reason": "FieldValueInvalid", **cause} for cause in details["causes"]]
    status = {
        "code": 422,
        "reason": "Invalid",
        "message": message,
        "details": {**details, "causes": causes},
    }
    inner = (_DENIED, _write(uid), b',"status":', _write(status), _notes(warnings, {}), b"}}")
    return b"".join(inner)


def errored(what: str) -> bytes:
    """One line of text for a 4xx or 5xx: `failurePolicy` decides what becomes of the object."""
    line = _one_line(what)
    if len(line) > ERROR_LENGTH:
        line = line[: ERROR_LENGTH - 1] + "…"
    return line.encode("utf-8", "replace") + b"\n"


def _notes(warnings: Iterable[str], audit: Mapping[str, str]) -> bytes:
    notes = b""
    if warnings and (kept := list(_fit(warnings))):
        notes += b',"warnings":' + _write(kept)
    if audit:
        if not all(map(_is_audit_key, audit)):
            audit = {key: value for key, value in audit.items() if _is_audit_key(key)}
        notes += b',"auditAnnotations":' + _write(audit)
    return notes


def _fit(warnings: Iterable[str]) -> Iterable[str]:
    """The warnings that the API server would pass on, in a form in which it does."""
    left = WARNINGS_RUNES
    seen: set[str] = set()
    for warning in warnings:
        text = _one_line(warning)
        if len(text) > WARNING_RUNES:
            text = text[: WARNING_RUNES - 1] + "…"
        if not text or text in seen:
            continue
        if len(text) > left:
            return
        left -= len(text)
        seen.add(text)
        yield text


def _one_line(text: str) -> str:
    """`text` without control characters: each becomes a space, lone surrogates a `?`."""
    if text.isprintable():
        return text
    clean = "".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in text)
    return clean.encode("utf-8", "replace").decode()
