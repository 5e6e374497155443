"""The names that an expression uses: parameters, and keys that its errors may mention."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from webhook.errors import ExpressionError
from webhook.expression import tree
from webhook.expression.tree import Call, Constant, Identifier, Node, Select


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of `known` that `name` was probably meant to be; empty when none is near."""
    known = list(known)
    lower = {k.lower(): k for k in known}
    if name.lower() in lower:
        return lower[name.lower()]
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Advice for an unknown `name`: the nearest, or all of them when they are few."""
    known = sorted(known)
    near = nearest(name, known)
    if near:
        return f"did you mean {near}?"
    if not known:
        return ""
    return f"known are {', '.join(known)}" if len(known) <= 8 else ""


def keys(nodes: Iterable[Node]) -> frozenset[str]:
    """Every field and string that stands in the expression itself."""
    found = set()
    for node in nodes:
        if isinstance(node, Select):
            found.add(node.field)
        elif isinstance(node, Constant) and isinstance(node.value, str):
            found.add(node.value)
    return frozenset(found)


def check_parameters(nodes: Iterable[Node], known: Mapping[str, str]) -> None:
    """Raises ExpressionError for a parameter that does not exist."""
    for node in nodes:
        name = _parameter(node) if isinstance(node, Select | Call) else None
        if isinstance(node, Select | Call) and name is not None and name not in known:
            advice = did_you_mean(name, known) if known else "the policy declares no parameters"
            what = f"there is no parameter {name}"
            raise ExpressionError(what, offset=tree.named_at(node), advice=advice)


def _parameter(node: Select | Call) -> str | None:
    """The name, when `node` reads one parameter."""
    if isinstance(node, Select):
        return node.field if is_parameters(node.operand) else None
    if node.function in ("_[_]", "_[?_]", "_?._") and is_parameters(node.arguments[0]):
        key = node.arguments[1]
        if isinstance(key, Constant) and isinstance(key.value, str):
            return key.value
    return None


def is_parameters(node: Node) -> bool:
    """Is `node` the variable `parameters`?"""
    return isinstance(node, Identifier) and node.name.lstrip(".") == "parameters"
