"""Bytes to `Request`: one AdmissionReview v1, read strictly where we rely on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from webhook.errors import EvaluationError, ReviewError
from webhook.review.request import Json, Request

API_VERSION = "admission.k8s.io/v1"  # the only one that we register: kubernetes.md, 2.1
KIND = "AdmissionReview"


# The parts of a review that we rely on, typed, so that reading checks them; what is not named here
# is skipped without being built. Go leaves out what is empty, so null and missing mean empty.


class _Kind(msgspec.Struct):
    group: str | None = None
    version: str | None = None
    kind: str | None = None


class _Resource(msgspec.Struct):
    group: str | None = None
    version: str | None = None
    resource: str | None = None


class _Ask(msgspec.Struct):
    uid: str | None = None
    kind: _Kind | None = None
    resource: _Resource | None = None
    subResource: str | None = None  # noqa: N815 -- the wire's name
    name: str | None = None
    namespace: str | None = None
    operation: str | None = None
    object: Any = None
    dryRun: bool | None = None  # noqa: N815 -- the wire's name


class _Review(msgspec.Struct):
    kind: str | None = None
    apiVersion: str | None = None  # noqa: N815 -- the wire's name
    request: _Ask | None = None


_read = msgspec.json.Decoder(_Review).decode
_read_all = msgspec.json.Decoder().decode


def decode(body: bytes | bytearray) -> Request:
    """The question in `body`.

    Fields that we do not know are ignored, but for expressions, which see them in `raw`; an
    `object` that is no JSON object counts as none. Raises ReviewError with the field that is wrong.
    """
    try:
        review = _read(body)
    except (ValueError, RecursionError) as error:
        raise _unread(error) from None
    ask = review.request
    if ask is None or review.kind != KIND or review.apiVersion != API_VERSION:
        raise _no_review(review)
    if not ask.uid:
        raise ReviewError(field="request.uid", what="must be a non-empty string")
    kind, resource, pod = ask.kind, ask.resource, ask.object
    return Request(
        uid=ask.uid,
        kind=(kind.group or "", kind.version or "", kind.kind or "") if kind else ("", "", ""),
        resource=(resource.group or "", resource.version or "", resource.resource or "")
        if resource
        else ("", "", ""),
        subresource=ask.subResource or "",
        name=ask.name or "",
        namespace=ask.namespace or "",
        operation=ask.operation or "",
        object=pod if type(pod) is dict else None,
        dry_run=ask.dryRun or False,
        raw=_Rest(body),
    )


class _Change(msgspec.Struct):
    oldObject: Any = None  # noqa: N815 -- the wire's name


class _ChangeReview(msgspec.Struct):
    request: _Change


_read_change = msgspec.json.Decoder(_ChangeReview).decode


def old_object(body: bytes | bytearray) -> Json | None:
    """What an update replaces, from a body that `decode` has read; None when there is none.

    Apart from `decode`, for a review of a pod has no use for it. Raises ReviewError.
    """
    try:
        old = _read_change(body).request.oldObject
    except (ValueError, RecursionError):
        raise ReviewError(field="request.oldObject", what="cannot be read") from None
    return old if type(old) is dict else None


class _Rest(Mapping[str, Any]):
    """The request without its objects, read when somebody asks: most reviews need none of it."""

    __slots__ = ("_body", "_value")

    def __init__(self, body: bytes | bytearray) -> None:
        self._body = body
        self._value: dict[str, Any] | None = None

    def _read(self) -> dict[str, Any]:
        if self._value is None:
            try:
                ask: dict[str, Any] = _read_all(self._body)["request"]
            except (ValueError, RecursionError) as error:
                # What `decode` skipped is not all JSON: no API server writes that.
                what = "the request's other fields cannot be read"
                raise EvaluationError(what) from error
            self._value = {k: v for k, v in ask.items() if k not in ("object", "oldObject")}
        return self._value

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _unread(error: Exception) -> ReviewError:
    if isinstance(error, msgspec.ValidationError):
        return _mistyped(str(error))
    if isinstance(error, RecursionError):
        return ReviewError(field="", what="the body is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return ReviewError(field="", what="the body is not JSON: a string is not UTF-8")
    return ReviewError(field="", what=f"the body is not JSON: {error}")


def _no_review(review: _Review) -> ReviewError:
    """What is wrong with the envelope of a review."""
    if review.kind != KIND:
        return ReviewError(field="kind", what=_wants(KIND, review.kind))
    if review.apiVersion != API_VERSION:
        what = _wants(API_VERSION, review.apiVersion)
        if review.apiVersion == "admission.k8s.io/v1beta1":
            what += "; v1beta1 is not served: set admissionReviewVersions to ['v1']"
        return ReviewError(field="apiVersion", what=what)
    return ReviewError(field="request", what="must be an object, is missing")


def _wants(text: str, found: str | None) -> str:
    """`must be …, is …` without repeating more of the body than a short string."""
    if found is None:
        return f"must be {text!r}, is missing"
    return f"must be {text!r}, is {found!r}" if len(found) <= 40 else f"must be {text!r}"


_MISTYPED = re.compile(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`(?: - at `\$\.(.*)`)?")
_NAMES = {
    "object": "an object",
    "array": "a list",
    "str": "a string",
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
}


def _mistyped(message: str) -> ReviewError:
    """msgspec's sentence about a wrong type, in our words."""
    found = _MISTYPED.fullmatch(message)
    if found is None:  # a number that is out of range
        return ReviewError(field="", what=f"the body cannot be read: {message}")
    wanted, got, path = found.groups()
    what = f"must be {_NAMES.get(wanted, wanted)}, is {_NAMES.get(got, got)}"
    return ReviewError(field=path or "", what=what if path else f"the body {what}")
