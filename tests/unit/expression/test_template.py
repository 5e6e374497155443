"""Text with holes."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import template
from webhook.expression.activation import Scope

POD: dict[str, Any] = {
    "metadata": {
        "name": "ledger-1",
        "labels": {"app": "ledger", "a.b/c": "d"},
        "annotations": {"long": "x" * 30_000, "hole": "${parameters.host}", "nul": "a\0b"},
    },
    "spec": {"containers": [{"name": "app"}], "priority": 7, "hostNetwork": True, "none": None},
}
NAMESPACE = {"metadata": {"name": "payments", "labels": {"team": "pay"}, "annotations": {}}}
PARAMETERS = {"host": "string", "port": "integer", "tls": "boolean", "ratio": "string"}
VALUES: dict[str, object] = {"host": "db", "port": 5432, "tls": True, "ratio": 0.1}


def rendered(text: str) -> str:
    parsed = template.parse(text, parameters=PARAMETERS)
    scope = Scope(object=POD, request={"dryRun": False}, namespace=NAMESPACE, reads=parsed.reads)
    return parsed.render(scope, VALUES)


def failure(text: str) -> str:
    with pytest.raises(EvaluationError) as caught:
        rendered(text)
    return str(caught.value)


def refusal(text: str) -> tuple[int, str, str]:
    with pytest.raises(ExpressionError) as caught:
        template.parse(text, parameters=PARAMETERS)
    return caught.value.offset, caught.value.what, caught.value.advice


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no hole", "no hole"),
        ("", ""),
        ("${parameters.host}", "db"),
        ("http://${parameters.host}:${parameters.port}/", "http://db:5432/"),
        ("${ object.metadata.labels['a.b/c'] }", "d"),
        ('${object.metadata.labels["a.b/c"]}', "d"),
        ("${object.metadata.labels['app'].upperAscii()}", "LEDGER"),
        ("${namespaceObject.metadata.labels.team}", "pay"),
        ("${parameters.tls}${request.dryRun}${object.spec.hostNetwork}", "truefalsetrue"),
        ("${object.spec.priority + 1}", "8"),
        ("${parameters.ratio} ${1.0} ${1e20} ${-0.5}", "0.1 1 1e+20 -0.5"),
        ("${2u}", "2"),
        ("${'}'}${\"}\"}${'''}'''}${r'}'}${'\\'}'}", "}}}}'}"),
        ("${{'a': {'b': 'c'}}['a']['b']}", "c"),
        ("$${NAME} $NAME $(NAME) $$(NAME) $ {", "${NAME} $NAME $(NAME) $$(NAME) $ {"),
        ("$$${parameters.host}", "$${parameters.host}"),
        ("$${a}${parameters.host}$${b}", "${a}db${b}"),
        ("a }} ${parameters.host} } b", "a }} db } b"),
        ("${object.metadata.annotations.hole}", "${parameters.host}"),
        ("${[1, 2].map(x, string(x)).join('}{')}", "1}{2"),
        ("line\n${\n  parameters.host // the } host\n}\n", "line\ndb\n"),
    ],
)
def test_holes_are_filled(text: str, expected: str) -> None:
    """A quoted brace ends no hole, `$${` is a literal, and what was filled in stays as it is."""
    assert expected == rendered(text)


@pytest.mark.parametrize(
    ("text", "offset", "what", "advice"),
    [
        ("a ${b", 2, "the ${ that begins here is not closed",
         "close it with }, or write $${ for a literal ${"),
        ("${'}", 0, "the ${ that begins here is not closed",
         "close it with }, or write $${ for a literal ${"),
        ("a ${}", 4, "the expression is empty", ""),
        ("a ${NAME}", 4, "there is no variable NAME",
         "was a shell variable meant? write $NAME or $${NAME}"),
        ("a ${NAME:-x}", 4, "there is no variable NAME",
         "was a shell variable meant? write $${NAME:-x}"),
        ("a ${NAME%.*}", 4, "there is no variable NAME",
         "was a shell variable meant? write $${NAME%.*}"),
        ("a ${#NAME}", 4, "there is no variable NAME",
         "was a shell variable meant? write $${#NAME}"),
        ("a ${1}${2x}", 9, "x is not expected here", ""),
        ("a ${@}", 4, "there is no variable @", "was a shell variable meant? write $@ or $${@}"),
        ("ab ${1 + ''}", 7, "+ cannot be applied to int and string",
         "convert one side, for example by string(…)"),
        ("ab ${ parameters.hots }", 17, "there is no parameter hots", "did you mean host?"),
        ("${host}", 2, "there is no variable host",
         "was the parameter meant? write parameters.host"),
    ],
)  # fmt: skip
def test_a_refusal_is_placed_in_the_whole_text(
    text: str, offset: int, what: str, advice: str
) -> None:
    """And where a shell's variable stands in a hole, how to write it."""
    assert (offset, what, advice) == refusal(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("${object.metadata.labels.tier}", "no such key: tier"),
        ("${object.metadata.labels.app.b}", "b was read of text"),
        ("${object.metadata.annotations.nul}", "the text would hold a NUL character"),
        ("${object.metadata.annotations.nul + ''}", "the pod holds a NUL character"),
        ("${object.metadata.labels}", "gave a map where text is needed"),
        ("${object.spec.containers}", "gave a list where text is needed"),
        ("${object.spec.none}", "gave null where text is needed"),
        ("${object.spec.?containers.orValue('')}", "gave a list where text is needed"),
        ("${object.metadata.labels['tier'] + ''}", "no such key: tier"),
        (
            "${object.metadata.annotations.long}${object.metadata.annotations.long}",
            "the text became longer than 32768 characters",
        ),
    ],
)
def test_a_failure_names_the_cause_and_no_value(text: str, what: str) -> None:
    """Plain paths and computed holes fail with the same words."""
    assert what == failure(text)


