"""What an expression may cost, and that nothing that is accepted can blow up."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import bounds, environment
from webhook.expression.activation import Scope
from webhook.expression.bounds import Meter, Sizes
from webhook.expression.environment import Expression, Kind

IMAGES = "object.spec.containers.map(c, c.image)"


def compiled(text: str) -> Expression:
    return environment.compile(text, Kind.TEXT, parameters={"p": "string"})


def refusal(text: str) -> str:
    with pytest.raises(ExpressionError) as caught:
        compiled(text)
    return caught.value.what


def scope(expression: Expression, pod: dict[str, Any]) -> Scope:
    return Scope(object=pod, request={}, namespace=None, reads=expression.reads)


@pytest.mark.parametrize(
    "text",
    [
        "object.spec.containers.exists(c, c.?env.orValue([]).exists(e, e.name == 'DB_HOST'))",
        "object.spec.containers.all(c, c.image.startsWith('registry.example.com/'))",
        "(object.spec.containers + object.spec.?initContainers.orValue([]))"
        ".exists(c, c.name == 'x')",
        "object.spec.containers.all(c, c.image.matches('^registry[.]example[.]com/[a-z/-]+$'))",
        "object.metadata.annotations.exists(k, k.startsWith('a/')"
        " && object.metadata.annotations[k] == '1')",
        "object.spec.containers.map(c, c.name).join(',')",
        "object.metadata.labels.app.split('-')[0]",
        "'%s-%s:%d'.format([object.metadata.name, object.metadata.namespace, 5])",
        "object.spec.containers.filter(c, c.name == 'a')[0].image.split(':')[1]",
        "quantity(object.spec.containers[0].resources.limits.memory).isGreaterThan(quantity('1Gi'))",
        "object.spec.containers.map(c, c.image).sort() == ['a']",
    ],
)
def test_honest_expressions_are_far_from_the_bound(text: str) -> None:
    """A tenth of what one may cost is enough for what policies really ask."""
    assert compiled(text).cost * 10 <= bounds.MAX_EXPRESSION_COST


@pytest.mark.parametrize(
    "text",
    [
        "object.spec.volumes.exists(v, object.spec.containers.exists(c, "
        "c.volumeMounts.exists(m, m.name == v.name)))",
        "object.metadata.annotations['hosts'].split(',').all(h, h.matches('^[a-z.]+$'))",
    ],
)
def test_some_honest_expressions_are_dear(text: str) -> None:
    """Loops over lists that do not depend on each other, patterns on each part of a text."""
    assert bounds.MAX_EXPRESSION_COST / 10 < compiled(text).cost <= bounds.MAX_EXPRESSION_COST


def chained(times: int, parts: int, start: str = "object.metadata.name") -> str:
    """A text that grows by a factor in each link; with 9 of 12 it took 13 s and 5.7 GB."""
    return f"[{start}]" + f".map(x, {' + '.join(['x'] * parts)})" * times + "[0]"


@pytest.mark.parametrize(
    "text",
    [
        chained(9, 12, "'a'"),
        chained(12, 2),
        f"cel.bind(a, {chained(6, 4)}, cel.bind(b, a + a + a + a, b + b + b + b + b)) == ''",
        f"size({IMAGES}.map(i, {IMAGES}.map(j, i + j)))",
        f"{IMAGES}.join({IMAGES}.join(object.metadata.name))",
        "object.metadata.name.replace('', object.metadata.name).replace('', object.metadata.name)",
        "size(object.metadata.name.split('').map(a, object.metadata.name.split('')))",
        "object.spec.containers.all(c, object.metadata.name.contains(c.name + c.image))"
        " && object.metadata.name.contains(" + chained(6, 3) + ")",
        "object.spec.containers.all(c, object.spec.containers.all(d, c.image.contains(d.image)))",
        "object.a.all(a, object.b.all(b, a.matches('(x|y)*x(x|y){30}')))",
        r"object.metadata.name.matches('\\pL{50}')",
        r"object.spec.containers.all(c, c.name.matches('\\pL{3}'))",
        "object.spec.containers.all(c, c.args.all(a, size(a.findAll('.')) > 0))",
        "'%s'.format([" + chained(11, 2) + "])",
        "strings.quote(strings.quote(strings.quote(strings.quote(object.metadata.name))))",
        "object.a.map(a, object.b.map(b, object.c.map(c, a))).size() == 1",
    ],
)
def test_what_could_blow_up_is_refused(text: str) -> None:
    """Growth is followed through loops, bindings, formats and replacements."""
    assert refusal(text).startswith("the expression could take too long")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "object.a.all(a, a.all(b, b.all(c, c.all(d, d.all(e, e == 1)))))",
            "there are more than 4 loops inside each other",
        ),
        ("object.a.format([1])", "the text of format() must be written out as a string"),
        ("'a'.matches(object.a)", "the pattern of matches() must be written out as a string"),
        ("'a'.find(parameters.p)", "the pattern of find() must be written out as a string"),
        (
            "string(timestamp(0).getHours(object.a))",
            "the time zone must be written out as a string",
        ),
    ],
)
def test_what_has_no_bound_is_refused(text: str, what: str) -> None:
    """A pattern, a format or a time zone that a pod could fill in may take any time."""
    assert what == refusal(text)


HOSTILE: dict[str, dict[str, Any]] = {
    "one long text": {"metadata": {"name": "a" * 1_000_000}, "spec": {"containers": []}},
    "many containers": {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"image": "i"}] * 30_000},
    },
    "long images": {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"image": "a" * 9_000}] * 300},
    },
    "a million values": {
        "metadata": {"name": "a"},
        "spec": {"containers": [{"image": ""}] * 10**6},
    },
}


@pytest.mark.parametrize("pod", list(HOSTILE))
@pytest.mark.parametrize(
    "text",
    [
        IMAGES + ".join(',')",
        IMAGES + ".distinct().sort()[0]",
        "object.metadata.name.contains(object.metadata.name + 'b')",
        "size(object.metadata.name.split(''))",
        "object.metadata.name.replace('a', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbb')",
        "object.spec.containers.all(c, object.spec.containers.all(d, c.image != d.image))",
    ],
)
def test_a_hostile_pod_costs_no_more_than_the_bound(text: str, pod: str) -> None:
    """Where its own size would take longer, nothing is evaluated at all."""
    expression = compiled(text)
    opened = scope(expression, HOSTILE[pod])
    try:
        opened.activation(expression.reads, expression.costs, None)
    except EvaluationError as problem:
        assert "too large" in str(problem)  # noqa: PT017 - either outcome is right
    else:
        assert opened.spent <= bounds.MAX_EXPRESSION_COST + bounds.CONVERT * bounds.LARGEST / 1000


def test_some_hostile_pods_are_refused() -> None:
    """So that the test above is not about nothing."""
    expression = compiled(IMAGES + ".join(',')")
    for pod in ("many containers", "a million values"):
        with pytest.raises(EvaluationError, match="too large"):
            expression.value(scope(expression, HOSTILE[pod]), None)
    assert expression.value(scope(expression, HOSTILE["one long text"]), None) == ""


def test_one_review_has_a_bound_too() -> None:
    """Many expressions that are each allowed are not allowed together on a large pod."""
    expression = compiled("object.spec.containers.all(c, c.image.contains('b' + c.image))")
    opened = scope(expression, {"spec": {"containers": [{"image": "a" * 1000}] * 100}})

    for _ in range(10):
        expression.value(opened, None)
    opened.spent = bounds.MAX_REVIEW_COST
    with pytest.raises(EvaluationError, match="too large for all the expressions"):
        expression.value(opened, None)


def test_a_usual_review_is_not_charged() -> None:
    """The sum over the policies in force was checked when they were loaded."""
    expression = compiled("object.spec.containers.all(c, c.image == 'i')")
    opened = scope(expression, {"spec": {"containers": [{"image": "i"}] * 20}})
    for _ in range(100):
        assert expression.value(opened, None) is True
    assert opened.spent == 0


def test_a_meter_counts_text_entries_and_values() -> None:
    """Characters beyond ASCII count as the widest that they may be."""
    meter = Meter()
    meter.string("abc")
    meter.string("é")
    meter.list([1, 2, 3])

    assert (3 + 4 + 3 * bounds.NODE, 3, 4) == (meter.weight, meter.entries, meter.text)
    assert meter.beyond() is None
    meter.string("a" * 3000)
    assert Sizes(4096, 4, 4096) == meter.beyond()
