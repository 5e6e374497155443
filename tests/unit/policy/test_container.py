"""Raw containers: what the API server would refuse, and what Initject asks of a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.document import read
from webhook.document.problem import field
from webhook.policy import container

GOOD: dict[str, Any] = {"name": "a", "image": "b:1"}


def told(written: dict[str, Any], **options: Any) -> list[str]:
    """What is said of a container that has a name and an image of its own."""
    found = container.findings({**GOOD, **written}, **{"volumes": ["v", "w"], **options})
    return [
        f"{'warning: ' * (one.severity == 'warning')}{field(one.path)}: {one.what}"
        f"{'; ' * bool(one.advice)}{one.advice}"
        for one in found
    ]


def mount(**fields: Any) -> dict[str, Any]:
    return {"volumeMounts": [{"name": "v", "mountPath": "/a", **fields}]}


GALLERY = read.read(
    (Path(__file__).parent / "container.yaml").read_text(encoding="utf-8"), file="container.yaml"
)[0][0].value


@pytest.mark.parametrize("case", GALLERY, ids=lambda case: repr(case["written"]))
def test_what_is_said_of_a_container(case: dict[str, Any]) -> None:
    """Each fault is named where it is, with what to do about it; a good container has none."""
    assert case["told"] == told(case["written"])


def test_all_that_is_wrong_is_said_at_once() -> None:
    """A wrong type hides nothing else."""
    written = {"command": "x", "ports": [{"containerPort": 0}, "y"], "args": [1, "a", 2]}
    assert [
        ("command",),
        ("ports", 0, "containerPort"),
        ("ports", 1),
        ("args", 0),
        ("args", 2),
    ] == [one.path for one in container.findings({**GOOD, **written}, volumes=None)]


@pytest.mark.parametrize("image", ["a:1", "a@sha256:0", "r:5000/a/b:1.2", "a:latest@sha256:0"])
def test_an_image_that_says_which_one_it_is_is_fine(image: str) -> None:
    """A tag or a digest; the port of a registry is neither."""
    assert [] == told({"image": image})


def test_a_borrowed_image_may_be_missing() -> None:
    """The step takes that of the application."""
    assert [] == container.findings({"name": "a"}, volumes=[], image_borrowed=True)


def test_a_misspelt_image_is_not_missing_too() -> None:
    """One fault, one finding."""
    (found,) = container.findings({"name": "a", "imgae": "b:1"}, volumes=[])
    assert ("imgae",) == found.path


def test_where_unknown_fields_are_let_through_a_misspelt_one_stands_for_nothing() -> None:
    """The image that was meant is missing, which the API server would refuse."""
    found = container.findings({"name": "a", "imgae": "b:1"}, volumes=[], newer=True)

    told = [(one.path, one.severity) for one in found]
    assert [(("imgae",), "warning"), (("image",), "error")] == told


def test_unknown_volumes_are_no_fault_where_not_all_are_known() -> None:
    """Borrowed mounts bring volumes of the pod."""
    assert [] == told(mount(name="other"), volumes=None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
fields = st.sampled_from(
    [
        *["env", "ports", "resources", "securityContext", "lifecycle", "livenessProbe", "limits"],
        *["volumeMounts", "requests", "cpu", "name", "valueFrom", "fieldRef", "exec", "command"],
    ]
)


@given(
    st.recursive(
        json_values,
        lambda inner: st.dictionaries(fields, inner) | st.lists(inner, max_size=2),
        max_leaves=20,
    )
)
def test_any_json_is_judged(value: Any) -> None:
    """Whatever an author writes gives findings, never an exception."""
    written = value if isinstance(value, dict) else {"env": value, "resources": value}
    container.findings(written, volumes=["v"])
    container.stored(written)
