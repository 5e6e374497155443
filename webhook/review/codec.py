"""Bytes to `Request`: one AdmissionReview v1, read strictly where we rely on it."""

from __future__ import annotations

from typing import Any

import msgspec

from webhook.errors import ReviewError
from webhook.review.request import Request

API_VERSION = "admission.k8s.io/v1"  # the only one that we register: kubernetes.md, 2.1
KIND = "AdmissionReview"

_read = msgspec.json.Decoder().decode


def decode(body: bytes | bytearray) -> Request:
    """The question in `body`.

    Fields that we do not know are kept for expressions and otherwise ignored; an `object` that is
    no JSON object counts as none. Raises ReviewError with the field that is wrong.
    """
    ask = _ask(_parse(body))
    uid = ask.get("uid")
    if type(uid) is not str or not uid:
        raise ReviewError(field="request.uid", what=_wants(uid, "a non-empty string"))
    pod = ask.pop("object", None)
    ask.pop("oldObject", None)
    return Request(
        uid=uid,
        kind=_triple(ask, "kind", "kind"),
        resource=_triple(ask, "resource", "resource"),
        subresource=_text(ask, "subResource", "request.subResource"),
        name=_text(ask, "name", "request.name"),
        namespace=_text(ask, "namespace", "request.namespace"),
        operation=_text(ask, "operation", "request.operation"),
        object=pod if type(pod) is dict else None,
        dry_run=_flag(ask, "dryRun"),
        raw=ask,
    )


def _parse(body: bytes | bytearray) -> Any:
    try:
        return _read(body)
    except RecursionError:
        raise ReviewError(field="", what="the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise ReviewError(field="", what="the body is not JSON: a string is not UTF-8") from None
    except ValueError as error:
        raise ReviewError(field="", what=f"the body is not JSON: {error}") from None


def _ask(review: Any) -> dict[str, Any]:
    """The `request` of a review, or what is wrong with its envelope."""
    if type(review) is not dict:
        raise ReviewError(field="", what=_wants(review, "an AdmissionReview object", "the body"))
    if review.get("kind") != KIND:
        raise ReviewError(field="kind", what=_wants(review.get("kind"), f"{KIND!r}"))
    version = review.get("apiVersion")
    if version != API_VERSION:
        hint = ""
        if version == "admission.k8s.io/v1beta1":
            hint = "; v1beta1 is not served: set admissionReviewVersions to ['v1']"
        raise ReviewError(field="apiVersion", what=_wants(version, f"{API_VERSION!r}") + hint)
    ask: Any = review.get("request")
    if type(ask) is not dict:
        raise ReviewError(field="request", what=_wants(ask, "an object"))
    return ask


def _text(ask: dict[str, Any], name: str, path: str) -> str:
    value = ask.get(name)
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise ReviewError(field=path, what=_wants(value, "a string"))


def _triple(ask: dict[str, Any], name: str, last: str) -> tuple[str, str, str]:
    value = ask.get(name)
    if value is None:
        return ("", "", "")
    path = f"request.{name}"
    if type(value) is not dict:
        raise ReviewError(field=path, what=_wants(value, "an object"))
    return (
        _text(value, "group", f"{path}.group"),
        _text(value, "version", f"{path}.version"),
        _text(value, last, f"{path}.{last}"),
    )


def _flag(ask: dict[str, Any], name: str) -> bool:
    value = ask.get(name)
    if value is None or type(value) is bool:
        return bool(value)
    raise ReviewError(field=f"request.{name}", what=_wants(value, "true or false"))


_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


def _wants(value: object, what: str, subject: str = "") -> str:
    """`must be …, is …` without repeating more of the body than a short string."""
    if value is None:
        is_ = "is missing"
    elif isinstance(value, str):
        is_ = f"is {value!r}" if len(value) <= 40 else "is another string"
    else:
        is_ = f"is {_NAMES[type(value)]}"
    return f"{subject} must be {what}, {is_}".lstrip()
