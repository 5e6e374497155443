"""Which paths of its variables an expression reads, from its checked tree.

Every value is followed as a set of places: where in a variable it may come from. A place that is
only passed on is not read; one that a function looks at is read as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook.expression import runtime
from webhook.expression.reads import ANY, Path, Reads, reduced
from webhook.expression.tree import Call, Constant, Entries, Identifier, Items, Loop, Node, Select

# A place, and inside how many list or map literals it is wrapped.
Place = tuple[int, Path]
Places = frozenset[Place]
NOWHERE: Places = frozenset()
MAX_WRAPS = 4
MAX_PATH = 40

_PASSING = frozenset({"orValue", "or", "value", "optional.of", "dyn", "_+_"})


def reads(root: Node) -> Reads:
    """What `root` reads of every variable."""
    tracer = _Tracer()
    tracer.consume(tracer.visit(root, {}))
    return reduced(tracer.whole, tracer.shapes, tracer.present)


class _Tracer:
    def __init__(self) -> None:
        self.whole: set[Path] = set()
        self.shapes: set[Path] = set()
        self.present: set[Path] = set()

    def consume(self, places: Places) -> None:
        self.whole.update(path for _, path in places)

    def visit(self, node: Node, names: Mapping[str, Places]) -> Places:
        match node:
            case Constant():
                return NOWHERE
            case Identifier():
                return self._name(node.name, names)
            case Select():
                found = self._step(self.visit(node.operand, names), node.field)
                return NOWHERE if node.test else found
            case Call():
                return self._call(node, names)
            case Items():
                return self._wrap([self.visit(e, names) for e in node.elements])
            case Entries():
                for key in node.keys:
                    self.consume(self.visit(key, names))
                return self._wrap([self.visit(v, names) for v in node.values])
            case Loop():
                return self._loop(node, names)

    def _name(self, name: str, names: Mapping[str, Places]) -> Places:
        if name in names:
            return names[name]
        name = name.lstrip(".")  # `.object` is the variable even where a macro's hides it
        if name not in runtime.ROOTS:
            return NOWHERE
        self.present.add((name,))
        return frozenset({(0, (name,))})

    def _step(self, places: Places, field: str) -> Places:
        """One field, or one element (`*`), of each place."""
        found = frozenset(
            (wraps - 1, path) if wraps else (0, (*path, field)) for wraps, path in places
        )
        self.present.update(path for _, path in found)
        too_long = frozenset(p for p in found if len(p[1]) > MAX_PATH)
        self.consume(too_long)
        return found - too_long

    def _wrap(self, parts: list[Places]) -> Places:
        inside = frozenset(p for places in parts for p in places)
        deep = frozenset(p for p in inside if p[0] >= MAX_WRAPS)
        self.consume(deep)
        return frozenset((wraps + 1, path) for wraps, path in inside - deep) | deep

    def _call(self, node: Call, names: Mapping[str, Places]) -> Places:
        arguments = [self.visit(a, names) for a in node.arguments]
        function = node.function
        if function in _PASSING:
            return frozenset().union(*arguments)
        if function == "_?_:_":
            self.consume(arguments[0])
            return arguments[1] | arguments[2]
        if function in ("_[_]", "_[?_]", "_?._"):
            return self._index(node.arguments[1], *arguments)
        if function in ("first", "last"):
            return self._step(arguments[0], ANY)
        if function == "@in":
            return self._contains(node.arguments[0], *arguments)
        if function in ("size", "hasValue"):
            self.shapes.update(path for _, path in arguments[0])
            return NOWHERE
        for places in arguments:
            self.consume(places)
        return NOWHERE

    def _index(self, key: Node, of: Places, index: Places) -> Places:
        self.consume(index)
        if isinstance(key, Constant) and isinstance(key.value, str) and key.value != ANY:
            return self._step(of, key.value)
        return self._step(of, ANY)

    def _contains(self, key: Node, element: Places, of: Places) -> Places:
        """`'key' in map` asks for one key; in a list (or a literal) it looks at every element."""
        self.consume(element)
        literal = isinstance(key, Constant) and isinstance(key.value, str) and key.value != ANY
        for wraps, path in of:
            if literal and not wraps and isinstance(key, Constant):
                self.present.add((*path, str(key.value)))
            else:
                self.whole.add(path)
        return NOWHERE

    def _loop(self, node: Loop, names: Mapping[str, Places]) -> Places:
        over = self.visit(node.range, names)
        self.shapes.update(path for _, path in over)
        element = self._step(over, ANY)
        grown = self.visit(node.initial, names)
        while True:  # ends: the places that an expression can name are finite
            inner = {**names, node.variable: element, node.accumulator: grown}
            self.consume(self.visit(node.condition, inner))
            more = grown | self.visit(node.step, inner)
            if more == grown:
                break
            grown = more
        return self.visit(node.result, {**names, node.accumulator: grown})
