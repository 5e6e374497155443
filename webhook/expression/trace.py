"""Which paths of its variables an expression reads, from its checked tree.

Every value is followed as a set of places: where in a variable it may come from. A place that is
only passed on is not read; one that a function looks at is read with everything below it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.expression import fields
from webhook.expression.reads import ANY, Path, Reads, reduced
from webhook.expression.tree import (
    ROOTS,
    Call,
    Constant,
    Entries,
    Identifier,
    Items,
    Loop,
    Node,
    Select,
    named_at,
)

# A path, and inside how many list or map literals it is wrapped.
Place = tuple[int, Path]
Places = frozenset[Place]
Names = Mapping[str, Places]

NOWHERE: Places = frozenset()
MAX_WRAPS = 4
MAX_PATH = 40

# What gives its arguments, or a list or text made of them, without looking at them.
_PASSING = frozenset({"orValue", "or", "value", "optional.of", "dyn", "_+_"})


@dataclass(frozen=True, slots=True)
class Traced:
    """What an expression reads; where each path is first named; which loops walk over a map."""

    reads: Reads
    offsets: Mapping[Path, int]
    over_maps: Collection[int]  # `id` of the nodes


def trace(root: Node) -> Traced:
    """Follows every value of `root`."""
    tracer = _Tracer()
    tracer.consume(tracer.visit(root, {}))
    reads = reduced(tracer.whole, tracer.shapes, tracer.present)
    return Traced(reads, tracer.offsets, tracer.over_maps)


class _Tracer:
    """Collects while it walks."""

    def __init__(self) -> None:
        self.whole: set[Path] = set()
        self.shapes: set[Path] = set()
        self.present: set[Path] = set()
        self.offsets: dict[Path, int] = {}
        self.over_maps: set[int] = set()

    def consume(self, places: Places) -> None:
        self.whole.update(path for _, path in places)

    def visit(self, node: Node, names: Names) -> Places:
        return _VISITS[type(node)](self, node, names)

    def constant(self, _node: Constant, _names: Names) -> Places:
        return NOWHERE

    def identifier(self, node: Identifier, names: Names) -> Places:
        if node.name in names:
            return names[node.name]
        name = node.name.lstrip(".")  # `.object` is the variable even where a macro's hides it
        if name not in ROOTS:
            return NOWHERE
        self.present.add((name,))
        return frozenset({(0, (name,))})

    def select(self, node: Select, names: Names) -> Places:
        places = self._step(self.visit(node.operand, names), node.field, named_at(node))
        return NOWHERE if node.test else places

    def items(self, node: Items, names: Names) -> Places:
        return self._wrap([self.visit(element, names) for element in node.elements])

    def entries(self, node: Entries, names: Names) -> Places:
        for key in node.keys:
            self.consume(self.visit(key, names))
        return self._wrap([self.visit(value, names) for value in node.values])

    def call(self, node: Call, names: Names) -> Places:
        arguments = [self.visit(argument, names) for argument in node.arguments]
        special = _SPECIAL.get(node.function)
        if special is not None:
            return special(self, node, arguments)
        for places in arguments:
            self.consume(places)
        return NOWHERE

    def loop(self, node: Loop, names: Names) -> Places:
        over = self.visit(node.range, names)
        self._measure(over)
        # A loop over a map gives its keys, which `shapes` already holds.
        lists = frozenset(p for p in over if p[0] or not fields.is_map(p[1]))
        if lists != over:
            self.over_maps.add(id(node))
        element = self._step(lists, ANY, node.offset)
        grown = self.visit(node.initial, names)
        while True:  # ends: an expression can name only so many places
            inner = {**names, node.variable: element, node.accumulator: grown}
            self.consume(self.visit(node.condition, inner))
            more = grown | self.visit(node.step, inner)
            if more == grown:
                return self.visit(node.result, {**names, node.accumulator: grown})
            grown = more

    def passing(self, _node: Call, arguments: list[Places]) -> Places:
        return frozenset().union(*arguments)

    def choose(self, _node: Call, arguments: list[Places]) -> Places:
        self.consume(arguments[0])
        return arguments[1] | arguments[2]

    def index(self, node: Call, arguments: list[Places]) -> Places:
        of, index = arguments
        self.consume(index)
        key = node.arguments[1]
        if isinstance(key, Constant) and isinstance(key.value, str) and key.value != ANY:
            return self._step(of, key.value, named_at(node))
        return self._step(of, ANY, key.offset)

    def end(self, node: Call, arguments: list[Places]) -> Places:
        self._measure(arguments[0])
        return self._step(arguments[0], ANY, node.offset)

    def contains(self, node: Call, arguments: list[Places]) -> Places:
        """`'key' in map` asks for one key; in a list it looks at every element."""
        element, of = arguments
        self.consume(element)
        key = node.arguments[0]
        for wraps, path in of:
            if (
                isinstance(key, Constant)
                and isinstance(key.value, str)
                and key.value != ANY
                and not wraps
            ):
                self.present.add((*path, key.value))
            else:
                self.whole.add(path)
        return NOWHERE

    def size(self, _node: Call, arguments: list[Places]) -> Places:
        self._measure(arguments[0])
        return NOWHERE

    def nothing(self, _node: Call, _arguments: list[Places]) -> Places:
        return NOWHERE

    def _measure(self, places: Places) -> None:
        """Only keys and length; those of a literal are known without its elements."""
        self.shapes.update(path for wraps, path in places if not wraps)

    def _step(self, places: Places, field: str, offset: int) -> Places:
        """One field, or one element (`*`), of each place."""
        found = frozenset(
            (wraps - 1, path) if wraps else (0, (*path, field)) for wraps, path in places
        )
        for _, path in found:
            self.present.add(path)
            self.offsets.setdefault(path, offset)
        too_long = frozenset(p for p in found if len(p[1]) > MAX_PATH)
        self.consume(too_long)
        return found - too_long

    def _wrap(self, parts: list[Places]) -> Places:
        inside = frozenset(p for places in parts for p in places)
        deep = frozenset(p for p in inside if p[0] >= MAX_WRAPS)
        self.consume(deep)
        return frozenset((wraps + 1, path) for wraps, path in inside - deep) | deep


_VISITS: dict[type[Any], Callable[[_Tracer, Any, Names], Places]] = {
    Constant: _Tracer.constant,
    Identifier: _Tracer.identifier,
    Select: _Tracer.select,
    Call: _Tracer.call,
    Items: _Tracer.items,
    Entries: _Tracer.entries,
    Loop: _Tracer.loop,
}
_SPECIAL: dict[str, Callable[[_Tracer, Call, list[Places]], Places]] = {
    **dict.fromkeys(_PASSING, _Tracer.passing),
    "_?_:_": _Tracer.choose,
    **dict.fromkeys(("_[_]", "_[?_]", "_?._"), _Tracer.index),
    **dict.fromkeys(("first", "last"), _Tracer.end),
    "@in": _Tracer.contains,
    "size": _Tracer.size,
    "hasValue": _Tracer.nothing,
}
