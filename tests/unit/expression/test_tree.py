"""The checked syntax tree, read from the runtime's bytes."""

from __future__ import annotations

import pytest

from webhook.errors import ExpressionError
from webhook.expression import runtime, tree
from webhook.expression.tree import Call, Constant, Entries, Identifier, Items, Loop, Node, Select


def parsed(text: str) -> Node:
    return tree.read(runtime.environment(text).compile(text).serialize())


def test_every_kind_of_node_is_read() -> None:
    """With its place, counted in characters."""
    assert Call(4, "_==_", (Constant(0, "é"), Select(13, Identifier(7, "object"), "a", False))) == (
        parsed("'é' == object.a")
    )
    assert Select(3, Identifier(4, "object"), "a", True) == parsed("has(object.a)")
    assert Items(0, (Constant(1, 1), Constant(4, 2.5))) == parsed("[1, 2.5]")
    assert Entries(0, "", (Constant(1, "a"),), (Constant(6, None),)) == parsed("{'a': null}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None), ("true", True), ("false", False), ("0", 0), ("-1", -1),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("18446744073709551615u", 2**64 - 1), ("1.5", 1.5), ("''", ""), ("b'\\xff'", b"\xff"),
    ],
)  # fmt: skip
def test_constants_are_read(text: str, value: object) -> None:
    """Of every type, at its limits."""
    node = parsed(text)
    assert isinstance(node, Constant)
    assert (type(value), value) == (type(node.value), node.value)


def test_macros_are_loops() -> None:
    """With the names that the macro gave."""
    node = parsed("object.exists(x, x == 1)")
    assert isinstance(node, Loop)
    assert ("x", "@result", Constant(13, False)) == (node.variable, node.accumulator, node.initial)
    binding = parsed("cel.bind(y, 1, y)")
    assert isinstance(binding, Loop)
    assert tree.UNUSED == binding.variable


def test_all_nodes_are_walked() -> None:
    """Each once, a parent before its children."""
    names = [
        n.name
        for n in tree.walk(parsed("[object, {request: parameters}][0]"))
        if isinstance(n, Identifier)
    ]
    assert ["object", "request", "parameters"] == names


def test_too_deep_a_tree_is_refused() -> None:
    """Before Python's own recursion ends."""
    length = lambda data: bytes([len(data) & 127 | 128, len(data) >> 7])  # noqa: E731
    node = b"\x22\x08\x0a\x06object"
    for _ in range(400):
        select = b"\x0a" + length(node) + node + b"\x12\x01a"
        node = b"\x2a" + length(select) + select
    checked = b"\x22" + length(node) + node
    with pytest.raises(ExpressionError, match="nested too deeply"):
        tree.read(b"\x12" + length(checked) + checked)
