"""YAML's nodes: how they are made, and how one finds its way in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from webhook.document import scalar

# The tags of nodes without one of their own: how a scalar was written, not what it means.
PLAIN, TEXT, LIST, MAP = "plain", "text", "list", "map"


class Parser(CParser):
    """libyaml's parser; its nodes say how a value was written instead of guessing a type."""

    def resolve(self, kind: type[Node], _value: object, implicit: object) -> str:
        """The tag of a node that was written without one."""
        if kind is ScalarNode:
            return PLAIN if cast("tuple[bool, bool]", implicit)[0] else TEXT
        return MAP if kind is MappingNode else LIST

    def descend_resolver(self, _node: object, _index: object) -> None:
        """Types do not depend on the place."""

    def ascend_resolver(self) -> None:
        """Types do not depend on the place."""


def compose(text: str) -> Iterator[Node]:
    """The root of each document, one after another. Raises YAMLError at the first fault."""
    parser = Parser(text)
    while parser.check_node():
        yield cast("Node", parser.get_node())


def is_merge(node: Node) -> bool:
    """Whether a key is YAML 1.1's `<<`."""
    return node.value == "<<" and node.tag is PLAIN


def is_elsewhere(key: Node, value: Node) -> bool:
    """Whether a value says less about where it is than its key: a block below, or nothing."""
    if isinstance(value, ScalarNode):
        return not value.value and value.tag is PLAIN
    return key.start_mark.line != value.start_mark.line


def entry(node: Node, part: str | int) -> tuple[Node | None, Node] | None:
    """Key and value of `part` in a collection."""
    if isinstance(node, SequenceNode) and isinstance(part, int):
        return (None, node.value[part]) if 0 <= part < len(node.value) else None
    if isinstance(node, MappingNode) and isinstance(part, str):
        return next((pair for pair in _entries(node) if _spelt(pair[0]) == part), None)
    return None


def _entries(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    """A mapping's own entries, then those that it merges; each mapping once, so that it ends."""
    waiting, seen = [node], {id(node)}
    for mapping in waiting:
        for key, value in mapping.value:
            if not is_merge(key):
                yield key, value
                continue
            for source in value.value if isinstance(value, SequenceNode) else [value]:
                if isinstance(source, MappingNode) and id(source) not in seen:
                    seen.add(id(source))
                    waiting.append(source)


def _spelt(key: Node) -> str | None:
    if not isinstance(key, ScalarNode):
        return None
    value = scalar.resolve(key.value) if key.tag is PLAIN else key.value
    return value if isinstance(value, str) else str(value).lower()
