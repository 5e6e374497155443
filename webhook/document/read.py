"""YAML text into plain JSON values that know where they stand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from yaml.error import YAMLError
from yaml.nodes import Node, ScalarNode

from webhook.document import build, nodes, place, syntax
from webhook.document.place import Mark
from webhook.document.problem import Finding, Path, Problem
from webhook.document.problem import field as path_text

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_BLANK = re.compile(r"(?:\s+|^[#%].*$)*", re.MULTILINE)  # what may stand before a document

_EMPTY = "---\n"  # a document, to which a `...` belongs that stands before the next one


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: plain JSON values in the order written, and their places.

    One that was never text (see `plain`) has no places: line and column are 0.
    """

    file: str
    value: object
    _written: _Written | None = field(repr=False)

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """The place of the value at `path`, or of its key; of the nearest parent if there is none.

        A value that starts on a line below its key, and one that is left empty, stands where its
        key stands.
        """
        if self._written is None:
            return Mark(0, 0)
        key_node, node, _ = self._find(path, self._written.root())
        start = node.start_mark
        if key_node is not None and (key or nodes.is_elsewhere(key_node, node)):
            start = key_node.start_mark
        return Mark(self._written.line + start.line + 1, start.column + 1)

    def problem(self, finding: Finding) -> Problem:
        """`finding`, whose path starts at this document's root, as a problem of this file."""
        mark = self._inside(finding) or self.mark(finding.path)
        name = path_text(finding.path)
        severity, advice = finding.severity, finding.advice
        return Problem(self.file, mark.line, mark.column, name, finding.what, advice, severity)

    def _inside(self, finding: Finding) -> Mark | None:
        """The place of the character that `finding` means, where it means one and that is known."""
        if not finding.offset or self._written is None:
            return None
        _, node, found = self._find(finding.path, self._written.root())
        if not found or not isinstance(node, ScalarNode):
            return None
        inside = place.of_character(self._written.text, node, finding.offset)
        return Mark(self._written.line + inside[0] + 1, inside[1] + 1) if inside else None

    def _find(self, path: Path, node: Node) -> tuple[Node | None, Node, bool]:
        """The key (if any) and the node at `path` or its nearest parent; whether `path` exists."""
        key: Node | None = None
        for part in path:
            entry = nodes.entry(node, part)
            if entry is None:
                return key, node, False
            key, node = entry
        return key, node, True


def plain(value: object, *, file: str = "") -> Document:
    """A document of JSON values that nobody wrote as text, such as what the API server sends."""
    return Document(file, value, None)


class _Written:
    """The text of a document, and its nodes, which are made again for who asks for places.

    Nodes take some ten times the memory of the values, and most documents have no problems.
    """

    __slots__ = ("_root", "_start", "line", "text")

    def __init__(self, text: str, line: int, start: int) -> None:
        self.text = text
        self.line = line  # where the text starts in the file, from 0
        self._start = start  # where the document starts in the text, behind its directives
        self._root: Node | None = None

    def root(self) -> Node:
        """The node of the whole document; its marks count from the beginning of `text`."""
        if self._root is None:
            self._root = next(
                node for node in nodes.compose(self.text) if node.start_mark.index == self._start
            )
        return self._root


def read(text: str, *, file: str) -> tuple[list[Document], list[Problem]]:
    """All documents of `text`, and everything that is wrong with it as YAML.

    Documents that cannot be read are left out and the ones after them are read all the same; empty
    ones are skipped. What comes out are JSON values as kubectl would send them (see `scalar`).
    """
    reader = _Reader(file, text.lstrip("\ufeff"))
    reader.run()
    return reader.documents, sorted(reader.problems)


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
        above, head = line, ""
        try:
            for root in nodes.compose(text):
                first, end = root.start_mark.index, root.end_mark
                own = head + text[begun : end.index]
                self._document(root, _Written(own, above, len(head) + first - begun), line)
                begun = end.index
                above, head = line + end.line - 1, _EMPTY
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

    def _document(self, root: Node, written: _Written, line: int) -> None:
        if isinstance(root, ScalarNode) and root.tag is nodes.PLAIN and not root.value:
            return
        builder = build.Builder(self.file, line)
        value = builder.value(root, 0)
        self.documents.append(Document(self.file, value, written))
        self.problems += builder.problems

    def _report(self, fault: syntax.Fault, line: int) -> None:
        place = (line + fault.line + 1, fault.column + 1)
        self.problems.append(Problem(self.file, *place, "", fault.what, fault.advice))