def test_an_unknown_namespace_is_a_failure() -> None:
    """Nothing is guessed about a namespace that was not found."""
    for text in (
        "${namespaceObject.metadata.name}",
        "${namespaceObject.metadata.name + ''}",
    ):
        parsed = template.parse(text, parameters={})
        scope = Scope(object=POD, request={}, namespace=None, reads=parsed.reads)
        with pytest.raises(EvaluationError, match="nothing is known about the namespace"):
            parsed.render(scope, None)


def test_plain_paths_are_read_without_the_runtime() -> None:
    """What most templates hold is a field, and a field costs no evaluation."""
    parsed = template.parse(
        "${object.metadata.name}${1 + 1}${ parameters['host'] }", parameters=PARAMETERS
    )

    assert [("object", "metadata", "name"), None, ("parameters", "host")] == [
        hole.path for hole in parsed.holes
    ]


def test_a_template_tells_all_that_its_holes_read() -> None:
    """Reads, costs and suspicions are those of the holes together."""
    parsed = template.parse("a${object.metadata.nmae}b${parameters.host}", parameters=PARAMETERS)

    assert frozenset({("object", "metadata", "nmae"), ("parameters", "host")}) == parsed.reads.paths
    assert sum(hole.expression.cost for hole in parsed.holes) == parsed.cost
    assert (
        (19, "there is no field object.metadata.nmae", "did you mean name?"),
    ) == parsed.suspicions


def test_a_long_text_without_growth_is_passed_on() -> None:
    """Only what is filled in is bounded: a script may be as long as the policy writes it."""
    assert "x" * 50_000 + "db" == rendered("x" * 50_000 + "${parameters.host}")


def test_only_braces_behind_a_dollar_make_a_template() -> None:
    """Anything else is an ordinary string."""
    assert [True, True, False, False] == [
        template.has_holes(text) for text in ("a${b}", "$${", "$(A) {b}", "$ {")
    ]
