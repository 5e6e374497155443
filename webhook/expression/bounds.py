"""What an expression may cost.

The runtime holds the interpreter while it evaluates, cannot be interrupted, caps only the number
of iterations, and lets strings and lists grow without limit. So the worst case of every expression
is computed from its checked tree before it is accepted (`Costs`), for inputs of a given size
(`Sizes`), and a review whose input is larger than the size that acceptance assumed is charged
again with its own size before it is evaluated.

A unit is one microsecond of one core, or one kilobyte that stays allocated until the evaluation
ends, in the worst case: an upper bound, usually far from what happens. The constants below are
measured (bench/expressions.py) and rounded up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import tree
from webhook.expression.tree import Call, Constant, Entries, Identifier, Items, Loop, Node, Select

MAX_LENGTH = 4096  # characters; Kubernetes' own expressions rarely exceed 500
MAX_LOOPS = 4  # comprehensions inside each other: containers, env, a list of names, one spare
MAX_ITERATIONS = 10_000  # the runtime's own cap, over one whole evaluation

# 50 ms: the longest that one expression may hold everybody else up.
MAX_EXPRESSION_COST = 50_000
# Half a second: half of the shortest timeout that an API server accepts for a webhook (1 s).
MAX_REVIEW_COST = 500_000

NODE = 32  # bytes that one value weighs beside its text (the runtime's own value is 24)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large an input is. All that expressions read of one review, together."""

    weight: int  # characters, and NODE for every value
    entries: int  # of the longest list or map
    text: int  # characters of the longest string


# What acceptance assumes: ten times what the policies that we have seen read of a pod.
USUAL = Sizes(weight=16 * 1024, entries=64, text=2 * 1024)
# Above this the conversion alone takes too long; three times what an API server takes as a body.
LARGEST = Sizes(weight=8 * 1024 * 1024, entries=300_000, text=4 * 1024 * 1024)


