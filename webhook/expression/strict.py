"""A second, stricter look at types: parameters have one, and quantities are no maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.errors import ExpressionError
from webhook.expression import functions, message, names, runtime
from webhook.expression.tree import Call, Node, Select


def check(text: str, nodes: Sequence[Node], parameters: Mapping[str, str]) -> Any | None:
    """The runtime's type of the result, where it is known more exactly than without.

    None where there is nothing to look at twice. Raises ExpressionError for what does not fit.
    """
    calls = [node for node in nodes if isinstance(node, Call)]
    if any(node.function == "string" and _is_opaque(node.arguments[0]) for node in calls):
        return None  # the runtime lets nobody declare a string() of further types
    typed = _typed(nodes, parameters)
    if not typed and not any(node.function in functions.OPAQUE for node in calls):
        return None
    return _compiled(text, typed).return_type()


def complain(text: str, otherwise: ExpressionError) -> ExpressionError:
    """What is wrong with a text that does not compile, in terms of the types an author knows."""
    try:
        _compiled(text, frozenset())
    except ExpressionError as problem:
        return problem
    return otherwise


def _compiled(text: str, typed: frozenset[tuple[str, str]]) -> Any:
    environment = runtime.checker(text, typed)
    try:
        return environment.compile(text)
    except RuntimeError as problem:
        raise message.refused(str(problem), text) from None


def _typed(nodes: Sequence[Node], parameters: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The parameters read by name. `has(parameters.x)` cannot be asked of a typed one."""
    selects = [n for n in nodes if isinstance(n, Select) and names.is_parameters(n.operand)]
    if any(node.test for node in selects):
        return frozenset()
    return frozenset((n.field, parameters[n.field]) for n in selects if n.field in parameters)


def _is_opaque(node: Node) -> bool:
    return isinstance(node, Call) and node.function in functions.OPAQUE
