"""The values of YAML nodes, and what JSON or Kubernetes would not take of them."""

from __future__ import annotations

import math
from typing import cast

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from webhook.document import nodes, scalar
from webhook.document.problem import Problem, Severity
from webhook.document.problem import field as path_text

# A pod nests a dozen levels, the schema of a CRD some forty; CEL and JSON decoders stop at 1,000.
MAX_DEPTH = 100
# Values that stand in the text are bounded by its size, those that aliases repeat are not. The API
# server takes 3 MiB of an object, at some 30 bytes a value.
MAX_REPEATED = 100_000

_MAX_SHOWN = 20  # parts of a path in a message; more say nothing and fill the screen

_TAG = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}


class Builder:
    """Makes the value of one document, and notes what JSON or Kubernetes would not take."""

    def __init__(self, file: str, line: int) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._line = line
        self._path: list[str | int] = []
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._repeated = 0

    def value(self, node: Node, depth: int) -> object:
        """The value of `node`, which stands `depth` levels below the root."""
        if type(node) is ScalarNode:
            tag = node.tag
            if tag is nodes.TEXT:
                return node.value
            return self._plain(node) if tag is nodes.PLAIN else self._tagged(node)
        return self._collection(cast("CollectionNode", node), depth)

    def _plain(self, node: ScalarNode) -> object:
        value = scalar.resolve(node.value)
        if isinstance(value, float) and not math.isfinite(value):
            self._wrong(node, f"`{node.value}` is a number that JSON does not have", "quote it")
            return None
        return value

    def _tagged(self, node: ScalarNode) -> object:
        name = node.tag.removeprefix(_TAG)
        if name == "str":
            return node.value
        value = scalar.resolve(node.value) if name in _TYPES else None
        if name not in _TYPES or (isinstance(value, bool) and name != "bool"):
            self._tag(node)
        elif not isinstance(value, _TYPES[name]):
            self._wrong(node, f"`{node.value}` is no {name}", "correct the value or drop the tag")
        else:
            return value
        return None

    def _collection(self, node: CollectionNode, depth: int) -> object:
        if self._refused(node, depth):
            return None
        if node.tag not in (nodes.MAP, nodes.LIST, f"{_TAG}map", f"{_TAG}seq"):
            self._tag(node)
        self._open.add(id(node))
        value: object = (
            self._mapping(node, depth + 1)
            if isinstance(node, MappingNode)
            else self._sequence(node, depth + 1)
        )
        self._open.discard(id(node))
        return value

    def _refused(self, node: CollectionNode, depth: int) -> bool:
        if id(node) in self._open:
            self._wrong(node, "an alias inside of what it repeats", "write the value out")
            return True
        if id(node) in self._seen:
            self._repeated += 1 + len(node.value)
            if self._repeated > MAX_REPEATED:
                if self._repeated <= MAX_REPEATED + 1 + len(node.value):
                    what = f"aliases repeat more than {MAX_REPEATED:,} values"
                    self._wrong(node, what, "write the values out where they are needed")
                return True
        self._seen.add(id(node))
        if depth == MAX_DEPTH:
            self._wrong(node, f"nested more than {MAX_DEPTH} levels deep", "write it flatter")
        return depth >= MAX_DEPTH

    def _sequence(self, node: CollectionNode, depth: int) -> list[object]:
        values = []
        for index, child in enumerate(node.value):
            self._path.append(index)
            values.append(self.value(child, depth))
            self._path.pop()
        return values

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        merged: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if nodes.is_merge(key_node):
                merged = self._merge(value_node, depth) | merged
                continue
            key = self._key(key_node)
            if key is None:
                continue
            self._path.append(key)
            if key in lines:
                first = f"line {lines[key]}"
                self._wrong(key_node, f"set twice, first on {first}", "remove one of the two")
            else:
                lines[key] = self._line + key_node.start_mark.line + 1
                result[key] = self.value(value_node, depth)
            self._path.pop()
        for key, value in merged.items():
            result.setdefault(key, value)
        return result

    def _merge(self, node: Node, depth: int) -> dict[str, object]:
        """YAML 1.1's `<<`: a mapping, or several of which the earlier wins; kubectl takes it."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        result: dict[str, object] = {}
        for source in sources:
            if not isinstance(source, MappingNode):
                self._wrong(source, "`<<` takes mappings only", "quote it if it is a key")
                continue
            value = self._collection(source, depth)
            result = cast("dict[str, object]", value or {}) | result
        return result

    def _key(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            self._wrong(node, "a key must be a text", "write `key: value`")
            return None
        value = self.value(node, 0)
        if isinstance(value, str):
            return value
        if isinstance(value, int):  # bool is one too
            text = str(value).lower()
            what = f'the key `{node.value}` is no text; it is read as "{text}"'
            self._wrong(node, what, "quote it", "warning")
            return text
        self._wrong(node, f"the key `{node.value}` is no text", "quote it")
        return None

    def _tag(self, node: Node) -> None:
        tag = node.tag.replace(_TAG, "!!")
        self._wrong(node, f"the tag `{tag}` has no meaning in Kubernetes", "drop it")

    def _wrong(self, node: Node, what: str, advice: str, severity: Severity = "error") -> None:
        mark = node.start_mark
        place = (self._line + mark.line + 1, mark.column + 1)
        name = path_text(tuple(self._path[:_MAX_SHOWN]))
        self.problems.append(Problem(self._file, *place, name, what, advice, severity))
