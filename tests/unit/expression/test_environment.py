"""From text to an expression, and what is said when that is not possible."""

from __future__ import annotations

import subprocess
import sys

import pytest

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import environment
from webhook.expression.activation import Scope
from webhook.expression.environment import Expression, Kind

POD = {
    "metadata": {"name": "ledger-1", "labels": {"app": "ledger"}},
    "spec": {
        "containers": [
            {"name": "app", "image": "registry.example.com/ledger:1", "env": [{"name": "DB_HOST"}]},
            {"name": "proxy", "image": "registry.example.com/proxy:1"},
        ],
        "hostNetwork": True,
    },
}
PARAMETERS = {"host": "string", "port": "integer", "tls": "boolean", "wait": "duration"}
VALUES = {"host": "db", "port": 5432, "tls": True, "wait": "5m"}


def compiled(text: str, kind: Kind = Kind.BOOL) -> Expression:
    return environment.compile(text, kind, parameters=PARAMETERS)


def scope(expression: Expression) -> Scope:
    return Scope(
        object=POD, request={"operation": "CREATE"}, namespace=None, reads=expression.reads
    )


def answer(text: str) -> bool:
    expression = compiled(text)
    return expression.boolean(scope(expression), VALUES)


def failure(text: str) -> str:
    with pytest.raises(EvaluationError) as caught:
        answer(text)
    return str(caught.value)


def refusal(text: str, kind: Kind = Kind.BOOL) -> tuple[int, str, str]:
    with pytest.raises(ExpressionError) as caught:
        compiled(text, kind)
    return caught.value.offset, caught.value.what, caught.value.advice


@pytest.mark.parametrize(
    "text",
    [
        "object.spec.containers.exists(c, c.?env.orValue([]).exists(e, e.name == 'DB_HOST'))",
        "object.spec.containers.all(c, c.image.startsWith('registry.example.com/'))",
        "object.spec.containers.exists_one(c, c.image.matches('/proxy:[0-9]+$'))",
        "object.metadata.?annotations[?'a'].orValue('') == ''",
        "has(object.spec.hostNetwork) && !has(object.spec.hostPID)",
        "'app' in object.metadata.labels && !('tier' in object.metadata.labels)",
        "size(object.spec.containers) == 2",
        "object.spec.?hostNetwork.orValue(false)",
        "object.spec.containers.map(c, c.name) == ['app', 'proxy']",
        "object.spec.containers.filter(c, has(c.env))[0].name == 'app'",
        "cel.bind(names, object.spec.containers.map(c, c.name), 'proxy' in names)",
        "parameters.host == 'db' && parameters.port > 1024 && parameters.tls",
        "has(parameters.host) && parameters['port'] == 5432",
        "duration(parameters.wait) < duration('1h')",
        "request.operation == 'CREATE'",
        "namespaceObject.metadata.name == 'x' || true",
        "object.metadata.labels.?app.optMap(a, a + '!').orValue('') == 'ledger!'",
    ],
)
def test_what_policies_ask_is_answered(text: str) -> None:
    """Macros, optionals, presence, parameters and an unknown namespace that does not matter."""
    assert answer(text) is True


