"""The checked syntax tree of an expression, read from the runtime's own serialized form.

The runtime gives a `cel.expr.CheckedExpr` protobuf (github.com/google/cel-spec,
proto/cel/expr/checked.proto and syntax.proto). Only the few fields needed are read, by the wire
format itself, so that no protobuf package has to be installed or imported.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from webhook.errors import ExpressionError

# The runtime's parser refuses 32 levels; macros multiply that by a few. Python's own recursion
# limit (1,000 frames, some already used by the caller) must never be what stops us.
MAX_DEPTH = 150


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal. `value` is None, bool, int, float, str or bytes."""

    offset: int
    value: object


@dataclass(frozen=True, slots=True)
class Identifier:
    """A variable, ours or a macro's (`@result`)."""

    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)` when `test`."""

    offset: int
    operand: Node
    field: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator; a method's receiver is the first of `arguments`."""

    offset: int
    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list literal."""

    offset: int
    elements: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """A map literal; a message literal when it has a name (`google.protobuf.Duration{…}`)."""

    offset: int
    message: str
    keys: tuple[Node, ...]
    values: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """A comprehension: what every macro (`exists`, `map`, `cel.bind`, …) becomes.

    `variable` walks over `range`; `accumulator` starts as `initial`, becomes `step` each time
    while `condition` holds; `result` is the value.
    """

    offset: int
    variable: str
    range: Node
    accumulator: str
    initial: Node
    condition: Node
    step: Node
    result: Node


UNUSED = "#unused"  # the variable of a loop that only binds a name (`cel.bind`)
ROOTS = ("object", "request", "namespaceObject", "parameters")  # the variables there are

Node = Constant | Identifier | Select | Call | Items | Entries | Loop
Field = tuple[int, int | bytes]


def read(serialized: bytes) -> Node:
    """The tree of `Expression.serialize()`. Raises ExpressionError when it is too deep."""
    checked = _last(serialized, 2)
    return _Reader(_positions(_last(checked, 5))).node(_last(checked, 4), 0)


def children(node: Node) -> tuple[Node, ...]:
    """What stands directly below `node`, in the order of evaluation."""
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return node.arguments
        case Items():
            return node.elements
        case Entries():
            return node.keys + node.values
        case Loop():
            return (node.range, node.initial, node.condition, node.step, node.result)
        case _:
            return ()


def named_at(node: Select | Call) -> int:
    """Where the field's name stands that `a.b`, `has(a.b)`, `a.?b` or `a[b]` reads.

    The runtime places the first at its dot, the second at the macro, the third at its dot.
    """
    if isinstance(node, Call):
        return node.offset + 2 if node.function == "_?._" else node.arguments[1].offset
    operand = node.operand
    if not node.test:
        return node.offset + 1
    if isinstance(operand, Select):
        return operand.offset + len(operand.field) + 2
    return (
        operand.offset + len(operand.name) + 1 if isinstance(operand, Identifier) else node.offset
    )


def walk(node: Node) -> list[Node]:
    """`node` and everything below it."""
    found: list[Node] = [node]
    for each in found:  # grows while it is walked over
        found.extend(children(each))
    return found


def fields(data: bytes) -> list[Field]:
    """The fields of one protobuf message: (number, integer or bytes)."""
    found: list[Field] = []
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(data, at)
            found.append((tag >> 3, number))
            continue
        if kind == 2:
            size, at = _varint(data, at)
        else:
            size = 8 if kind == 1 else 4
        found.append((tag >> 3, data[at : at + size]))
        at += size
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    result, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        result |= (byte & 127) << shift
        if byte < 128:
            return result, at + 1
        shift += 7


def _last(data: bytes, number: int) -> bytes:
    """The last value of a message field, as protobuf means it; empty when it is absent."""
    found = b""
    for key, value in fields(data):
        if key == number and isinstance(value, bytes):
            found = value
    return found


def _positions(source: bytes) -> dict[int, int]:
    """Node id to 0-based character, from `SourceInfo.positions`."""
    pairs = [dict(fields(v)) for k, v in fields(source) if k == 4 and isinstance(v, bytes)]
    return {int(pair.get(1, 0)): int(pair.get(2, 0)) for pair in pairs}


class _Message:
    """One decoded message: single fields by number, and the repeated ones."""

    __slots__ = ("all",)

    def __init__(self, data: bytes) -> None:
        self.all = fields(data)

    def data(self, number: int) -> bytes:
        for key, value in self.all:
            if key == number and isinstance(value, bytes):
                return value
        return b""

    def text(self, number: int) -> str:
        return self.data(number).decode()

    def number(self, number: int) -> int:
        for key, value in self.all:
            if key == number and isinstance(value, int):
                return value
        return 0

    def many(self, number: int) -> list[bytes]:
        return [v for k, v in self.all if k == number and isinstance(v, bytes)]


class _Reader:
    """Turns `Expr` messages into nodes."""

    def __init__(self, positions: dict[int, int]) -> None:
        self._positions = positions

    def node(self, data: bytes, depth: int) -> Node:
        if depth > MAX_DEPTH:
            what = "the expression is nested too deeply"
            raise ExpressionError(what, advice="split it into several conditions")
        identity, kind, body = 0, 0, b""
        for number, value in fields(data):
            if isinstance(value, int):
                identity = value
            else:
                kind, body = number, value
        offset = self._positions.get(identity, 0)
        build = _KINDS.get(kind)
        return build(self, offset, body, depth + 1) if build else Constant(offset, None)

    def constant(self, offset: int, body: bytes, _depth: int) -> Node:
        return Constant(offset, _constant(body))

    def identifier(self, offset: int, body: bytes, _depth: int) -> Node:
        return Identifier(offset, _Message(body).text(1))

    def select(self, offset: int, body: bytes, depth: int) -> Node:
        message = _Message(body)
        operand = self.node(message.data(1), depth)
        return Select(offset, operand, message.text(2), bool(message.number(3)))

    def call(self, offset: int, body: bytes, depth: int) -> Node:
        message = _Message(body)
        arguments = [*message.many(1), *message.many(3)]
        return Call(offset, message.text(2), tuple(self.node(a, depth) for a in arguments))

    def items(self, offset: int, body: bytes, depth: int) -> Node:
        return Items(offset, tuple(self.node(e, depth) for e in _Message(body).many(1)))

    def entries(self, offset: int, body: bytes, depth: int) -> Node:
        message = _Message(body)
        entries = [_Message(e) for e in message.many(2)]
        keys = tuple(self.node(e.data(3), depth) for e in entries if e.data(3))
        values = tuple(self.node(e.data(4), depth) for e in entries)
        return Entries(offset, message.text(1), keys, values)

    def loop(self, offset: int, body: bytes, depth: int) -> Node:
        message = _Message(body)
        range_, initial, condition, step, result = (
            self.node(message.data(n), depth) for n in (2, 4, 5, 6, 7)
        )
        return Loop(
            offset, message.text(1), range_, message.text(3), initial, condition, step, result
        )


_KINDS = {
    3: _Reader.constant,
    4: _Reader.identifier,
    5: _Reader.select,
    6: _Reader.call,
    7: _Reader.items,
    8: _Reader.entries,
    9: _Reader.loop,
}


def _constant(body: bytes) -> object:
    for number, value in fields(body):
        if isinstance(value, bytes):
            return _wide(number, value)
        if number == 2:
            return bool(value)
        if number in (3, 4):
            return value - (1 << 64) if number == 3 and value >> 63 else value
    return None


def _wide(number: int, value: bytes) -> object:
    if number == 5:
        return struct.unpack("<d", value)[0]
    return value.decode() if number == 6 else value
