"""Expressions answered without the runtime: the few forms of which most conditions consist.

Handing values to the runtime costs more than the rest of a decision. Paths, comparisons, `has`,
`in`, `exists`, `all` and optionals can be read from the pod as it is. What is not surely the
runtime's own answer is left to it: whatever is missing, of another type, too long or too much
raises `Undecided`, and the runtime says what is wrong. `tests/properties/test_direct.py` holds both
against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from webhook.expression import tree
from webhook.expression.bounds import MAX_ITERATIONS
from webhook.expression.tree import Call, Constant, Entries, Identifier, Items, Loop, Node, Select

Variables = dict[str, Any]
Direct = Callable[[Variables], Any]


class Undecided(Exception):  # noqa: N818 - no error: the runtime is asked instead
    """The answer is the runtime's to give.

    A missing key (KeyError) is all that logic and loops see past: of other failures the runtime
    ignores some and not others.
    """


# Longer texts are compared and searched by the runtime, whose worst case is charged: here 10,000
# iterations over texts of 4 KiB take some 10 ms.
_LONG = 4096
_NONE = object()  # an optional without a value
# How many nodes may be visited, at 0.1 µs each: a loop that could take more than 20 ms is left to
# the runtime, which is charged for it (`bounds`).
_VISITS = 200_000
_STEPS = "@steps"  # how many iterations are left, among the variables: no identifier has an @
_INT64 = 2**63


def compile(root: Node) -> Direct | None:
    """A function that answers the expression from its variables, or None: it has other forms.

    The function raises `Undecided` when only the runtime can tell.
    """
    if root.__class__ is Constant or _is_optional(root):
        return None
    found = _compile(root)
    if found is None:
        return None

    steps = min(MAX_ITERATIONS, _VISITS // len(tree.walk(root)))

    def answer(variables: Variables) -> Any:
        try:
            result = found({**variables, _STEPS: steps})
        except (KeyError, RecursionError):
            raise Undecided from None
        if type(result) in _SCALARS:
            return result
        raise Undecided

    return answer


_SCALARS = frozenset((str, bool, int, float))


def _compile(node: Node) -> Direct | None:
    build = _FORMS.get(type(node))
    return None if build is None else build(node)


def _constant(node: Constant) -> Direct | None:
    value = node.value
    return None if isinstance(value, bytes) else lambda _: value


def _identifier(node: Identifier) -> Direct:
    name = node.name
    return lambda variables: variables[name]


def _entries(node: Entries) -> Direct | None:
    return None if node.values else lambda _: {}


def _all(nodes: tuple[Node, ...]) -> list[Direct] | None:
    found = [_compile(node) for node in nodes]
    return [one for one in found if one is not None] if None not in found else None


def _plain(nodes: tuple[Node, ...]) -> list[Direct] | None:
    """All of them compiled, or None when one is optional: then only a few functions take it."""
    return None if any(map(_is_optional, nodes)) else _all(nodes)


def _items(node: Items) -> Direct | None:
    parts = _plain(node.elements)
    if parts is None:
        return None
    return lambda variables: [part(variables) for part in parts]


# Paths.


def _is_optional(node: Node) -> bool:
    match node:
        case Call(function="_?._" | "_[?_]"):
            return True
        case Call(function="_[_]", arguments=(operand, _)):
            return _is_optional(operand)
        case Select(operand=operand):
            return _is_optional(operand)
        case _:
            return False


def _select(node: Select) -> Direct | None:
    if _is_optional(node.operand):
        return None if node.test else _optional(node.operand, node.field)
    operand, field = _compile(node.operand), node.field
    if operand is None:
        return None
    if node.test:
        return lambda variables: field in _map(operand(variables))
    path = _path(node)
    if path is None:
        return lambda variables: _map(operand(variables))[field]
    return _field(*path) if len(path) == 2 else _fields(*path)


def _path(node: Node) -> tuple[str, ...] | None:
    """A variable and the fields that are read one below the other, where there is nothing else."""
    if isinstance(node, Identifier):
        return (node.name,)
    if not isinstance(node, Select) or node.test:
        return None
    above = _path(node.operand)
    return None if above is None else (*above, node.field)


def _field(variable: str, field: str) -> Direct:
    def read(variables: Variables) -> Any:
        value = variables[variable]
        if type(value) is not dict:
            raise Undecided
        return value[field]

    return read


def _fields(variable: str, *fields: str) -> Direct:
    def read(variables: Variables) -> Any:
        value = variables[variable]
        for field in fields:
            if type(value) is not dict:
                raise Undecided
            value = value[field]
        return value

    return read


def _map(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise Undecided
    return value


def _optional(operand_node: Node, field: str) -> Direct | None:
    if isinstance(operand_node, Identifier):
        return _optional_field(operand_node.name, field)
    operand = _compile(operand_node)
    if operand is None:
        return None

    def read(variables: Variables) -> Any:
        value = operand(variables)
        return _NONE if value is _NONE else _map(value).get(field, _NONE)

    return read


def _optional_field(variable: str, field: str) -> Direct:
    def read(variables: Variables) -> Any:
        value = variables[variable]
        if type(value) is not dict:
            raise Undecided
        return value.get(field, _NONE)

    return read


def _index(arguments: tuple[Node, ...]) -> Direct | None:
    if _is_optional(arguments[0]):
        return None
    parts = _all(arguments)
    if parts is None:
        return None
    holder, key = parts

    def read(variables: Variables) -> Any:
        place = key(variables)
        if type(place) is not str:
            raise Undecided
        return _map(holder(variables))[place]

    return read


def _or_value(arguments: tuple[Node, ...]) -> Direct | None:
    if len(arguments) != 2 or not _is_optional(arguments[0]):
        return None
    parts = _all(arguments)
    if parts is None:
        return None
    optional, default = parts

    def read(variables: Variables) -> Any:
        value = optional(variables)
        return default(variables) if value is _NONE else value

    return read


def _has_value(arguments: tuple[Node, ...]) -> Direct | None:
    optional = _compile(arguments[0]) if _is_optional(arguments[0]) else None
    return None if optional is None else lambda variables: optional(variables) is not _NONE


# Comparing.


def _equal(one: Any, other: Any) -> bool:
    """CEL's equality of scalars; what is no scalar is not decided here."""
    kind, other_kind = type(one), type(other)
    if kind is str and other_kind is str:
        if len(one) > _LONG and len(other) > _LONG:
            raise Undecided
        return bool(one == other)
    if not (_is_scalar(one) and _is_scalar(other)):
        raise Undecided
    if kind in _NUMBERS and other_kind in _NUMBERS:
        if kind is not other_kind:
            raise Undecided
        return bool(one == other)
    return kind is other_kind and one is other


