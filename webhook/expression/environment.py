"""From the text of an expression to something that can be asked, and asking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from weakref import WeakValueDictionary

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import (
    bounds,
    cost,
    direct,
    fields,
    message,
    names,
    order,
    runtime,
    strict,
    trace,
    tree,
)
from webhook.expression.activation import Scope
from webhook.expression.cost import Costs
from webhook.expression.direct import Direct, Undecided
from webhook.expression.fields import Suspicion
from webhook.expression.reads import Reads


class Kind(Enum):
    """What an expression stands for: a condition, or the text of a template's hole."""

    BOOL = "bool"
    TEXT = "text"


# The runtime's names of the types that each kind takes; DYN is only known when it runs.
_TAKES = {
    Kind.BOOL: frozenset({"BOOL", "DYN"}),
    Kind.TEXT: frozenset({"STRING", "INT", "UINT", "DOUBLE", "BOOL", "DYN"}),
}


class _Program:
    """An expression as the runtime knows it, with its costs.

    Compiled when it is first asked and then kept: 20 KB, which an expression that is always
    answered directly never needs.
    """

    __slots__ = ("_held", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._held: tuple[Any, Costs] | None = None

    def get(self) -> tuple[Any, Costs]:
        if self._held is None:
            program = runtime.environment(self._text).compile(self._text)
            self._held = program, cost.check(tree.read(program.serialize()))
        return self._held


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Expression:
    """A compiled expression. `cost` is its worst case in the unit of `bounds`.

    `suspicions` are (offset, what, advice) of things that are allowed but probably wrong.
    """

    text: str
    reads: Reads
    cost: int
    suspicions: tuple[Suspicion, ...]
    _program: _Program
    _keys: frozenset[str]  # keys written out in the text, which an error may therefore name
    _direct: Direct | None = None  # answers without the runtime, where that is possible

    @property
    def costs(self) -> Costs:
        """What it costs at worst, by the size of what it reads."""
        return self._program.get()[1]

    def boolean(self, scope: Scope, parameters: Mapping[str, object] | None) -> bool:
        """What the condition says. Raises EvaluationError, whose text holds no value of the pod."""
        result = self.value(scope, parameters)
        if result is True or result is False:
            return result
        what = f"gave {message.kind(result)} where true or false is needed"
        raise EvaluationError(what)

    def value(self, scope: Scope, parameters: Mapping[str, object] | None) -> object:
        """The plain value. Raises EvaluationError as `boolean` does."""
        if self._direct is not None:
            try:
                return self._direct(scope.variables(parameters))
            except Undecided:
                pass  # the runtime says it, or what is wrong
        program, costs = self._program.get()
        activation = scope.activation(self.reads, costs, parameters)
        try:
            answer = program.eval(activation)
            result = answer.value()
        except (RuntimeError, TypeError, ValueError) as problem:
            raise EvaluationError(message.runtime(str(problem), self._keys)) from None
        if type(result) is str and runtime.is_error(answer):
            raise EvaluationError(message.runtime(result, self._keys))
        return result


def compile(text: str, kind: Kind, *, parameters: Mapping[str, str]) -> Expression:
    """`text` compiled, checked and bounded.

    `parameters` gives the type (`string`, `integer`, …) of every parameter that exists.
    The same as before, as long as that is in use: many policies write the same, and a reload
    brings most of what is in force again. Raises ExpressionError for what must not be loaded:
    syntax, types, unknown names, and a worst case beyond the bounds.
    """
    key = text, kind, frozenset(parameters.items())
    found = _in_use.get(key)
    if found is None:
        found = _in_use[key] = _compile(text, kind, parameters)
    return found


_in_use: WeakValueDictionary[tuple[str, Kind, frozenset[tuple[str, str]]], Expression] = (
    WeakValueDictionary()
)


def _compile(text: str, kind: Kind, parameters: Mapping[str, str]) -> Expression:
    if len(text) > bounds.MAX_LENGTH:
        what = f"the expression is longer than {bounds.MAX_LENGTH} characters"
        raise ExpressionError(what, offset=bounds.MAX_LENGTH, advice="split it")
    program = _checked(text, parameters)
    root = tree.read(program.serialize())
    nodes = tree.walk(root)
    names.check_parameters(nodes, parameters)
    exact = strict.check(text, nodes, parameters)
    _check_type((exact or program.return_type()).name(), kind)
    costs = cost.check(root)
    traced = trace.trace(root)
    suspicions = (*fields.suspicions(traced.offsets), *order.suspicions(root, traced.over_maps))
    return Expression(
        text,
        traced.reads,
        costs.usual,
        suspicions,
        _Program(text),
        names.keys(nodes),
        direct.compile(root),
    )


def _checked(text: str, parameters: Mapping[str, str]) -> Any:
    if not text.strip():
        what = "the expression is empty"
        raise ExpressionError(what)
    environment = runtime.environment(text)
    try:
        return environment.compile(text)
    except (RuntimeError, UnicodeError) as problem:
        complaint = strict.complain(text, message.refused(str(problem), text))
        raise message.meant(complaint, parameters) from None


def _check_type(name: str, kind: Kind) -> None:
    if name in _TAKES[kind]:
        return
    wanted = "true or false" if kind is Kind.BOOL else "text, a number, true or false"
    if name.startswith("optional_type"):
        what = f"the result is optional where {wanted} is needed"
        advice = "say what holds when it is missing: append .orValue(…)"
        raise ExpressionError(what, advice=advice)
    what = f"the result is {message.type_name(name)} where {wanted} is needed"
    advice = "compare it with something" if kind is Kind.BOOL else "take one part of it"
    raise ExpressionError(what, advice=advice)
