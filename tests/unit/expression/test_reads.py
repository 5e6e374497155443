"""What an expression reads, and what of a review it gets to see."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from webhook.errors import EvaluationError
from webhook.expression import environment, reads
from webhook.expression.activation import Scope, trim
from webhook.expression.bounds import Meter
from webhook.expression.environment import Kind
from webhook.expression.reads import Reads

PARAMETERS = {"host": "string", "port": "integer"}


def read(text: str) -> tuple[set[str], set[str]]:
    """Paths read with all below them, and paths that only have to be there."""
    found = environment.compile(text, Kind.TEXT, parameters=PARAMETERS).reads
    return (
        {".".join(path) for path in found.paths - found.shapes},
        {".".join(path) for path in found.shapes},
    )


@pytest.mark.parametrize(
    ("text", "whole", "shapes"),
    [
        ("1 + 1", set(), set()),
        ("object.metadata.name", {"object.metadata.name"}, set()),
        ("object['metadata'].?name.orValue('')", {"object.metadata.name"}, set()),
        ("string(object) == ''", {"object"}, set()),
        ("object.a[object.b]", {"object.a.*", "object.b"}, set()),
        ("object.spec.containers[0].image", {"object.spec.containers.*.image"}, set()),
        ("has(object.spec.os)", set(), {"object.spec.os"}),
        ("size(object.spec.containers)", set(), {"object.spec.containers"}),
        ("'a/b' in object.metadata.labels", set(), {"object.metadata.labels.a/b"}),
        ("object.a in object.b", {"object.a", "object.b"}, set()),
        (
            "object.spec.containers.exists(c, c.name == 'x')",
            {"object.spec.containers.*.name"},
            {"object.spec.containers"},
        ),
        (
            "object.spec.containers.exists(c, c.?env.orValue([]).exists(e, e.name == 'x'))",
            {"object.spec.containers.*.env.*.name"},
            {"object.spec.containers", "object.spec.containers.*.env"},
        ),
        (
            "(object.spec.containers + object.spec.?initContainers.orValue([])).all(c, c.image)",
            {"object.spec.containers.*.image", "object.spec.initContainers.*.image"},
            {"object.spec.containers", "object.spec.initContainers"},
        ),
        (
            "object.spec.containers.filter(c, c.name == 'x').map(c, c.image)[0]",
            {"object.spec.containers.*.image", "object.spec.containers.*.name"},
            {"object.spec.containers"},
        ),
        (
            "object.spec.containers.map(c, c)[0].name",
            {"object.spec.containers.*.name"},
            {"object.spec.containers"},
        ),
        ("{'a': object.spec}.a.nodeName", {"object.spec.nodeName"}, set()),
        ("[[object.spec]][0][0].nodeName", {"object.spec.nodeName"}, set()),
        (
            "cel.bind(s, object.spec, s.nodeName + s.hostname)",
            {"object.spec.nodeName", "object.spec.hostname"},
            set(),
        ),
        ("object.metadata.labels.all(k, k != '')", set(), {"object.metadata.labels"}),
        (
            "object.metadata.labels.all(k, object.metadata.labels[k] != '')",
            {"object.metadata.labels.*"},
            {"object.metadata.labels"},
        ),
        (
            "(true ? object.spec : object.metadata).name",
            {"object.spec.name", "object.metadata.name"},
            set(),
        ),
        (
            "object.metadata.?labels.optMap(l, l.app).orValue('')",
            {"object.metadata.labels.app"},
            set(),
        ),
        (
            "object.spec.containers.first().?name.orValue('')",
            {"object.spec.containers.*.name"},
            {"object.spec.containers"},
        ),
        ("[1].all(object, object == 1)", set(), set()),
        ("[object.a, object.b].size()", set(), {"object.a", "object.b"}),
        (
            "parameters.host + request.name + namespaceObject.metadata.name",
            {"parameters.host", "request.name", "namespaceObject.metadata.name"},
            set(),
        ),
        ("parameters.exists(p, p == 'x')", set(), {"parameters"}),
    ],
)
def test_what_is_read_is_known_exactly(text: str, whole: set[str], shapes: set[str]) -> None:
    """Values are followed through loops, literals, optionals and bindings."""
    assert (whole, shapes) == read(text)


def test_reads_answer_questions_about_paths() -> None:
    """For tracing trust: what is read at, below or above a path."""
    some = environment.compile(
        "object.spec.containers.all(c, c.image != '') "
        "&& request.userInfo.username == parameters.host",
        Kind.BOOL,
        parameters=PARAMETERS,
    ).reads

    assert some.reads("request", "userInfo")
    assert some.reads("object", "spec", "containers", "*", "image")
    assert some.reads("object")
    assert not some.reads("object", "metadata")
    assert frozenset({("parameters", "host")}) == some.under("parameters")
    assert frozenset() == some.under("namespaceObject")


def test_the_union_keeps_what_is_needed_and_no_more() -> None:
    """A whole covers its parts; a shape beside a part stays."""
    whole = Reads(frozenset({("object", "a")}))
    part = Reads(frozenset({("object", "a", "b"), ("object", "c")}), frozenset({("object", "c")}))

    assert Reads(frozenset({("object", "a"), ("object", "c")}), frozenset({("object", "c")})) == (
        whole | part
    )
    assert whole | Reads.none() is whole
    assert Reads.none() | part == part
    assert reads.join(whole, part) is reads.join(whole, part)


POD: dict[str, Any] = {
    "metadata": {"name": "x", "labels": {"app": "a", "tier": "b"}, "uid": "u"},
    "spec": {
        "containers": [
            {"name": "a", "image": "i", "env": [{"name": "A", "value": "1"}]},
            {"name": "b", "image": "j", "args": ["x"]},
        ],
        "nodeName": "n",
    },
}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("object.metadata.name", {"metadata": {"name": "x"}}),
        ("object.metadata.missing", {"metadata": {}}),
        ("object.missing.name", {}),
        (
            "object.spec.containers.exists(c, c.name == '')",
            {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
        ),
        ("size(object.spec.containers)", {"spec": {"containers": [None, None]}}),
        ("size(object.metadata.labels)", {"metadata": {"labels": {"app": None, "tier": None}}}),
        (
            "size(object.metadata.labels) == 1 && object.metadata.labels.app == ''",
            {"metadata": {"labels": {"app": "a", "tier": None}}},
        ),
        ("'args' in object.spec.containers[0]", {"spec": {"containers": [{}, {"args": [None]}]}}),
        ("'x' in object.spec.containers", {"spec": {"containers": POD["spec"]["containers"]}}),
        ("has(object.spec)", {"spec": {"containers": None, "nodeName": None}}),
        ("object.metadata.name.first", {"metadata": {"name": "x"}}),
    ],
)
def test_the_runtime_sees_only_what_is_read(text: str, seen: dict[str, Any]) -> None:
    """What is not read is not there; what is read of a list is there for each element."""
    branch = environment.compile(text, Kind.TEXT, parameters={}).reads.root("object")
    assert branch is not None
    if text.startswith("'args'"):
        seen = {"spec": {"containers": [{}, {"args": ["x"]}]}}
    assert seen == trim(POD, branch, Meter())


def test_a_scope_refuses_expressions_it_was_not_made_for() -> None:
    """Else a field that was not handed over would look like one that is missing."""
    known = environment.compile("dyn(object.metadata.name) == ''", Kind.BOOL, parameters={})
    other = environment.compile("dyn(object.metadata.uid) == ''", Kind.BOOL, parameters={})
    scope = Scope(object=POD, request={}, namespace=None, reads=known.reads)

    assert not known.boolean(scope, None)
    with pytest.raises(ValueError, match="it reads more than was announced"):
        other.boolean(scope, None)


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ({"a": 10**30}, "the pod holds a number that is too large"),
        ({"a": {1, 2}}, "the pod holds something that is not JSON"),
        ({"a": "1\0"}, "the pod holds a NUL character"),
        ({"a": {"b\0": 1}}, "the pod holds a NUL character"),
        ({"a": "\ud800"}, "the pod holds text that is no Unicode"),
    ],
)
def test_what_is_no_json_is_a_failure(value: dict[str, Any], what: str) -> None:
    """Nothing that a pod may hold gets past as an exception of another kind."""
    expression = environment.compile("dyn(object.a) == 1", Kind.BOOL, parameters={})
    scope = Scope(object=value, request={}, namespace=None, reads=expression.reads)

    with pytest.raises(EvaluationError, match=f"^{what}$"):
        expression.boolean(scope, None)


def test_a_value_nested_too_deeply_is_a_failure() -> None:
    """The runtime would crash the process at some thousand levels."""
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    for text in (
        "string(object.a) == ''",
        "object.a.exists(x, x.exists(y, y == 1))",
        "object == 1",
    ):
        expression = environment.compile(text, Kind.BOOL, parameters={})
        scope = Scope(object={"a": deep}, request={}, namespace=None, reads=expression.reads)
        with pytest.raises(EvaluationError, match="nested too deeply"):
            expression.boolean(scope, None)


def test_frozen_mappings_and_tuples_are_json_too() -> None:
    """A caller may hand over what it keeps immutable."""
    expression = environment.compile("object.a.b == [1, 2]", Kind.BOOL, parameters={})
    pod = MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})
    scope = Scope(object=pod, request={}, namespace=None, reads=expression.reads)

    assert expression.boolean(scope, None)
