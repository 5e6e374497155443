"""The CEL runtime, loaded and set up once, when the first expression is compiled.

Its extensions are program files of their own, each of which takes 2.6 MB: one is loaded when an
expression names something of it. There are two kinds of environments. One evaluates: it has every
function's implementation. The other only checks types more strictly: it knows `Quantity` and its
like as types of their own, and the type of each parameter. (The runtime cannot carry values of
types that it does not know.)
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

from webhook.expression.library.row import TYPES, Function, merged
from webhook.expression.tree import ROOTS

# The types of a policy's parameters. A duration or a quantity is the text that was written.
PARAMETERS = {"integer": "int", "boolean": "bool"}


# By module and class of an extension: the words one of which must stand in an expression that means
# anything of it. Macros for optionals are part of every expression's syntax.
_EXTENSIONS = {
    ("ext_strings", "ExtStrings"): (
        *("charAt", "format", "indexOf", "join", "lastIndexOf", "lowerAscii", "quote"),
        *("replace", "reverse", "split", "substring", "trim", "upperAscii"),
    ),
    ("ext_bindings", "ExtBindings"): ("cel",),
    ("ext_encoders", "ExtEncoders"): ("base64",),
    ("ext_math", "ExtMath"): ("math",),
}
_Extensions = tuple[tuple[str, str], ...]


def environment(text: str = "") -> Any:
    """An environment in which `text` is compiled; its values can be made in any."""
    return _evaluating(_named(text))


def checker(text: str, parameters: frozenset[tuple[str, str]]) -> Any:
    """One that checks types more strictly; `parameters` are (name, policy's type)."""
    return _checking(_named(text), parameters)


def _named(text: str) -> _Extensions:
    return tuple(each for each, words in _EXTENSIONS.items() if any(w in text for w in words))


@cache
def _evaluating(extensions: _Extensions) -> Any:
    return _environment(extensions, strict=False)


@lru_cache(maxsize=512)
def _checking(extensions: _Extensions, parameters: frozenset[tuple[str, str]]) -> Any:
    return _environment(extensions, strict=True, parameters=sorted(parameters))


def _environment(
    extensions: _Extensions, *, strict: bool, parameters: Iterable[tuple[str, str]] = ()
) -> Any:
    from cel_expr_python import cel  # 6 MB, paid only where an expression is compiled

    types = _types(strict)
    variables = {name: types["map"] if name == "parameters" else types["dyn"] for name in ROOTS}
    typed = {f"parameters.{n}": types[PARAMETERS.get(t, "string")] for n, t in parameters}
    return cel.NewEnv(
        variables={**variables, **typed},
        extensions=[
            *(_extension(*each) for each in (("ext_optional", "ExtOptional"), *extensions)),
            cel.CelExtension("ours", _declarations(types, strict=strict, opaque=False)),
        ],
        functions=_declarations(types, strict=strict, opaque=True),
    )


def _extension(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"cel_expr_python.ext.{module}"), name)()


def _types(strict: bool) -> dict[str, Any]:
    from cel_expr_python import cel

    kind = cel.Type
    plain = ("string", "int", "uint", "double", "bool", "bytes", "dyn", "null")
    entry = kind.Map(kind.STRING, kind.DYN)
    return {
        **{name: getattr(kind, name.upper()) for name in plain},
        "list": kind.List(kind.DYN),
        "strings": kind.List(kind.STRING),
        "map": entry,
        **{name: kind.AbstractType(full) if strict else entry for name, full in TYPES.items()},
    }


def _declarations(types: dict[str, Any], *, strict: bool, opaque: bool) -> list[Any]:
    """Our functions: those that take or make `opaque` values, or the others.

    They are declared in two ways, since only an extension can add an overload to a function that
    exists, and an extension that names a type unknown to the runtime gets `dyn` instead.
    """
    from cel_expr_python import cel

    from webhook.expression import functions  # only now: it brings half a dozen modules

    groups: dict[tuple[str, bool, tuple[str, ...]], list[Function]] = defaultdict(list)
    for function in functions.FUNCTIONS:
        extends = strict and function.name == "string"  # not possible where it would be of use
        if extends or opaque != (strict and function.name in functions.OPAQUE):
            continue
        alike = tuple("map" if t in TYPES else t for t in function.types)
        types_ = function.types if strict else alike
        groups[function.name, function.method, types_].append(function)
    overloads = defaultdict(list)
    for (name, method, _), group in groups.items():
        first = group[0]
        overloads[name].append(
            cel.Overload(
                id=f"ours_{name}_{'_'.join(first.types)}",
                return_type=types[first.result],
                parameters=[types[t] for t in first.types],
                is_member=method,
                impl=merged(group),
            )
        )
    return [cel.FunctionDecl(name, each) for name, each in overloads.items()]


@cache
def _error() -> Any:
    from cel_expr_python import cel

    return cel.Type.ERROR


def is_error(value: Any) -> bool:
    """Is the runtime's `value` an error? Errors of an evaluation come back as values."""
    return bool(value.type() == _error())


@cache
def _string() -> Any:
    return environment().compile("string(object)")


def double(value: float) -> str:
    """A number as CEL's `string()` writes it."""
    return str(_string().eval(data={"object": value}).value())
