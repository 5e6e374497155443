"""What the runtime says, in our words: one line, what is wrong and what to do.

The runtime has no other way than its text to say what it means. Its text may quote values of the
pod, so of an evaluation's error only what is known to be harmless is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from webhook.errors import ExpressionError
from webhook.expression import names, tree
from webhook.expression.library.row import REFUSED, TYPES

_NO_VARIABLE = "there is no variable "
_PLACE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_OPERATORS = {
    "_+_": "+", "_-_": "-", "_*_": "*", "_/_": "/", "_%_": "%", "_==_": "==", "_!=_": "!=",
    "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "_&&_": "&&", "_||_": "||", "!_": "!",
    "-_": "-", "@in": "in", "_[_]": "[ ]", "_?_:_": "? :",
}  # fmt: skip
_TYPES = {
    "int64": "int", "uint64": "uint", "null_type": "null", "INT": "a number", "UINT": "a number",
    "DOUBLE": "a number", "STRING": "text", "BOOL": "true or false", "BYTES": "bytes",
    "TIMESTAMP": "a timestamp", "DURATION": "a duration", "NULL": "null", "DYN": "anything",
}  # fmt: skip


_NAMED = {
    full: ("an " if name in ("ip", "url") else "a ") + full.rpartition(".")[2]
    for name, full in TYPES.items()
}


def type_name(name: str) -> str:
    """A type as the runtime calls it, in a reader's words."""
    if name.startswith("LIST"):
        return "a list"
    if name.startswith("MAP"):
        return "a map"
    if name in _NAMED:
        return _NAMED[name]
    return "a type" if name.startswith("TYPE") else _TYPES.get(name, name.lower())


def kind(value: object) -> str:
    """What a plain value is, without the value."""
    kinds = {str: "text", list: "a list", dict: "a map", type(None): "null", bool: "a truth value"}
    return kinds.get(type(value), "a number" if isinstance(value, int | float) else "an object")


# --- when it is compiled


def meant(problem: ExpressionError, parameters: Collection[str]) -> ExpressionError:
    """The same, but a variable that does not exist may be the name of a parameter."""
    name = problem.what.removeprefix(_NO_VARIABLE)
    if name == problem.what or name not in parameters:
        return problem
    advice = f"was the parameter meant? write parameters.{name}"
    return ExpressionError(problem.what, offset=problem.offset, advice=advice)


def refused(said: str, text: str) -> ExpressionError:
    """The first complaint of the compiler about `text`."""
    match = _PLACE.search(said)
    if match is None:
        return _unplaced(said)
    line, column, what = int(match[1]), int(match[2]), match[3].strip()
    offset = _offset(text, line, column)
    for pattern, translate in _COMPLAINTS:
        found = re.match(pattern, what.removesuffix("[INVALID_ARGUMENT]").strip())
        if found:
            return translate(found, text, offset)
    if "recursion" in what:
        return _unplaced(what)
    what = what.removesuffix("[INVALID_ARGUMENT]").strip()
    return ExpressionError(what[:1].lower() + what[1:], offset=offset)


def _unplaced(said: str) -> ExpressionError:
    if "recursion" in said:
        what = "the expression is nested too deeply, or joins more than 31 parts"
        return ExpressionError(what, advice="split it, or use format() or join()")
    return ExpressionError(f"not accepted: {said.splitlines()[0] if said else 'no reason given'}")


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    if line < 1 or column < 1:
        return 0
    before = sum(len(each) + 1 for each in lines[: line - 1])
    return min(before + column - 1, len(text))