@pytest.mark.parametrize(
    ("text", "offset", "what", "advice"),
    [
        ("", 0, "the expression is empty", ""),
        ("objekt.spec == 1", 0, "there is no variable objekt", "did you mean object?"),
        ("'é🎉' == objekt.a", 8, "there is no variable objekt", "did you mean object?"),
        ("true &&\n  objekt.a", 10, "there is no variable objekt", "did you mean object?"),
        ("objekt", 0, "there is no variable objekt", "did you mean object?"),
        (
            "object.metadata.labels.app-name == ''",
            27,
            "there is no variable name",
            "known are namespaceObject, object, parameters, request",
        ),
        ("object.a == 1 + ", 16, "the expression ends too early", ""),
        ("object.a = 1", 9, "= means nothing here", "compare with =="),
        ("object.a == )", 12, ") is not expected here", ""),
        ("[1, 2", 5, "the expression ends too early", ""),
        (
            "object.a == 'x",
            12,
            "the string that begins here is not closed, or holds an unknown escape",
            "write a backslash as \\\\ or use r'…'",
        ),
        (
            "'a' + 1 == ''",
            4,
            "+ cannot be applied to string and int",
            "convert one side, for example by string(…)",
        ),
        ("'a'.startswith('b')", 4, "there is no function startswith()", "did you mean startsWith?"),
        ("'a'.startsWith(1)", 14, "startsWith() does not take string, int", ""),
        ("parameters.hots == ''", 11, "there is no parameter hots", "did you mean host?"),
        ("parameters['hots'] == ''", 11, "there is no parameter hots", "did you mean host?"),
        ("parameters.?hots.hasValue()", 12, "there is no parameter hots", "did you mean host?"),
        (
            "parameters.port == '5432'",
            16,
            "== cannot be applied to int and string",
            "convert one side, for example by string(…)",
        ),
        ("parameters.host.name == ''", 15, "a value of type string has no fields", ""),
        (
            "object.?spec",
            0,
            "the result is optional where true or false is needed",
            "say what holds when it is missing: append .orValue(…)",
        ),
        (
            "object.spec.containers.map(c, c.name)",
            0,
            "the result is a list where true or false is needed",
            "compare it with something",
        ),
        ("1", 0, "the result is a number where true or false is needed",
         "compare it with something"),
        (
            "parameters.port",
            0,
            "the result is a number where true or false is needed",
            "compare it with something",
        ),
        (
            "quantity('1') == semver('1.0.0')",
            14,
            "== cannot be applied to kubernetes.Quantity and kubernetes.Semver",
            "convert one side, for example by string(…)",
        ),
        (
            "'a'.matches('[')",
            12,
            "the pattern is no regular expression: missing ]: [",
            "it is RE2's syntax; write a backslash as \\\\, or r'…'",
        ),
        (
            "'a'.matches(object.metadata.name)",
            27,
            "the pattern of matches() must be written out as a string",
            "one that is computed could take any time",
        ),
        ("true ? 1 : ''", 5, "both results of ? : must be of one type, not int and string",
         "convert one, for example by string(…)"),
        ("object.a.if == 1 && if", 20, "if is a reserved word", ""),
        ("google.protobuf.Duration{seconds: 1} == duration('1s')", 0,
         "google.protobuf.Duration cannot be built here", "use a map"),
    ],
)  # fmt: skip
def test_a_refusal_says_where_what_and_what_to_do(
    text: str, offset: int, what: str, advice: str
) -> None:
    """Offsets count characters, also behind wide ones and on later lines."""
    assert (offset, what, advice) == refusal(text)


def test_a_hole_takes_scalars_only() -> None:
    """A list, a map, a timestamp or an optional is no text."""
    for text in ("[1]", "{'a': 1}", "duration('1s')", "object.?a", "null", "quantity('1')"):
        assert "text, a number, true or false is needed" in refusal(text, Kind.TEXT)[1]


def test_a_long_expression_is_refused() -> None:
    """The length has a bound, and the offset says where it is passed."""
    assert (4096, "the expression is longer than 4096 characters", "split it") == refusal(
        "true" + " " * 5000
    )


