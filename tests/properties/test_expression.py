"""Laws of expressions: what is left out is never missed, and no pod breaks anything."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import bounds, environment, runtime, template
from webhook.expression.activation import Scope
from webhook.expression.environment import Expression, Kind
from webhook.expression.reads import Reads

WHOLE = Reads(frozenset({("object",), ("request",), ("namespaceObject",)}))
FIELDS = ("a", "b", "c", "items")

# --- pods: anything that JSON can hold, with few names so that expressions often find something

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(FIELDS)
)
names = st.sampled_from(FIELDS) | st.text(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=30,
)
pods = st.dictionaries(names, values, max_size=5)

# --- expressions: well-formed, often failing, never typed


@st.composite
def expressions(draw: Any, depth: int = 4, variables: tuple[str, ...] = ("object",)) -> str:
    """One expression over `object` and the variables of the macros around it."""

    def inner(*more: str) -> str:
        return str(draw(expressions(depth - 1, (*variables, *more))))

    field = draw(st.sampled_from(FIELDS))
    name = f"v{len(variables)}"
    path = draw(st.sampled_from(variables))
    for each in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        path += draw(st.sampled_from((f".{each}", f"['{each}']", f".{each}[0]")))
    if depth <= 0:
        return str(draw(st.sampled_from((path, path, "'a'", "1", "true", "dyn([])"))))
    form = draw(st.sampled_from(FORMS))
    return str(form(path=path, field=field, name=name, inner=inner))


FORMS: tuple[Any, ...] = (
    lambda path, **_: path,
    lambda path, **_: path,
    lambda inner, field, **_: f"dyn({inner()}).{field}",
    lambda inner, **_: f"dyn({inner()})[dyn({inner()})]",
    lambda inner, field, **_: f"dyn({inner()}).?{field}.orValue(dyn({inner()}))",
    lambda path, field, **_: f"has({path}.{field})",
    lambda path, field, **_: f"'{field}' in {path}",
    lambda inner, **_: f"dyn({inner()}) in dyn({inner()})",
    lambda inner, **_: f"size(dyn({inner()}))",
    lambda inner, **_: f"dyn({inner()}) == dyn({inner()})",
    lambda inner, **_: f"(dyn({inner()}) + dyn({inner()}))",
    lambda inner, **_: f"(dyn({inner()}) && dyn({inner()}))",
    lambda inner, **_: f"(dyn({inner()}) ? dyn({inner()}) : dyn({inner()}))",
    lambda inner, name, **_: f"dyn({inner()}).all({name}, dyn({inner(name)}))",
    lambda inner, name, **_: f"dyn({inner()}).exists({name}, dyn({inner(name)}))",
    lambda inner, name, **_: f"dyn({inner()}).map({name}, dyn({inner(name)}))",
    lambda inner, name, **_: f"dyn({inner()}).filter({name}, dyn({inner(name)}))",
    lambda inner, name, **_: f"cel.bind({name}, dyn({inner()}), dyn({inner(name)}))",
    lambda inner, **_: f"[dyn({inner()}), dyn({inner()})]",
    lambda inner, field, **_: f"{{'{field}': dyn({inner()}), 'z': dyn({inner()})}}",
    lambda inner, **_: f"type(dyn({inner()})) == string",
    lambda inner, **_: f"dyn({inner()}).distinct()",
    lambda inner, field, **_: f"optional.of(dyn({inner()})).?{field}.hasValue()",
)


def compiled(text: str) -> Expression | None:
    try:
        return environment.compile(f"dyn({text})", Kind.TEXT, parameters={})
    except ExpressionError:
        return None


def outcome(expression: Expression, pod: dict[str, Any], reads: Reads) -> object:
    scope = Scope(object=pod, request={}, namespace=None, reads=reads)
    try:
        return ordered(expression.value(scope, None))
    except (EvaluationError, RuntimeError):  # the latter for an optional inside of a list
        return None  # which of several errors is told depends on the order of a map's keys


def ordered(value: Any) -> str:
    """A text that does not depend on the order of a map's keys, and in which NaN equals itself."""
    if hasattr(value, "plain_value"):
        value = value.plain_value()
    if isinstance(value, dict):
        return repr(sorted(ordered(k) + ordered(v) for k, v in value.items()))
    return repr(sorted(map(ordered, value))) if isinstance(value, list) else repr(value)


