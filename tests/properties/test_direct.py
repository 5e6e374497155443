"""What is answered without the runtime is what the runtime answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import direct, environment, runtime, tree
from webhook.expression.activation import Scope
from webhook.expression.direct import Undecided
from webhook.expression.environment import Kind

names = st.sampled_from(("a", "b", "name", "env"))
texts = st.sampled_from(("", "a", "ab", "name", "x y", "é"))
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from((0.5, 1.0)), texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)
quoted = texts.map(lambda text: f"'{text}'")
numbers = st.integers(-2, 3).map(str)
literals = st.one_of(quoted, numbers, st.sampled_from(("true", "false", "null")))
listed = st.lists(literals, min_size=1, max_size=3).map(lambda found: f"[{', '.join(found)}]")


@st.composite
def paths(draw: st.DrawFn, roots: tuple[str, ...]) -> str:
    """A path, which may be optional from some step on."""
    text = draw(st.sampled_from(roots))
    optional = False
    for _ in range(draw(st.integers(0, 3))):
        name = draw(names)
        form = draw(st.sampled_from((".{}", "['{}']", ".?{}", "[?'{}']")))
        optional = optional or "?" in form
        text += form.format(name)
    default = draw(st.sampled_from(("''", "[]", "{}", "1", "false")))
    return f"{text}.orValue({default})" if optional else text


@st.composite
def conditions(draw: st.DrawFn, roots: tuple[str, ...] = ("object",), depth: int = 3) -> str:
    """A condition, mostly of the forms that are answered directly."""
    path = draw(paths(roots))
    if depth and draw(st.booleans()):
        return draw(nested(roots, depth, path))
    other = draw(literals | paths(roots))
    search = draw(st.sampled_from(("startsWith", "endsWith", "contains", "matches")))
    return draw(
        st.sampled_from(
            (
                f"({path} {draw(st.sampled_from(('==', '!=', '<', '>=')))} {other})",
                f"({path} == {other})",
                f"has({draw(st.sampled_from(roots))}.{draw(names)}.{draw(names)})",
                f"({other} in {draw(paths(roots) | listed)})",
                f"{path}.{search}({draw(quoted)})",
                f"(size({path}) > {draw(numbers)})",
            )
        )
    )


@st.composite
def nested(draw: st.DrawFn, roots: tuple[str, ...], depth: int, path: str) -> str:
    """Conditions joined by logic or a loop."""
    one, other, third = (draw(conditions(roots, depth - 1)) for _ in range(3))
    variable = f"v{depth}"
    macro = draw(st.sampled_from(("exists", "all", "exists", "exists_one")))
    body = draw(conditions((*roots, variable), depth - 1))
    return draw(
        st.sampled_from(
            (
                f"({one} && {other})",
                f"({one} || {other})",
                f"!{one}",
                f"({one} ? {other} : {third})",
                f"{path}.{macro}({variable}, {body})",
                f"{path}.{macro}({variable}, {body})",
            )
        )
    )


def answers(text: str, value: dict[str, Any]) -> tuple[object, object] | None:
    """What is said directly and by the runtime; None when one has nothing to say."""
    try:
        compiled = environment.compile(text, Kind.BOOL, parameters={})
    except ExpressionError:
        return None
    function = direct.compile(tree.read(runtime.environment(text).compile(text).serialize()))
    if function is None:
        return None
    scope = Scope(object=value, request={}, namespace=None, reads=compiled.reads)
    try:
        said = function(scope.variables({}))
    except Undecided:
        return None
    try:
        return said, replace(compiled, _direct=None).value(scope, {})
    except EvaluationError as error:
        return said, str(error)


@given(conditions(), st.lists(objects, min_size=1, max_size=5))
@settings(max_examples=400)
def test_a_direct_answer_is_the_runtimes(text: str, pods: list[dict[str, Any]]) -> None:
    """Whenever a condition is answered directly, the runtime gives the same."""
    for pod in pods:
        found = answers(text, pod)

        assert found is None or found[0] == found[1]


odd = st.sampled_from(({"n": "x"}, {"n": "y"}, {"n": 1}, {"n": None}, {"n": []}, {}, "n", 1))


@given(st.lists(odd, max_size=4) | odd)
def test_a_name_is_found_among_whatever_stands_there(items: object) -> None:
    """The search for one name says what the runtime says, or leaves it to the runtime."""
    found = answers("object.a.exists(e, e.n == 'x')", {"a": items})

    assert found is None or found[0] == found[1]


@pytest.mark.parametrize(
    "text",
    [
        "object.spec.containers.exists(c, c.?env.orValue([]).exists(e, e.name == 'DB_HOST'))",
        "has(object.metadata.labels.app) && object.metadata.labels['app'] in ['shop', 'cart']",
        "object.?metadata.?annotations[?'example.com/x'].orValue('') != 'off'",
        "object.spec.containers.all(c, c.image.startsWith('registry.example.com/'))",
        "!('tier' in object.metadata.labels) || size(object.spec.containers) > 1",
    ],
)
def test_usual_conditions_need_no_runtime(text: str) -> None:
    """The forms that policies are made of are answered directly, and rightly."""
    pod = {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {"containers": [{"image": "registry.example.com/a", "env": [{"name": "DB_HOST"}]}]},
    }

    assert (True, True) == answers(text, pod)


@pytest.mark.parametrize(
    "text",
    [
        "object.a.exists(x, object.a.exists(y, object.a.exists(z, x == y && y != y)))",
        "object.a.exists(x, object.long.contains(object.long))",
    ],
)
def test_what_would_take_long_is_left_to_the_runtime(text: str) -> None:
    """Beyond the runtime's own bounds on iterations and long texts nothing is answered directly."""
    pod = {"a": [str(i) for i in range(200)], "long": "x" * 5000}
    function = direct.compile(tree.read(runtime.environment(text).compile(text).serialize()))

    assert function is not None
    with pytest.raises(Undecided):
        function({"object": pod})


def test_a_failure_is_told_by_the_runtime() -> None:
    """What is missing is told as if the runtime had been asked first."""
    compiled = environment.compile("object.spec.missing == 'x'", Kind.BOOL, parameters={})
    scope = Scope(object={"spec": {}}, request={}, namespace=None, reads=compiled.reads)

    with pytest.raises(EvaluationError, match="no such key: missing"):
        compiled.boolean(scope, None)