def test_a_deep_expression_is_refused() -> None:
    """Neither the runtime's recursion nor ours is ever exhausted."""
    what = "the expression is nested too deeply, or joins more than 31 parts"
    for text in ("(" * 500 + "true" + ")" * 500, "object" + ".a" * 1500, "+".join(["1"] * 900)):
        assert what == refusal(text)[1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("object.metadata.labels.tier == ''", "no such key: tier"),
        ("object.metadata.labels[object.metadata.name] == ''", "no such key"),
        ("object.spec.containers[7].name == ''",
         "no such element: the index is beyond the end of the list"),
        ("object.metadata.name + 1 == 2", "+ cannot be applied to string and int"),
        ("object.metadata.name", "gave text where true or false is needed"),
        ("object.spec", "gave a map where true or false is needed"),
        ("int(object.metadata.name) == 1", "a text could not be converted"),
        ("1 / (parameters.port - 5432) == 0", "division by zero"),
        ("parameters.port * 9000000000000000000 > 0", "a number became too large"),
        ("object.metadata.?zone.value() == ''", "an optional value is missing"),
        ("namespaceObject.metadata.name == ''", "nothing is known about the namespace"),
        ("object.metadata.name.all(c, true)",
         "a macro was applied to something that is neither a list nor a map"),
        ("object.spec.containers.name == ''", "a field was read of something that has no fields"),
        ("object.spec.containers[0].name ? true : false", "a condition is neither true nor false"),
        ("dyn(object.?metadata)", "gave a value of a type without a use here"),
        ("quantity(object.metadata.name).sign() > 0", "a text is no quantity"),
        ("object.metadata.name.substring(100) == ''", "a position is outside of the text"),
    ],
)  # fmt: skip
def test_a_failure_names_the_cause_and_no_value(text: str, what: str) -> None:
    """Keys are named only where the expression itself writes them."""
    assert what == failure(text)


def test_parameters_are_those_of_the_policy_that_asks() -> None:
    """One scope serves several policies, each with its own parameters."""
    expression = compiled("parameters.host == 'db' && object.metadata.name == 'ledger-1'")
    shared = scope(expression)

    assert [True, False, True] == [
        expression.boolean(shared, VALUES),
        expression.boolean(shared, {**VALUES, "host": "other"}),
        expression.boolean(shared, VALUES),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("object.spec.contianers.size() == 1",
         (12, "there is no field object.spec.contianers", "did you mean containers?")),
        ("object.spec.containers.exists(c, c.imge == '')",
         (35, "there is no field object.spec.containers[].imge", "did you mean image?")),
        ("has(object.spec.hostnetwork)",
         (16, "there is no field object.spec.hostnetwork", "did you mean hostNetwork?")),
        ("object.spec.containers.name == ''",
         (23, "object.spec.containers is a list, which has no field name",
          "look at its elements: .exists(e, e.name == …)")),
        ("object.metadata.name.first == ''", (21, "object.metadata.name has no fields", "")),
        ("object.metadata.?lables[?'a'].orValue('') == ''",
         (17, "there is no field object.metadata.lables", "did you mean labels?")),
        ("request.object.metadata.name == ''",
         (8, "there is no field request.object", "the pod is the variable object")),
        ("request.userinfo.username == ''",
         (8, "there is no field request.userinfo", "did you mean userInfo?")),
        ("namespaceObject.spec.finalizers == []",
         (16, "there is no field namespaceObject.spec",
          "only metadata.name, metadata.labels and metadata.annotations are known")),
    ],
)  # fmt: skip
def test_a_misspelt_field_is_suspicious(text: str, found: tuple[int, str, str]) -> None:
    """It is no error: a newer cluster may have fields that we do not know."""
    assert (found,) == compiled(text).suspicions


@pytest.mark.parametrize(
    "text",
    [
        "object.metadata.labels.anything == ''",
        "object.metadata.annotations['a/b'] == ''",
        "object.spec.nodeSelector.zone == ''",
        "object.spec.containers[0].resources.limits.memory == ''",
        "object.spec.containers.all(c, c.?securityContext.?privileged.orValue(false))",
        "(object.spec.containers + object.spec.initContainers).all(c, c.name != '')",
        "'x' in object.metadata.finalizers",
        "object.spec.volumes.exists(v, v.?projected.sources[0].secret.name.hasValue())",
        "object[parameters.host].anything == ''",
        "namespaceObject.metadata.labels.team == ''",
        "request.userInfo.groups.exists(g, g == 'x')",
        "request.options.fieldManager == ''",
    ],
)
def test_right_fields_and_free_keys_are_not_suspicious(text: str) -> None:
    """Maps take any key, and what is behind a computed key is unknown."""
    assert () == compiled(text).suspicions


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("object.metadata.labels.map(k, k).join(',') == ''", 37),
        ("object.metadata.labels.filter(k, k != '').map(k, k + '!')[0] == ''", 57),
        ("(object.metadata.labels.map(k, k) + ['x']) == ['a']", 43),
        ("object.metadata.labels.map(k, k).sort().join(',') == ''", None),
        ("object.metadata.labels.map(k, k).size() == 1", None),
        ("'a' in object.metadata.labels.map(k, k)", None),
        ("object.metadata.labels.map(k, k).exists(k, k == '')", None),
        ("object.spec.containers.map(c, c.name).join(',') == ''", None),
    ],
)
def test_the_order_of_a_maps_keys_is_suspicious(text: str, offset: int | None) -> None:
    """It differs from call to call, and so would what a pod gets."""
    what, advice = (
        "a map's keys come in another order each time",
        "sort them: append .sort() to the list",
    )
    expected = () if offset is None else ((offset, what, advice),)
    assert expected == compiled(text).suspicions


