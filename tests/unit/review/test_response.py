"""The four ways to answer."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.review import response
from webhook.review.patch import Patch

PATCH = [{"op": "add", "path": "/spec/initContainers", "value": [{"name": "é"}]}]


def answer(body: bytes) -> dict[str, Any]:
    """The `response` of a body, once its envelope is found right."""
    review = json.loads(body)
    inner = review.pop("response")
    assert review == {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    return dict(inner)


def test_allowed_is_no_more_than_that() -> None:
    """An answer without a patch has neither patch nor patchType."""
    assert answer(response.allowed("u")) == {"uid": "u", "allowed": True}


def test_patched_carries_the_patch_in_base64() -> None:
    """Patch and patchType stand together."""
    got = answer(response.patched("u", PATCH))

    assert json.loads(base64.b64decode(got.pop("patch"), validate=True)) == PATCH
    assert got == {"uid": "u", "allowed": True, "patchType": "JSONPatch"}


def test_a_patch_is_sent_as_its_operations_are() -> None:
    """What is remembered of a patch is what is written of a list of the same operations."""
    patch = Patch(PATCH)

    first, second = response.patched("u", patch), response.patched("u", patch)

    assert first == second == response.patched("u", PATCH)


def test_invalid_says_why_field_by_field_with_422() -> None:
    """What kubectl prints as a list, and one message for all others."""
    details = {
        "name": "n",
        "group": "g",
        "kind": "K",
        "causes": [{"field": "spec.a", "message": "is wrong"}],
    }

    assert answer(response.invalid("u", "spec.a: is wrong", details, warnings=["w"])) == {
        "uid": "u",
        "allowed": False,
        "status": {
            "code": 422,
            "reason": "Invalid",
            "message": "spec.a: is wrong",
            "details": {
                **details,
                "causes": [
                    {"reason": "FieldValueInvalid", "field": "spec.a", "message": "is wrong"}
                ],
            },
        },
        "warnings": ["w"],
    }


def test_denied_says_why_with_403() -> None:
    """The author of the pod reads the message; the code is 403."""
    assert answer(response.denied("u", "no:\n€", warnings=["w"], audit={"k": "v"})) == {
        "uid": "u",
        "allowed": False,
        "status": {"code": 403, "reason": "Forbidden", "message": "no:\n€"},
        "warnings": ["w"],
        "auditAnnotations": {"k": "v"},
    }


def test_errored_is_one_bounded_line() -> None:
    """An error is one line of plain text, however long or broken its cause."""
    assert response.errored("a\nb\x00\ud800") == b"a b ?\n"
    assert len(response.errored("x" * 9999).decode()) == response.ERROR_LENGTH + 1


def test_notes_stand_in_every_kind_of_answer() -> None:
    """Warnings and audit annotations are possible with and without a patch."""
    notes: dict[str, Any] = {"warnings": ["w"], "audit": {"k": "v"}}

    assert [
        (a["warnings"], a["auditAnnotations"])
        for a in map(
            answer, (response.allowed("u", **notes), response.patched("u", PATCH, **notes))
        )
    ] == [(["w"], {"k": "v"})] * 2


def test_warnings_are_brought_to_what_the_api_server_passes_on() -> None:
    """Control characters go, long ones are cut, repeated and empty ones are left out."""
    got = answer(response.allowed("u", warnings=["a\tb\x7fc", "", "x" * 300, "a b c"]))

    assert ["a b c", "x" * 255 + "…"] == got["warnings"]


def test_audit_keys_that_the_api_server_would_drop_are_left_out() -> None:
    """A key is a qualified name's name part of at most 63 characters."""
    audit = {"a/b": "1", "": "2", "ok.1_x-y": "3", "-a": "4", "k" * 63: "5", "k" * 64: "6"}
    got = answer(response.allowed("u", audit=audit))

    assert {"ok.1_x-y": "3", "k" * 63: "5"} == got["auditAnnotations"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_uid_comes_back_as_it_was(uid: str) -> None:
    """Any uid survives, quotes and control characters included."""
    assert answer(response.allowed(uid))["uid"] == uid


@given(st.lists(st.text()))
def test_warnings_never_exceed_the_total(warnings: list[str]) -> None:
    """All warnings together have at most 4096 runes and none has a control character."""
    got = answer(response.allowed("u", warnings=[w * 40 for w in warnings])).get("warnings", [])

    assert sum(map(len, got)) <= response.WARNINGS_RUNES
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for w in got for c in w)