_NUMBERS = frozenset((int, float))


def _is_scalar(value: Any) -> bool:
    if type(value) is int:
        return -_INT64 <= value < _INT64
    return value is None or type(value) in (str, bool, float)


def _comparison(arguments: tuple[Node, ...], *, negated: bool) -> Direct | None:
    parts = _plain(arguments)
    if parts is None:
        return None
    one, other = parts
    match arguments:
        case (_, Constant(value=str() as text)):
            return _against_text(one, text, negated=negated)
        case (Constant(value=str() as text), _):
            return _against_text(other, text, negated=negated)
        case _:
            return lambda variables: _equal(one(variables), other(variables)) is not negated


def _against_text(value: Direct, text: str, *, negated: bool) -> Direct:
    def is_it(variables: Variables) -> bool:
        found = value(variables)
        return found == text if type(found) is str else _equal(found, text)

    return (lambda variables: not is_it(variables)) if negated else is_it


def _ordered(name: str, arguments: tuple[Node, ...]) -> Direct | None:
    parts = _plain(arguments)
    if parts is None:
        return None
    one, other = parts
    compare = _ORDERS[name]

    def ordered(variables: Variables) -> bool:
        a, b = one(variables), other(variables)
        if type(a) is not int or type(b) is not int or not (_is_scalar(a) and _is_scalar(b)):
            raise Undecided
        return compare(a, b)

    return ordered


_ORDERS: dict[str, Callable[[int, int], bool]] = {
    "_<_": int.__lt__,
    "_<=_": int.__le__,
    "_>_": int.__gt__,
    "_>=_": int.__ge__,
}


def _in(arguments: tuple[Node, ...]) -> Direct | None:
    parts = _plain(arguments)
    if parts is None:
        return None
    member, holder = parts

    def contained(variables: Variables) -> bool:
        value, found = member(variables), holder(variables)
        if type(found) is dict and type(value) is str:
            return value in found
        if type(found) is not list:
            raise Undecided
        _spend(variables, len(found))
        return True in [_equal(value, item) for item in found]  # each of them, as CEL does

    return contained


# Texts and sizes.


def _size(arguments: tuple[Node, ...]) -> Direct | None:
    measured = _compile(arguments[0])
    if measured is None or _is_optional(arguments[0]):
        return None

    def size(variables: Variables) -> int:
        value = measured(variables)
        if type(value) not in (str, list, dict):
            raise Undecided
        return len(value)

    return size


_SEARCHES: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}


def _search(name: str, arguments: tuple[Node, ...]) -> Direct | None:
    parts = _plain(arguments)
    if parts is None:
        return None
    text, part = parts
    search = _SEARCHES[name]

    def found(variables: Variables) -> bool:
        a, b = text(variables), part(variables)
        if type(a) is not str or type(b) is not str or len(a) > _LONG or len(b) > _LONG:
            raise Undecided
        return search(a, b)

    return found


# Logic: in CEL an error on one side does not matter when the other side decides.


def _logic(arguments: tuple[Node, ...], *, decides: bool) -> Direct | None:
    """`||`, which true decides, or `&&`, which false does."""
    parts = _all(arguments)
    if parts is None:
        return None
    one, other = parts

    def decide(variables: Variables) -> bool:
        try:
            first = _bool(one(variables))
        except KeyError:
            if _bool(other(variables)) is decides:
                return decides
            raise
        return decides if first is decides else _bool(other(variables))

    return decide