def fits(value: Any) -> bool:
    """Numbers and text that the runtime can take at all; others fail as soon as they are read."""
    if isinstance(value, dict):
        return all(fits(k) and fits(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(fits, value))
    if isinstance(value, str):
        return "\0" not in value
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@settings(max_examples=150, deadline=None)
@given(expressions(), pods.filter(fits))
def test_what_is_left_out_is_never_missed(text: str, pod: dict[str, Any]) -> None:
    """An expression gives the same, or fails, with all of the pod and with what it reads."""
    expression = compiled(text)
    if expression is not None:
        assert outcome(expression, pod, WHOLE) == outcome(expression, pod, expression.reads)


@settings(max_examples=100, deadline=None)
@given(expressions(), pods, st.lists(st.sampled_from(("request", "namespaceObject")), max_size=1))
def test_no_pod_breaks_anything(text: str, pod: dict[str, Any], roots: list[str]) -> None:
    """Whatever JSON a pod is made of, there is an answer or an EvaluationError."""
    expression = compiled(text.replace("object", roots[0]) if roots else text)
    if expression is not None:
        scope = Scope(object=pod, request=pod, namespace=pod, reads=expression.reads)
        try:
            expression.value(scope, None)
            expression.boolean(scope, None)
        except EvaluationError as problem:
            assert "\n" not in str(problem)  # noqa: PT017 - either outcome is right


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abc.'\"{}$[]()?:+ \\\n/rx01=", max_size=40))
def test_no_text_breaks_the_compiler(text: str) -> None:
    """Any text is an expression and a template, or an ExpressionError placed inside of it."""
    for make in (
        lambda: environment.compile(text, Kind.BOOL, parameters={}),
        lambda: template.parse(text, parameters={"a": "string"}),
        lambda: template.parse("${" + text + "}", parameters={"a": "string"}),
    ):
        try:
            make()
        except ExpressionError as problem:
            assert 0 <= problem.offset <= len(text) + 3  # noqa: PT017
            assert problem.what  # noqa: PT017
            assert "\n" not in problem.what  # noqa: PT017


no_nul = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(st.dictionaries(st.text(min_size=1, max_size=5), no_nul, max_size=4), st.data())
def test_plain_paths_give_what_the_runtime_gives(labels: dict[str, str], data: Any) -> None:
    """Reading a field without the runtime is an optimization and nothing else."""
    key = data.draw(st.sampled_from([*labels, "absent"]))
    if "'" in key or "\\" in key or not key.isprintable():
        return
    plain = template.parse(f"${{object.labels['{key}']}}", parameters={})
    asked = template.parse(f"${{dyn(object.labels['{key}'])}}", parameters={})
    results = []
    for parsed in (plain, asked):
        scope = Scope(object={"labels": labels}, request={}, namespace=None, reads=parsed.reads)
        try:
            results.append(parsed.render(scope, None))
        except EvaluationError as problem:
            results.append(str(problem))
    assert ([("object", "labels", key)], [None]) == (
        [h.path for h in plain.holes],
        [h.path for h in asked.holes],
    )
    assert results[0] == results[1]


@given(st.floats())
def test_numbers_are_written_as_the_runtime_writes_them(number: float) -> None:
    """`string(x)` in the expression or not."""
    parsed = template.parse("${object.x}=${string(object.x)}", parameters={})
    scope = Scope(object={"x": number}, request={}, namespace=None, reads=parsed.reads)
    one, _, other = parsed.render(scope, None).partition("=")
    assert one == other == runtime.double(number)


# --- growth

texts = st.sampled_from(
    ("object.a", "object.b", "'ab'", "object.items[0].a", "''", "x", "object.items.map(i, i.a)[0]")
)


@st.composite
def growing(draw: Any, depth: int = 5) -> str:
    """An expression that makes text, as large as it can."""
    if depth <= 0:
        return str(draw(texts))

    def inner() -> str:
        return str(draw(growing(depth - 1)))

    return str(draw(st.sampled_from(GROWTH))(inner))


GROWTH: tuple[Any, ...] = (
    lambda inner: f"({inner()} + {inner()} + {inner()})",
    lambda inner: f"{inner()}.replace({inner()}, {inner()})",
    lambda inner: f"{inner()}.replace('', {inner()})",
    lambda inner: f"{inner()}.split('').join({inner()})",
    lambda inner: f"object.items.map(i, {inner()}).join({inner()})",
    lambda inner: f"object.items.map(i, i.a + {inner()}).sort().join('')",
    lambda inner: f"cel.bind(x, {inner()}, x + {inner()} + x)",
    lambda inner: f"'%s%s'.format([{inner()}, [{inner()}, {inner()}]])",
    lambda inner: f"strings.quote({inner()})",
    lambda inner: f"base64.encode(bytes({inner()}))",
    lambda inner: f"({inner()}.contains({inner()}) ? {inner()} : {inner()})",
    lambda inner: f"({inner()}.matches('(a|b)*a(a|b){{9}}c') ? {inner()} : {inner()})",
)
TARGETS = (
    {"a": "ab" * 500_000, "b": "a" * 100_000, "items": [{"a": "b"}]},
    {"a": "a" * 200, "b": "b" * 200, "items": [{"a": "a" * 20}] * 60},
    {"a": "a", "b": "b", "items": [{"a": "ab"}] * 3_000},
    {"a": "\n\u0000é" * 500, "b": '"' * 1_000, "items": [{"a": "é" * 100}] * 100},
)


@settings(max_examples=100, deadline=None)
@given(growing(), st.sampled_from(TARGETS))
def test_nothing_that_is_accepted_outgrows_its_bound(text: str, pod: dict[str, Any]) -> None:
    """What is not refused, neither when it is loaded nor for this pod, stays small and quick."""
    expression = compiled(f"cel.bind(x, 'ab', {text})")
    if expression is None:
        return
    scope = Scope(object=pod, request={}, namespace=None, reads=expression.reads)
    begin = time.process_time()
    try:
        value = expression.value(scope, None)
        size = len(value) if isinstance(value, str) else 0
    except EvaluationError:
        size = 0
    spent = time.process_time() - begin
    assert size <= bounds.MAX_EXPRESSION_COST * 1000 / 3  # FRESH: 3 ns a byte
    # Ten times the bound, since machines differ: without any bound it is seconds and gigabytes.
    assert spent < 10 * bounds.MAX_EXPRESSION_COST / 1e6
