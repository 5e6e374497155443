"""Where an expression depends on the order of a map's keys, which is not the same every time.

The runtime hashes keys with a seed of its own, so two replicas, or two calls for one pod, may see
them in different orders: a text made of them would differ, and the pod be patched again.
"""

from __future__ import annotations

from collections.abc import Collection

from webhook.expression import tree
from webhook.expression.fields import Suspicion
from webhook.expression.tree import Call, Items, Loop, Node

# What gives the same for every order of a list, and what passes the order on.
_INDIFFERENT = frozenset(
    ("sort", "size", "sum", "min", "max", "sets.contains", "sets.equivalent", "sets.intersects")
)
_PASSING = frozenset(("_+_", "_?_:_", "distinct", "reverse", "flatten", "orValue", "value", "dyn"))


def suspicions(root: Node, over_maps: Collection[int]) -> list[Suspicion]:
    """The places where it matters; `over_maps` are the ids of the loops that walk over a map."""
    finder = _Finder(over_maps)
    finder.visit(root)
    return finder.found


class _Finder:
    def __init__(self, over_maps: Collection[int]) -> None:
        self._over_maps = over_maps
        self.found: list[Suspicion] = []

    def visit(self, node: Node) -> bool:
        """Is the value of `node` a list in no particular order?"""
        unordered = [self.visit(child) for child in tree.children(node)]
        if isinstance(node, Loop):
            makes_list = isinstance(node.initial, Items)
            return makes_list and (id(node) in self._over_maps or unordered[0])
        if not isinstance(node, Call) or not any(unordered) or node.function in _INDIFFERENT:
            return False
        if node.function in _PASSING:
            return True
        if node.function != "@in":
            what = "a map's keys come in another order each time"
            self.found.append((node.offset, what, "sort them: append .sort() to the list"))
        return False
