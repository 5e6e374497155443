"""Bytes to `Request`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.errors import EvaluationError, ReviewError
from webhook.review import codec
from webhook.review.request import Request

REQUEST = {
    "uid": "u-1",
    "kind": {"group": "", "version": "v1", "kind": "Pod"},
    "resource": {"group": "", "version": "v1", "resource": "pods"},
    "name": "web",
    "namespace": "shop",
    "operation": "CREATE",
    "userInfo": {"username": "ada"},
    "object": {"metadata": {"name": "web"}},
    "oldObject": None,
    "dryRun": True,
    "options": None,
    "somethingNew": {"a": 1},
}
REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": REQUEST}


def review(**changes: object) -> bytes:
    """A review whose request has other values; `...` leaves one out."""
    request = {k: v for k, v in {**REQUEST, **changes}.items() if v is not ...}
    return json.dumps({**REVIEW, "request": request}).encode()


def refusal(body: bytes) -> ReviewError | None:
    try:
        codec.decode(body)
    except ReviewError as error:
        return error
    return None


def wrong(body: bytes) -> tuple[str, str]:
    with pytest.raises(ReviewError) as caught:
        codec.decode(body)
    return caught.value.field, str(caught.value)


def test_reads_what_the_api_server_sends() -> None:
    """Every part that decisions use is there; `raw` is the request without its objects."""
    raw = {k: v for k, v in REQUEST.items() if k not in ("object", "oldObject")}

    assert Request(
        uid="u-1",
        kind=("", "v1", "Pod"),
        resource=("", "v1", "pods"),
        subresource="",
        name="web",
        namespace="shop",
        operation="CREATE",
        object={"metadata": {"name": "web"}},
        dry_run=True,
        raw=raw,
    ) == codec.decode(review())


@pytest.mark.parametrize("value", [None, [], "pod", 7, ...])
def test_an_object_that_is_none_is_no_pod(value: object) -> None:
    """Null, a list, a string, a number or nothing at all come out as no object."""
    assert codec.decode(review(object=value)).object is None


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("name", "name"), ("namespace", "namespace"), ("subResource", "subresource")],
)
def test_a_text_that_is_null_or_missing_is_empty(name: str, attribute: str) -> None:
    """Go leaves out empty strings, so missing and null mean empty."""
    assert [getattr(codec.decode(review(**{name: value})), attribute) for value in (None, ...)] == [
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"", "", "the body is not JSON: Input data was truncated"),
        (
            b'{"kind": x}',
            "",
            "the body is not JSON: JSON is malformed: invalid character (byte 9)",
        ),
        (b'{"kind": "\xff"}', "", "the body is not JSON: a string is not UTF-8"),
        (b'{"request":{"object":' + b"[" * 100_000, "", "the body is nested too deeply"),
        (b"[]", "", "the body must be an object, is a list"),
        (b"null", "", "the body must be an object, is null"),
        (b"{}", "kind", "kind: must be 'AdmissionReview', is missing"),
        (b'{"kind":"Pod"}', "kind", "kind: must be 'AdmissionReview', is 'Pod'"),
        (
            b'{"kind":"AdmissionReview"}',
            "apiVersion",
            "apiVersion: must be 'admission.k8s.io/v1', is missing",
        ),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}',
            "apiVersion",
            "apiVersion: must be 'admission.k8s.io/v1', is 'admission.k8s.io/v1beta1'; "
            "v1beta1 is not served: set admissionReviewVersions to ['v1']",
        ),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
            "request",
            "request: must be an object, is missing",
        ),
        (
            b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":[]}',
            "request",
            "request: must be an object, is a list",
        ),
        (review(uid=...), "request.uid", "request.uid: must be a non-empty string"),
        (review(uid=""), "request.uid", "request.uid: must be a non-empty string"),
        (review(uid=5), "request.uid", "request.uid: must be a string, is a number"),
        (review(name=[]), "request.name", "request.name: must be a string, is a list"),
        (review(kind="Pod"), "request.kind", "request.kind: must be an object, is a string"),
        (
            review(resource={"resource": 1.5}),
            "request.resource.resource",
            "request.resource.resource: must be a string, is a number",
        ),
        (
            review(dryRun="y" * 99),
            "request.dryRun",
            "request.dryRun: must be a boolean, is a string",
        ),
    ],
)
def test_says_which_field_is_wrong(body: bytes, field: str, message: str) -> None:
    """What is no AdmissionReview v1 is refused by one line that names the field."""
    assert wrong(body) == (field, message)


def test_what_was_skipped_may_be_broken_until_it_is_asked_for() -> None:
    """Bytes in a field that nobody reads are no reason to refuse; reading them fails in a way that
    a policy's `onError` answers."""
    request = codec.decode(review(options="x").replace(b'"options": "x"', b'"options": "\xff"'))

    with pytest.raises(EvaluationError):
        dict(request.raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body raises anything but ReviewError."""
    assert "\n" not in str(refusal(body))


@given(st.sampled_from(sorted(REQUEST)), JSON)
def test_any_value_in_a_request_is_read_or_refused(name: str, value: object) -> None:
    """A request with one arbitrary value raises nothing but ReviewError about that field."""
    error = refusal(review(**{name: value}))

    # JSON has no NaN: a body with one is no JSON at all, which is about no field.
    assert error is None or error.field == "" or error.field.startswith(f"request.{name}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": [1]}, {"a": [1]}), (None, None), (..., None), ([], None), ("x", None)],
)
def test_what_an_update_replaces_is_read_apart(value: object, expected: object) -> None:
    """An object, or none."""
    assert expected == codec.old_object(review(oldObject=value))


def test_what_an_update_replaces_must_be_readable() -> None:
    """A body that is no JSON there was skipped by `decode`."""
    body = review(oldObject="HERE").replace(b'"HERE"', b"[" * 5000 + b"]" * 5000)

    with pytest.raises(ReviewError) as caught:
        codec.old_object(body)
    assert "request.oldObject" == caught.value.field
