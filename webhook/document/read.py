"""YAML text into plain JSON values that know where they stand."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from yaml._yaml import CParser
from yaml.error import YAMLError
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from webhook.document import place, scalar, syntax
from webhook.document.place import Mark
from webhook.document.problem import Finding, Path, Problem, Severity
from webhook.document.problem import field as path_text

# A pod nests a dozen levels, the schema of a CRD some forty; CEL and JSON decoders stop at 1,000.
MAX_DEPTH = 200
# Values that stand in the text are bounded by its size, those that aliases repeat are not. The API
# server takes 3 MiB of an object, at some 30 bytes a value.
MAX_REPEATED = 100_000

_MAX_SHOWN = 20  # parts of a path in a message; more say nothing and fill the screen

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_BLANK = re.compile(r"(?:\s+|^[#%].*$)*", re.MULTILINE)  # what may stand before a document
_PLAIN, _TEXT, _LIST, _MAP = "plain", "text", "list", "map"
_TAG = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: plain JSON values in the order written, and their places."""

    file: str
    value: object
    _root: Node = field(repr=False)
    _text: str = field(repr=False)
    _line: int = field(repr=False)  # where the text starts in the file, from 0

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """The place of the value at `path`, or of its key; of the nearest parent if there is none.

        A value that starts on a line below its key, and one that is left empty, stands where its
        key stands.
        """
        key_node, node, _ = self._find(path)
        start = node.start_mark
        if key_node is not None and (key or _is_elsewhere(key_node, node)):
            start = key_node.start_mark
        return Mark(self._line + start.line + 1, start.column + 1)

    def problem(self, finding: Finding) -> Problem:
        """`finding`, whose path starts at this document's root, as a problem of this file."""
        mark = self.mark(finding.path)
        _, node, found = self._find(finding.path)
        if finding.offset and found and isinstance(node, ScalarNode):
            inside = place.of_character(self._text, node, finding.offset)
            if inside is not None:
                mark = Mark(self._line + inside[0] + 1, inside[1] + 1)
        name = path_text(finding.path)
        severity, advice = finding.severity, finding.advice
        return Problem(self.file, mark.line, mark.column, name, finding.what, advice, severity)

    def _find(self, path: Path) -> tuple[Node | None, Node, bool]:
        """The key (if any) and the node at `path` or its nearest parent; whether `path` exists."""
        key: Node | None = None
        node = self._root
        for part in path:
            entry = _entry(node, part)
            if entry is None:
                return key, node, False
            key, node = entry
        return key, node, True


def read(text: str, *, file: str) -> tuple[list[Document], list[Problem]]:
    """All documents of `text`, and everything that is wrong with it as YAML.

    Documents that cannot be read are left out and the ones after them are read all the same; empty
    ones are skipped. What comes out are JSON values as kubectl would send them (see `scalar`).
    """
    reader = _Reader(file, text.removeprefix("\ufeff"))
    reader.run()
    return reader.documents, sorted(reader.problems)


class _Parser(CParser):
    """libyaml's parser; its nodes say how a value was written instead of guessing a type."""

    def resolve(self, kind: type[Node], _value: object, implicit: object) -> str:
        if kind is ScalarNode:
            return _PLAIN if cast("tuple[bool, bool]", implicit)[0] else _TEXT
        return _MAP if kind is MappingNode else _LIST

    def descend_resolver(self, _node: object, _index: object) -> None:
        """Types do not depend on the place."""

    def ascend_resolver(self) -> None:
        """Types do not depend on the place."""


class _Reader:
    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.documents: list[Document] = []
        self.problems: list[Problem] = []

    def run(self) -> None:
        wrong = syntax.unprintable(self.text)
        if wrong is not None:
            self._report(wrong, 0)
            return
        start: int | None = 0
        while start is not None:
            start = self._stream(start)

    def _stream(self, start: int) -> int | None:
        """Read from `start` to the end, or to the first fault: then where to go on."""
        text = self.text[start:] if start else self.text
        line = self.text.count("\n", 0, start)
        begun = 0
        try:
            parser = _Parser(text)
            while parser.check_node():
                root = cast("Node", parser.get_node())
                self._document(root, text, line)
                begun = root.end_mark.index
        except YAMLError as error:
            fault = syntax.fault(error, text)
            self._report(fault, line)
            return self._next(start + begun, start + fault.index)
        return None

    def _next(self, begun: int, fault: int) -> int | None:
        """The next document that starts at the fault or below, but not the broken one itself.

        `begun` is the end of the document before it.
        """
        before = _BLANK.match(self.text, begun)
        own = before.end() if before else begun
        line = self.text.rfind("\n", 0, fault) + 1
        starts = (match.start() for match in _DOCUMENT.finditer(self.text, line))
        return next((start for start in starts if start > own), None)

    def _document(self, root: Node, text: str, line: int) -> None:
        if isinstance(root, ScalarNode) and root.tag is _PLAIN and not root.value:
            return
        builder = _Builder(self.file, line)
        value = builder.value(root, 0)
        self.documents.append(Document(self.file, value, root, text, line))
        self.problems += builder.problems

    def _report(self, fault: syntax.Fault, line: int) -> None:
        place = (line + fault.line + 1, fault.column + 1)
        self.problems.append(Problem(self.file, *place, "", fault.what, fault.advice))


class _Builder:
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
        if type(node) is ScalarNode:
            tag = node.tag
            if tag is _TEXT:
                return node.value
            return self._plain(node) if tag is _PLAIN else self._tagged(node)
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
        if node.tag not in (_MAP, _LIST, f"{_TAG}map", f"{_TAG}seq"):
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
            if _is_merge(key_node):
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


def _is_merge(node: Node) -> bool:
    return node.value == "<<" and node.tag is _PLAIN


def _is_elsewhere(key: Node, value: Node) -> bool:
    if isinstance(value, ScalarNode):
        return not value.value and value.tag is _PLAIN
    return key.start_mark.line != value.start_mark.line


def _entry(node: Node, part: str | int) -> tuple[Node | None, Node] | None:
    """Key and value of `part` in a collection."""
    if isinstance(node, SequenceNode) and isinstance(part, int):
        return (None, node.value[part]) if 0 <= part < len(node.value) else None
    if isinstance(node, MappingNode) and isinstance(part, str):
        return next((entry for entry in _entries(node) if _spelt(entry[0]) == part), None)
    return None


def _entries(node: MappingNode, within: tuple[Node, ...] = ()) -> Iterator[tuple[Node, Node]]:
    """A mapping's own entries, then those that it merges; never a mapping inside of itself."""
    merged: list[Node] = []
    for key, value in node.value:
        if not _is_merge(key):
            yield key, value
        elif isinstance(value, SequenceNode):
            merged += value.value
        else:
            merged.append(value)
    for source in merged:
        if isinstance(source, MappingNode) and source not in within:
            yield from _entries(source, (*within, source))


def _spelt(key: Node) -> str | None:
    if not isinstance(key, ScalarNode):
        return None
    value = scalar.resolve(key.value) if key.tag is _PLAIN else key.value
    return value if isinstance(value, str) else str(value).lower()