def _bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise Undecided


def _not(arguments: tuple[Node, ...]) -> Direct | None:
    negated = _compile(arguments[0])
    return None if negated is None else lambda variables: not _bool(negated(variables))


def _choice(arguments: tuple[Node, ...]) -> Direct | None:
    parts = _plain(arguments)
    if parts is None:
        return None
    condition, yes, no = parts
    return lambda v: yes(v) if _bool(condition(v)) else no(v)


def _call(node: Call) -> Direct | None:
    name, arguments = node.function, node.arguments
    if name in _ORDERS:
        return _ordered(name, arguments)
    if name in _SEARCHES and len(arguments) == 2:
        return _search(name, arguments)
    build = _CALLS.get(name)
    return None if build is None else build(arguments)


def _optional_key(arguments: tuple[Node, ...]) -> Direct | None:
    operand, key = arguments
    if isinstance(key, Constant) and isinstance(key.value, str):
        return _optional(operand, key.value)
    return None


_CALLS: dict[str, Callable[[tuple[Node, ...]], Direct | None]] = {
    "_==_": lambda arguments: _comparison(arguments, negated=False),
    "_!=_": lambda arguments: _comparison(arguments, negated=True),
    "_&&_": lambda arguments: _logic(arguments, decides=False),
    "_||_": lambda arguments: _logic(arguments, decides=True),
    "_?_:_": _choice,
    "!_": _not,
    "_[_]": _index,
    "_?._": _optional_key,
    "_[?_]": _optional_key,
    "@in": _in,
    "orValue": _or_value,
    "hasValue": _has_value,
    "size": _size,
}


# Loops.


def _loop(node: Loop) -> Direct | None:
    """`exists` and `all`; any other macro is the runtime's."""
    decides = _macro(node)
    if decides is None or _is_optional(node.range):
        return None
    predicate_node = tree.children(node.step)[1]
    over, predicate = _compile(node.range), _compile(predicate_node)
    if over is None or predicate is None:
        return None
    walk = _quantified(over, node.variable, predicate, decides=decides)
    wanted = _wanted(predicate_node, node.variable) if decides else None
    return walk if wanted is None else _one_with(over, *wanted, walk)


def _macro(node: Loop) -> bool | None:
    """What decides the loop at once: true in `exists`, false in `all`; None for another macro."""
    match node:
        case Loop(
            initial=Constant(value=False),
            step=Call(function="_||_", arguments=(Identifier(name=name), _)),
            result=Identifier(name=result),
        ) if name == result == node.accumulator:
            return True
        case Loop(
            initial=Constant(value=True),
            step=Call(function="_&&_", arguments=(Identifier(name=name), _)),
            result=Identifier(name=result),
        ) if name == result == node.accumulator:
            return False
        case _:
            return None


def _wanted(predicate: Node, variable: str) -> tuple[str, str] | None:
    """Field and text of a predicate that is `variable.field == 'text'`."""
    match predicate:
        case Call(
            function="_==_",
            arguments=(
                Select(operand=Identifier(name=name), field=field, test=False),
                Constant(value=str() as text),
            ),
        ) if name == variable:
            return field, text
        case _:
            return None


def _one_with(over: Direct, field: str, text: str, walk: Direct) -> Direct:
    """`exists(e, e.field == 'text')`, which is what most conditions ask; `walk` is any `exists`."""
    read = itemgetter(field)

    def search(variables: Variables) -> Any:
        items = over(variables)
        if type(items) is not list:
            return walk(variables)
        try:
            found = list(map(read, items))
        except (KeyError, TypeError):
            return walk(variables)
        _spend(variables, len(items))
        if text in found:
            return True
        return False if _TEXT.issuperset(map(type, found)) else walk(variables)

    return search


_TEXT = frozenset((str,))


def _quantified(over: Direct, variable: str, predicate: Direct, *, decides: bool) -> Direct:
    def walk(variables: Variables) -> bool:
        items = over(variables)
        if type(items) is not list and type(items) is not dict:
            raise Undecided
        _spend(variables, len(items))
        outer = variables.get(variable)
        missing: KeyError | None = None
        try:
            for item in items:
                variables[variable] = item
                try:
                    verdict: object = predicate(variables)
                except KeyError as error:
                    missing = error
                    continue
                if verdict is decides:
                    return decides
                if verdict is not otherwise:
                    raise Undecided
        finally:
            variables[variable] = outer
        if missing is not None:
            raise missing
        return not decides

    otherwise = not decides
    return walk


def _spend(variables: Variables, steps: int) -> None:
    left = variables[_STEPS] - steps
    if left < 0:
        raise Undecided
    variables[_STEPS] = left


_FORMS: dict[type, Callable[[Any], Direct | None]] = {
    Constant: _constant,
    Identifier: _identifier,
    Select: _select,
    Items: _items,
    Entries: _entries,
    Loop: _loop,
    Call: _call,
}