def test_equal_expressions_are_one_object() -> None:
    """Policies that write the same share it; another type of a parameter makes it another."""
    text = "parameters.depth == 3"
    one = environment.compile(text, Kind.BOOL, parameters={"depth": "integer"})

    assert one is environment.compile(text, Kind.BOOL, parameters={"depth": "integer"})
    with pytest.raises(ExpressionError):
        environment.compile(text, Kind.BOOL, parameters={"depth": "string"})


def test_expressions_that_read_the_same_share_it() -> None:
    """What is read stands in memory once for all conditions that differ in a constant."""
    one, other = compiled("object.metadata.name == 'a'"), compiled("object.metadata.name == 'b'")

    assert one.reads is other.reads


@pytest.mark.parametrize(
    "text",
    [
        "'ab'.charAt(0) == 'a'",
        "'%s'.format(['a']) == 'a'",
        "'ab'.indexOf('b') == 1",
        "['a', 'b'].join('-') == 'a-b'",
        "'aa'.lastIndexOf('a') == 1",
        "'A'.lowerAscii() == 'a'",
        "'a'.upperAscii() == 'A'",
        "'ab'.replace('b', 'c') == 'ac'",
        "'ab'.reverse() == 'ba'",
        "'a b'.split(' ') == ['a', 'b']",
        "'abc'.substring(1, 2) == 'b'",
        "' a '.trim() == 'a'",
        "strings.quote('a').size() == 3",
        "cel.bind(a, 1, a + a) == 2",
        "base64.encode(b'a') == 'YQ=='",
        "base64.decode('YQ==') == b'a'",
        *(f"math.{name}(1, 2) > 0" for name in ("greatest", "least", "bitOr", "bitXor")),
        *(f"math.{name}(1, 1) > 0" for name in ("bitAnd", "bitShiftLeft")),
        *(f"math.{name}(1.5) > 0.0" for name in ("abs", "ceil", "floor", "round", "sqrt")),
        *(f"math.{name}(1.5) > 0.0" for name in ("sign", "trunc")),
        *(f"!math.{name}(1.5)" for name in ("isInf", "isNaN")),
        "math.isFinite(1.5) && math.bitNot(1) == -2 && math.bitShiftRight(2, 1) == 1",
    ],
)
def test_extensions_are_there_for_who_names_them(text: str) -> None:
    """Every function of the runtime's extensions, each of which is loaded only when named."""
    assert answer(text) is True


def test_an_extension_that_nothing_names_is_not_loaded() -> None:
    """Each takes 2.6 MB: most policies need none."""
    script = (
        "import sys\n"
        "from webhook.expression.environment import Kind, compile\n"
        "for text in ('object.a == 1', \"object.?b.orValue('') == base64.encode(b'')\"):\n"
        "    compile(text, Kind.BOOL, parameters={})\n"
        "    print(*sorted(m for m in sys.modules if '.ext_' in m))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    few = "cel_expr_python.ext.ext_optional"
    more = f"cel_expr_python.ext.ext_encoders {few}"
    assert f"{few}\n{more}\n" == ran.stdout