class Meter:
    """Counts an input while it is taken apart."""

    __slots__ = ("entries", "text", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.entries = 0
        self.text = 0

    def copy(self) -> Meter:
        """Another one that goes on counting from here."""
        other = Meter()
        other.weight, other.entries, other.text = self.weight, self.entries, self.text
        return other

    def string(self, value: str) -> None:
        """Counts a string."""
        size = len(value)
        self.weight += size + NODE
        if size > self.text:
            self.text = size

    def map(self, value: Mapping[str, Any]) -> None:
        """Counts a map and its keys, not its values."""
        for key in value:
            self.string(key)
        self.list(value)

    def list(self, value: Any) -> None:
        """Counts a list, not its elements. Raises EvaluationError beyond any bound."""
        size = len(value)
        self.weight += NODE
        if size > self.entries:
            self.entries = size
        if self.weight > LARGEST.weight or size > LARGEST.entries:
            msg = "the pod is too large to be looked at by expressions"
            raise EvaluationError(msg)

    def beyond(self) -> Sizes | None:
        """The size, rounded up to powers of two, when it exceeds the usual one."""
        fits = (
            self.weight <= USUAL.weight
            and self.entries <= USUAL.entries
            and self.text <= USUAL.text
        )
        if fits:
            return None
        return Sizes(_ceiling(self.weight), _ceiling(self.entries), _ceiling(self.text))


def _ceiling(number: int) -> int:
    """The next power of two: few classes, so that costs can be remembered."""
    return 1 << max(0, number - 1).bit_length()


class Costs:
    """The worst case of one expression, by size of its input."""

    __slots__ = ("_known", "_tree", "usual")

    def __init__(self, root: Node) -> None:
        self._tree = root
        self._known: dict[Sizes, int] = {}
        self.usual = estimate(root, USUAL)

    def at(self, sizes: Sizes) -> int:
        """The cost for an input of `sizes`."""
        known = self._known.get(sizes)
        if known is None:
            known = self._known[sizes] = estimate(self._tree, sizes)
        return known


def check(root: Node) -> Costs:
    """The costs of an expression, or ExpressionError when it exceeds a bound."""
    _check_loops(root, 0)
    costs = Costs(root)
    if costs.usual > MAX_EXPRESSION_COST:
        msg = (
            "the expression could take too long: its worst case is "
            f"{costs.usual / MAX_EXPRESSION_COST:.1f} times what is allowed"
        )
        raise ExpressionError(
            msg,
            offset=_dearest(root).offset,
            advice="avoid lists inside lists, repeated joining of text, and map() or filter() "
            "where exists() or all() will do",
        )
    return costs


def _check_loops(node: Node, depth: int) -> None:
    if isinstance(node, Loop) and node.variable != "#unused":
        depth += 1
        if depth > MAX_LOOPS:
            msg = f"more than {MAX_LOOPS} loops inside each other"
            raise ExpressionError(
                msg,
                offset=node.offset,
                advice="split the condition",
            )
    for child in tree.children(node):
        _check_loops(child, depth)


def _dearest(root: Node) -> Node:
    """The deepest part that already exceeds the bound by itself."""
    for child in tree.children(root):
        if estimate(child, USUAL) > MAX_EXPRESSION_COST:
            return _dearest(child)
    return root


@dataclass(frozen=True, slots=True)
class Size:
    """An upper bound of a value: its weight, entries of any list in it, its longest string.

    `total` bounds the sum of the weights over all evaluations in the current loop.
    """

    weight: float
    entries: float
    text: float
    total: float


@dataclass(frozen=True, slots=True)
class Loops:
    """Where an evaluation stands: `count` bounds how often, `level` says in which loop."""

    count: float
    level: int
    names: Mapping[str, tuple[int, Size]]


SMALL = Size(NODE, 0, 32, NODE)


def estimate(root: Node, sizes: Sizes) -> int:
    """The worst case of `root` in units, for an input of `sizes`."""
    whole = Size(sizes.weight, sizes.entries, sizes.text, sizes.weight)
    names = dict.fromkeys(("object", "request", "namespaceObject", "parameters"), (0, whole))
    estimator = _Estimator(sizes)
    estimator.visit(root, Loops(1, 0, names))
    return int(min(estimator.nanoseconds / 1000, 10**15)) + 1


# Nanoseconds.
STEP = 80  # one node of the tree
SCAN = 2.0  # one byte looked at: comparing, lower case, splitting
FRESH = 2.0  # one byte allocated, and so 1 ms a megabyte more than it takes
APPEND = 90  # one element copied: the runtime copies the list for each element that map() adds
SEARCH = 0.02  # one byte of one string against one of another (contains, indexOf, replace, split)
MATCH = 8  # one byte against one instruction of a regular expression, without its automaton
COMPILE = 1000  # one instruction of a regular expression


class _Estimator:
    """Walks a tree once and adds up."""

    def __init__(self, sizes: Sizes) -> None:
        self.nanoseconds = 0.0
        self._sizes = sizes

    def visit(self, node: Node, loops: Loops) -> Size:
        self.nanoseconds += STEP * loops.count
        match node:
            case Constant():
                return self._constant(node.value, loops)
            case Identifier():
                return self._name(node.name, loops)
            case Select():
                operand = self.visit(node.operand, loops)
                return _times(SMALL, loops) if node.test else operand
            case Call():
                return self._call(node, loops)
            case Items():
                return self._gather(node.elements, loops)
            case Entries():
                if node.message:
                    what = f"{node.message} cannot be built here"
                    raise ExpressionError(what, offset=node.offset, advice="use a map")
                return self._gather(node.keys + node.values, loops)
            case Loop():
                return self._loop(node, loops)

    def _constant(self, value: object, loops: Loops) -> Size:
        length = len(value) if isinstance(value, str | bytes) else 0
        weight = NODE + length
        return Size(weight, 0, max(32, length), weight * loops.count)

    def _name(self, name: str, loops: Loops) -> Size:
        level, size = loops.names.get(
            name.lstrip("."), (loops.level, SMALL)
        )  # else the name of a type
        if level == loops.level:
            return size
        return replace(size, total=size.weight * loops.count)

    def _gather(self, parts: tuple[Node, ...], loops: Loops) -> Size:
        sizes = [self.visit(part, loops) for part in parts]
        self._allocate(NODE * (len(parts) + 1) * loops.count)
        return Size(
            NODE + sum(s.weight for s in sizes),
            max([len(parts), *(s.entries for s in sizes)]),
            max([0, *(s.text for s in sizes)]),
            NODE * loops.count + sum(s.total for s in sizes),
        )

    def _allocate(self, size: float) -> None:
        self.nanoseconds += FRESH * size

    def _loop(self, node: Loop, loops: Loops) -> Size:
        over = self.visit(node.range, loops)
        initial = self.visit(node.initial, loops)
        entries = min(MAX_ITERATIONS, over.entries)
        if isinstance(node.range, Items):
            entries = len(node.range.elements)
        count = min(MAX_ITERATIONS, loops.count * entries, over.total / NODE)
        level = loops.level + 1
        element = Size(over.weight, over.entries, over.text, over.total)
        nothing = Size(0, 0, 0, 0)
        names = {**loops.names, node.variable: (level, element), node.accumulator: (level, nothing)}
        inner = Loops(count, level, names)
        self.visit(node.condition, inner)
        piece = self.visit(node.step, inner)
        if isinstance(node.initial, Items):  # map() and filter() copy what they have so far
            self.nanoseconds += count * entries / 2 * (APPEND + FRESH * NODE)
        total = piece.total + initial.total
        grown = Size(
            min(initial.weight + piece.weight * entries, total),
            max(initial.entries + entries if entries else 0, initial.entries, piece.entries),
            max(initial.text, piece.text),
            total,
        )
        names = {**loops.names, node.accumulator: (loops.level, grown)}
        return self.visit(node.result, Loops(loops.count, loops.level, names))

    def _call(self, node: Call, loops: Loops) -> Size:
        arguments = [self.visit(a, loops) for a in node.arguments]
        rule = _RULES.get(node.function)
        if rule is None:
            msg = f"{node.function}() is not available"
            raise ExpressionError(msg, offset=node.offset)
        size, nanoseconds = rule(node, arguments, loops)
        self.nanoseconds += nanoseconds
        return size


Priced = tuple[Size, float]
Rule = Callable[[Call, list[Size], Loops], Priced]


def _times(size: Size, loops: Loops) -> Size:
    return replace(size, total=size.weight * loops.count)


def _text(size: Size, loops: Loops) -> tuple[float, float]:
    """Bytes of a value that is used as a string: once, and over all evaluations."""
    once = min(size.weight, size.text + NODE)
    return once, min(size.total, once * loops.count)


def _scan(_node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """Looks at every byte of its arguments, gives something small."""
    return _times(SMALL, loops), SCAN * sum(a.total for a in arguments)


def _compare(_node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """Looks at no more than the smaller of two values."""
    return _times(SMALL, loops), SCAN * min(a.total for a in arguments)


def _begins(_node: Call, arguments: list[Size], loops: Loops) -> Priced:
    return _times(SMALL, loops), SCAN * min(_text(a, loops)[1] for a in arguments)


def _free(_node: Call, _arguments: list[Size], loops: Loops) -> Priced:
    return _times(SMALL, loops), 0


def _either(_node: Call, arguments: list[Size], _loops: Loops) -> Priced:
    """Gives one of its arguments (conditional, orValue, indexing) without looking inside."""
    return _largest(arguments), 0


def _largest(sizes: list[Size]) -> Size:
    return Size(
        max(s.weight for s in sizes),
        max(s.entries for s in sizes),
        max(s.text for s in sizes),
        sum(s.total for s in sizes),
    )


def _join(_node: Call, arguments: list[Size], _loops: Loops) -> Priced:
    """`+`: a new string or list as large as both."""
    size = Size(
        sum(a.weight for a in arguments),
        sum(a.entries for a in arguments),
        sum(a.text for a in arguments),
        sum(a.total for a in arguments),
    )
    return size, (SCAN + FRESH) * size.total


def _copy(factor: float) -> Rule:
    """A new string, at most `factor` times as large as all arguments."""

    def rule(_node: Call, arguments: list[Size], loops: Loops) -> Priced:
        texts = [_text(a, loops) for a in arguments]
        once, total = (sum(t[i] for t in texts) * factor for i in (0, 1))
        return Size(NODE + once, 0, once, NODE * loops.count + total), (SCAN + FRESH) * total

    return rule


def _search(_node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """Looks for one string in another, byte by byte at every place."""
    (_, total), (needle, needles) = (_text(a, loops) for a in arguments[:2])
    return _times(SMALL, loops), SCAN * (total + needles) + SEARCH * total * needle


def _replace(node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """Every character may become the whole replacement."""
    _, searching = _search(node, arguments, loops)
    (once, total), (new, _) = _text(arguments[0], loops), _text(arguments[2], loops)
    size = Size(NODE + once * (new + 1) + new, 0, once * (new + 1) + new, total * (new + 2))
    return size, searching + (SCAN + FRESH) * size.total


def _split(node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """Every character may become a string of its own."""
    _, searching = _search(node, arguments, loops)
    once, total = _text(arguments[0], loops)
    grown = NODE + 1
    size = Size(once * grown, once, once, total * grown)
    return size, searching + (SCAN + FRESH) * size.total


def _joined(_node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """`join`: all the parts and a separator between each two."""
    parts = arguments[0]
    separator = _text(arguments[1], loops)[0] if len(arguments) > 1 else 0
    once = parts.weight + parts.entries * separator
    total = min(parts.total * (1 + separator / NODE), once * loops.count)
    return Size(NODE + once, 0, once, NODE * loops.count + total), (SCAN + FRESH) * total


def _format(node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """Each argument once, numbers with at most 1,000 digits (the runtime's bound)."""
    _literal(node, 0, "the text of format()")
    _, values = arguments
    once = arguments[0].weight + values.weight + 1350 * (1 + arguments[0].text / 2)
    total = once * loops.count
    return Size(NODE + once, 0, once, total), (10 * SCAN + FRESH) * total


def _match(node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """RE2: linear in the text, times the size of the pattern."""
    pattern = _literal(node, 1, "the pattern of matches()")
    instructions = _instructions(pattern, node.arguments[1].offset)
    _, total = _text(arguments[0], loops)
    return _times(SMALL, loops), instructions * (MATCH * total + COMPILE * loops.count)


def _literal(node: Call, index: int, what: str) -> str:
    """The text of an argument that must be written out; ExpressionError when it is not."""
    argument = node.arguments[index]
    if isinstance(argument, Constant) and isinstance(argument.value, str):
        return argument.value
    msg = f"{what} must be written out as a string"
    raise ExpressionError(
        msg,
        offset=argument.offset,
        advice="a computed one could take unbounded time",
    )


def _instructions(pattern: str, offset: int) -> int:
    """The length of a regular expression's program, by the library that runs it."""
    import re2  # 15 ms, only where a pattern is used

    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options=options).programsize)
    except re2.error as problem:
        msg = f"the pattern is no regular expression: {_said(problem)}"
        raise ExpressionError(
            msg,
            offset=offset,
            advice="see the syntax of RE2; write a backslash as \\\\ or use r'…'",
        ) from problem


def _said(problem: Exception) -> str:
    said = problem.args[0] if problem.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _zone(node: Call, arguments: list[Size], loops: Loops) -> Priced:
    """A time zone is a file that the runtime opens: its name must be written out."""
    if len(node.arguments) > 1:
        _literal(node, 1, "the time zone")
    return _scan(node, arguments, loops)


_MATH = (
    "@max @min abs bitAnd bitNot bitOr bitShiftLeft bitShiftRight bitXor ceil floor isFinite "
    "isInf isNaN round sign sqrt trunc"
)
_RULES: dict[str, Rule] = {
    **dict.fromkeys(("_?_:_", "orValue", "or", "value", "optional.of", "dyn"), _either),
    **dict.fromkeys(("_[_]", "_[?_]", "_?._"), _either),
    **dict.fromkeys(("optional.ofNonZeroValue",), _either),
    **dict.fromkeys(("_&&_", "_||_", "!_", "@not_strictly_false", "hasValue", "type"), _free),
    **dict.fromkeys(("optional.none", "-_"), _free),
    "_+_": _join,
    **dict.fromkeys(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"), _compare),
    **dict.fromkeys(("startsWith", "endsWith"), _begins),
    **dict.fromkeys(("_-_", "_*_", "_/_", "_%_", "@in", "size", "bool"), _scan),
    **dict.fromkeys(("first", "last"), _either),
    **dict.fromkeys([f"math.{n}" for n in _MATH.split()], _scan),
    **dict.fromkeys(("int", "uint", "double", "duration", "timestamp"), _scan),
    **dict.fromkeys(("contains", "indexOf", "lastIndexOf"), _search),
    **dict.fromkeys(
        ("lowerAscii", "upperAscii", "trim", "substring", "charAt", "reverse"), _copy(1)
    ),
    **dict.fromkeys(("string", "bytes", "base64.encode", "base64.decode"), _copy(2)),
    "strings.quote": _copy(8),
    "replace": _replace,
    "split": _split,
    "join": _joined,
    "format": _format,
    "matches": _match,
    **dict.fromkeys(
        (
            "getFullYear",
            "getMonth",
            "getDate",
            "getDayOfMonth",
            "getDayOfWeek",
            "getDayOfYear",
            "getHours",
            "getMinutes",
            "getSeconds",
            "getMilliseconds",
        ),
        _zone,
    ),
}