def _undeclared(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    name = found[1]
    if text[offset : offset + 1] == "(":
        start = max(text.rfind(name.split(".")[-1], 0, offset), 0)
        return ExpressionError(
            f"there is no function {name}()",
            offset=start,
            advice=names.did_you_mean(name, FUNCTIONS),
        )
    root = name.split(".")[0]
    place = text.rfind(root, 0, offset + len(root))
    return ExpressionError(
        _NO_VARIABLE + root,
        offset=place if place >= 0 else offset,
        advice=names.did_you_mean(root, tree.ROOTS),
    )


def _no_overload(found: re.Match[str], _text: str, offset: int) -> ExpressionError:
    name, types = found[1], [t.strip() for t in _arguments(found[2])]
    operator = _OPERATORS.get(name)
    if operator == "? :":
        what = f"both results of ? : must be of one type, not {' and '.join(types[1:])}"
        return ExpressionError(what, offset=offset, advice="convert one, for example by string(…)")
    if operator and len(types) == 2:
        what = f"{operator} cannot be applied to {types[0]} and {types[1]}"
        return ExpressionError(
            what, offset=offset, advice="convert one side, for example by string(…)"
        )
    if operator:
        return ExpressionError(f"{operator} cannot be applied to {types[0]}", offset=offset)
    return ExpressionError(
        f"{name}() does not take {', '.join(types) or 'no arguments'}", offset=offset
    )


def _arguments(text: str) -> list[str]:
    """`string, map(string, dyn)` at its outer commas."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter in "(<") - (letter in ")>")
        if letter == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]] if text else []


def _token(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    if found[1][:1] in "'\"":
        what = "the string that begins here is not closed, or holds an unknown escape"
        advice = "write a backslash as \\\\ or use r'…'"
        return ExpressionError(what, offset=offset, advice=advice)
    return ExpressionError(
        f"{found[1].strip()} means nothing here",
        offset=offset,
        advice="compare with ==" if found[1][:1] == "=" else "",
    )


def _unexpected(found: re.Match[str], text: str, offset: int) -> ExpressionError:
    word = found[1]
    expected = found[2] if found.re.groups > 1 and found[2] else ""
    plain = expected and not expected.startswith("{") and expected != "<EOF>"
    advice = f"expected {expected}" if plain else ""
    if word == "<EOF>":
        return ExpressionError("the expression ends too early", offset=offset, advice=advice)
    if word == "=":
        advice = "compare with =="
    return ExpressionError(f"{word} is not expected here", offset=offset, advice=advice)


def _reserved(found: re.Match[str], _text: str, offset: int) -> ExpressionError:
    return ExpressionError(f"{found[1]} is a reserved word", offset=offset)


def _no_fields(found: re.Match[str], _text: str, offset: int) -> ExpressionError:
    return ExpressionError(f"a value of type {found[1]} has no fields", offset=offset)


_COMPLAINTS = (
    (r"undeclared reference to '([^']*)'", _undeclared),
    (r"found no matching overload for '([^']*)' applied to '\((.*)\)'", _no_overload),
    (r"Syntax error: token recognition error at: '(.*)'$", _token),
    (r"Syntax error: (?:mismatched|extraneous) input '(.*?)' expecting (.*)$", _unexpected),
    (r"Syntax error: no viable alternative at input '(.*)'$", _unexpected),
    (r"Syntax error: missing .* at '(.*)'$", _unexpected),
    (r"expression of type '([^']*)' cannot be the operand of a select operation", _no_fields),
    (r"Syntax error: invalid string literal: (.*)$", _token),
    (r"reserved identifier: (\w+)", _reserved),
)
FUNCTIONS = (
    "has", "size", "all", "exists", "exists_one", "map", "filter", "contains", "startsWith",
    "endsWith", "matches", "string", "int", "uint", "double", "bool", "bytes", "duration",
    "timestamp", "type", "dyn", "orValue", "or", "optMap", "optFlatMap", "hasValue", "value",
    "charAt", "indexOf", "lastIndexOf", "lowerAscii", "upperAscii", "replace", "split", "join",
    "substring", "trim", "reverse", "format", "first", "last",
)  # fmt: skip

# --- when it runs


def runtime(said: str, keys: frozenset[str]) -> str:
    """Why an evaluation failed. Of `said` only what cannot hold a value of the pod is kept."""
    for pattern, translate in _FAILURES:
        found = re.search(pattern, said)
        if found:
            return translate(found, keys)
    return "a function refused what it was given"


def _key(found: re.Match[str], keys: frozenset[str]) -> str:
    return f"no such key: {found[1]}" if found[1] in keys else "no such key"


def _variable(found: re.Match[str], _keys: frozenset[str]) -> str:
    return unknown(found[1])


def unknown(root: str) -> str:
    """Why the variable `root` cannot be read."""
    if root == "namespaceObject":
        return "nothing is known about the namespace"
    return f"{root} is not known here"


def _operator(found: re.Match[str], _keys: frozenset[str]) -> str:
    name = found[1]
    if name == "<jump_condition>":
        return "a condition is neither true nor false"
    if name == "<iter_range>":
        return "a macro was applied to something that is neither a list nor a map"
    types = [_TYPES.get(t.strip(), t.strip()) for t in _arguments(found[2] or "")]
    shown = _OPERATORS.get(name, f"{name}()")
    return f"{shown} cannot be applied to {' and '.join(types)}" if types else f"{shown} failed"


def _refusal(found: re.Match[str], _keys: frozenset[str]) -> str:
    return found[1]


def _always(text: str):  # type: ignore[no-untyped-def]
    return lambda _found, _keys: text


_FAILURES = (
    (rf"^\w+: {REFUSED}(.*)$", _refusal),
    (r'Key not found in map : "(.*)"', _key),
    (r'No value with name "(\w+)" found', _variable),
    (r"No matching overloads found : ([^\s(]+)(?:\(([\w, ]*)\))?", _operator),
    (r"Index error", _always("no such element: the index is beyond the end of the list")),
    (r"Iteration budget exceeded", _always("more than 10,000 elements were looked at")),
    (r"divide by zero|modulus by zero", _always("division by zero")),
    (r"overflow", _always("a number became too large")),
    (r"optional.none\(\) dereference", _always("an optional value is missing")),
    (r"SELECT to non-message", _always("a field was read of something that has no fields")),
    (r"Unable to convert|Unimplemented type", _always("gave a value of a type without a use here")),
    (r"construction from null", _always("the pod holds text that is no Unicode")),
    (r"out of range for", _always("the pod holds a number that is too large")),
    (r"conversion failed|cannot convert", _always("a text could not be converted")),
    (r"greater than <string>.size|less than 0", _always("a position is outside of the text")),
)
