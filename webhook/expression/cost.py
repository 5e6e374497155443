"""The worst case of an expression, from its checked tree.

Walks the tree once with an upper bound for every value. What makes it sharp enough for honest
expressions: all the elements of a list together weigh no more than the list, so a loop over
containers that looks at each image looks at no more text than the pod has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.errors import ExpressionError
from webhook.expression import bounds, prices, tree
from webhook.expression.bounds import MAX_ITERATIONS, NODE, Sizes
from webhook.expression.prices import APPEND, FRESH, NOTHING, SMALL, STEP, Size
from webhook.expression.tree import (
    ROOTS,
    UNUSED,
    Call,
    Constant,
    Entries,
    Identifier,
    Items,
    Loop,
    Node,
    Select,
)


class Costs:
    """The worst case of one expression, by size of its input."""

    __slots__ = ("_known", "_tree", "usual")

    def __init__(self, root: Node) -> None:
        self._tree = root
        self._known: dict[Sizes, int] = {}
        self.usual = estimate(root, bounds.USUAL)

    def at(self, sizes: Sizes) -> int:
        """The cost for an input of `sizes`, in the unit of `bounds`."""
        known = self._known.get(sizes)
        if known is None:
            known = self._known[sizes] = estimate(self._tree, sizes)
        return known


def check(root: Node) -> Costs:
    """The costs of an expression. Raises ExpressionError when it exceeds a bound."""
    _check_loops(root, 0)
    costs = Costs(root)
    if costs.usual > bounds.MAX_EXPRESSION_COST:
        times = costs.usual / bounds.MAX_EXPRESSION_COST
        many = f"{times:.1f}" if times < 1000 else "thousands of"
        what = f"the expression could take too long: its worst case is {many} times what is allowed"
        advice = (
            "avoid loops inside loops, joining text again and again, large patterns, "
            "and map() or filter() where exists() or all() will do"
        )
        raise ExpressionError(what, offset=_dearest(root).offset, advice=advice)
    return costs


def estimate(root: Node, sizes: Sizes) -> int:
    """The worst case of `root` for an input of `sizes`, in the unit of `bounds`.

    Raises ExpressionError for a function that has no bound.
    """
    estimator = _Estimator(sizes)
    result = estimator.visit(root, _Place(1, 0, estimator.roots))
    handed_back = prices.SCAN * min(result.total, result.text)
    return int(min((prices.BASE + estimator.nanoseconds + handed_back) / 1000, 10**15)) + 1


def _check_loops(node: Node, depth: int) -> None:
    inside: tuple[Node, ...] = ()
    if isinstance(node, Loop) and node.variable != UNUSED:
        inside = (node.condition, node.step)
        if depth >= bounds.MAX_LOOPS:
            what = f"there are more than {bounds.MAX_LOOPS} loops inside each other"
            raise ExpressionError(what, offset=node.offset, advice="split the condition")
    for child in tree.children(node):
        _check_loops(child, depth + any(child is each for each in inside))


def _dearest(root: Node) -> Node:
    """The smallest part that exceeds the bound by itself."""
    for child in tree.children(root):
        if estimate(child, bounds.USUAL) > bounds.MAX_EXPRESSION_COST:
            return _dearest(child)
    return root


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an evaluation stands: how often at most, in which loop, and what names mean there."""

    count: float
    level: int
    names: Mapping[str, tuple[int, Size]]


class _Estimator:
    """Adds up while it walks."""

    def __init__(self, sizes: Sizes) -> None:
        self.nanoseconds = 0.0
        whole = Size(sizes.weight, sizes.entries, sizes.text, sizes.weight)
        self.roots: Mapping[str, tuple[int, Size]] = dict.fromkeys(ROOTS, (0, whole))

    def visit(self, node: Node, place: _Place) -> Size:
        self.nanoseconds += STEP * place.count
        return _VISITS[type(node)](self, node, place)

    def constant(self, node: Constant, place: _Place) -> Size:
        length = len(node.value) if isinstance(node.value, str | bytes) else 0
        weight = NODE + length
        return Size(weight, 0, max(NODE, length), weight * place.count)

    def identifier(self, node: Identifier, place: _Place) -> Size:
        known = self.roots if node.name.startswith(".") else place.names
        level, size = known.get(node.name.lstrip("."), (place.level, SMALL))  # else a type's name
        return size if level == place.level else size.times(place.count)

    def select(self, node: Select, place: _Place) -> Size:
        operand = self.visit(node.operand, place)
        return SMALL.times(place.count) if node.test else operand

    def call(self, node: Call, place: _Place) -> Size:
        rule = prices.RULES.get(node.function)
        if rule is None:
            what = f"{node.function}() is not available here"
            raise ExpressionError(what, offset=node.offset)
        arguments = [self.visit(argument, place) for argument in node.arguments]
        size, nanoseconds = rule(node, arguments, place.count)
        self.nanoseconds += nanoseconds
        return size

    def items(self, node: Items, place: _Place) -> Size:
        return self._gather(node.elements, place)

    def entries(self, node: Entries, place: _Place) -> Size:
        if node.message:
            what = f"{node.message} cannot be built here"
            raise ExpressionError(what, offset=node.offset, advice="use a map")
        return self._gather(node.keys + node.values, place)

    def _gather(self, parts: tuple[Node, ...], place: _Place) -> Size:
        sizes = [self.visit(part, place) for part in parts]
        self.nanoseconds += FRESH * NODE * (len(parts) + 1) * place.count
        return Size(
            NODE + sum(s.weight for s in sizes),
            max([len(parts), *(s.entries for s in sizes)]),
            max([0, *(s.text for s in sizes)]),
            NODE * place.count + sum(s.total for s in sizes),
        )

    def loop(self, node: Loop, place: _Place) -> Size:
        over = self.visit(node.range, place)
        initial = self.visit(node.initial, place)
        exact = isinstance(node.range, Items)
        entries = min(MAX_ITERATIONS, len(tree.children(node.range)) if exact else over.entries)
        count = min(MAX_ITERATIONS, place.count * entries, over.total / NODE)
        level = place.level + 1
        names = {**place.names, node.variable: (level, over), node.accumulator: (level, NOTHING)}
        inner = _Place(count, level, names)
        self.visit(node.condition, inner)
        piece = self.visit(node.step, inner)
        if isinstance(node.initial, Items):
            self.nanoseconds += count * entries / 2 * (APPEND + FRESH * NODE)
        total = piece.total + initial.total
        grown = Size(
            min(initial.weight + piece.weight * entries, total),
            max(initial.entries, piece.entries, entries),
            max(initial.text, piece.text),
            total,
        )
        names = {**place.names, node.accumulator: (place.level, grown)}
        return self.visit(node.result, _Place(place.count, place.level, names))


_VISITS: dict[type[Any], Callable[[_Estimator, Any, _Place], Size]] = {
    Constant: _Estimator.constant,
    Identifier: _Estimator.identifier,
    Select: _Estimator.select,
    Call: _Estimator.call,
    Items: _Estimator.items,
    Entries: _Estimator.entries,
    Loop: _Estimator.loop,
}
