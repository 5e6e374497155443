"""Text with holes: `http://${parameters.host}/${object.metadata.labels['app']}`.

Each `${…}` holds one CEL expression. `$${` is a literal `${`. A brace inside a string of the
expression does not end the hole; Kubernetes' own `$(NAME)` is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import environment, message, runtime, tree
from webhook.expression.activation import Scope
from webhook.expression.bounds import MAX_TEXT
from webhook.expression.environment import Expression, Kind
from webhook.expression.fields import Suspicion
from webhook.expression.reads import Reads, join

_QUOTED = re.compile(r"""[rR]?[bB]?(?:'''|\"\"\"|'|")|//""")
_PLAIN = re.compile(
    r"""\s*(object|request|namespaceObject|parameters)"""
    r"""((?:\.[A-Za-z_]\w*|\['[^'\\\n]*'\]|\["[^"\\\n]*"\])+)\s*"""
)
_STEP = re.compile(r"""\.([A-Za-z_]\w*)|\['([^']*)'\]|\["([^"]*)"\]""")
_SHELL = re.compile(r"\s*[#!]?([A-Za-z_]\w*|[0-9@*#?$!-])(\s*|:?[-+=?].*|[%#/^,@\[].*)", re.S)

MASK = "\ue000"  # of Unicode's private use, so no syntax of any text


@dataclass(frozen=True, slots=True)
class Hole:
    """One `${…}`. `path` is set when it is a plain field path, read without the runtime."""

    offset: int  # of the expression inside the template's text
    expression: Expression
    path: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template. `cost` is the sum over its holes, in the unit of `bounds`."""

    text: str
    reads: Reads
    cost: int
    suspicions: tuple[Suspicion, ...]
    parts: tuple[str | Hole, ...]

    @property
    def holes(self) -> tuple[Hole, ...]:
        """Every `${…}`, in the order of the text."""
        return tuple(p for p in self.parts if isinstance(p, Hole))

    def render(
        self, scope: Scope, parameters: Mapping[str, object] | None, *, expanded: bool = False
    ) -> str:
        """The text with every hole filled. Raises EvaluationError, whose text holds no value.

        With `expanded` the text is for a field in which the kubelet expands `$(NAME)` and takes
        `$$` for `$` (kubernetes third_party/forked/golang/expansion): each `$` of a value is
        doubled, so that the container sees the value itself, never a variable that it names.
        """
        filled = []
        for part in self.parts:
            if isinstance(part, str):
                filled.append(part)
                continue
            value = _fill(part, scope, parameters)
            # A `$` of the policy's never stands right before a hole: that is `$${`.
            filled.append(value.replace("$", "$$") if expanded else value)
        text = "".join(filled)
        if "\0" in text:  # as expressions refuse it; no process could be given it
            what = "the text would hold a NUL character"
            raise EvaluationError(what)
        if len(text) > MAX_TEXT and len(text) > len(self.text):
            what = f"the text became longer than {MAX_TEXT} characters"
            raise EvaluationError(what)
        return text


def has_holes(text: str) -> bool:
    """Is there a `${` or `$${` that makes `text` a template?"""
    return "${" in text


def parse(text: str, *, parameters: Mapping[str, str]) -> Template:
    """A template from its text; `parameters` as for `environment.compile`.

    Raises ExpressionError with the offset inside `text`.
    """
    parts: list[str | Hole] = []
    for offset, piece, is_hole in _pieces(text):
        if is_hole:
            parts.append(_hole(piece, offset, parameters))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += piece
        else:
            parts.append(piece)
    holes = [p for p in parts if isinstance(p, Hole)]
    return Template(
        text,
        join(*[h.expression.reads for h in holes]),
        sum(h.expression.cost for h in holes),
        tuple((h.offset + o, w, a) for h in holes for o, w, a in h.expression.suspicions),
        tuple(parts),
    )


def masked(text: str) -> str:
    """The text with a private character in place of each one of a hole, `${` and `}` included.

    So one can look for syntax around holes. Raises ExpressionError for a hole that does not end.
    """
    shown = list(text)
    for offset, piece, is_hole in _pieces(text):
        if is_hole:
            shown[offset - 2 : offset + len(piece) + 1] = MASK * (len(piece) + 3)
    return "".join(shown)


def _hole(text: str, offset: int, parameters: Mapping[str, str]) -> Hole:
    shell = None if text.strip() in parameters else _SHELL.fullmatch(text)
    if shell and shell[1] not in tree.ROOTS and (shell[2].strip() or not _literal(shell[1])):
        what = f"there is no variable {shell[1]}"
        raise ExpressionError(
            what,
            offset=offset,
            advice=_shell_advice(text.strip(), shell[1]),
        )
    try:
        expression = environment.compile(text, Kind.TEXT, parameters=parameters)
    except ExpressionError as problem:
        raise ExpressionError(
            problem.what, offset=offset + problem.offset, advice=problem.advice
        ) from None
    plain = _PLAIN.fullmatch(text)
    path = None
    if plain:
        steps = [a or b or c for a, b, c in _STEP.findall(plain[2])]
        path = (plain[1], *steps)
    return Hole(offset, expression, path)


def _literal(name: str) -> bool:
    return name in ("true", "false", "null") or name.isdigit()


def _shell_advice(text: str, name: str) -> str:
    ways = f"${name} or $${{{text}}}" if text == name else f"$${{{text}}}"
    return f"was a shell variable meant? write {ways}"


def _pieces(text: str) -> Iterator[tuple[int, str, bool]]:
    """(offset, text, is it a hole) in order."""
    at = 0
    while True:
        start = text.find("${", at)
        if start < 0:
            break
        if start > at and text[start - 1] == "$":
            yield at, text[at : start - 1] + "${", False
            at = start + 2
            continue
        if start > at:
            yield at, text[at:start], False
        end = _end(text, start + 2)
        yield start + 2, text[start + 2 : end], True
        at = end + 1
    if at < len(text):
        yield at, text[at:], False


def _end(text: str, at: int) -> int:
    """Where the `}` of the hole stands whose expression begins at `at`."""
    start, depth = at - 2, 0
    while at < len(text):
        quoted = _QUOTED.match(text, at)
        if quoted:
            at = _after(text, quoted)
            continue
        letter = text[at]
        if letter == "}" and depth == 0:
            return at
        depth += (letter == "{") - (letter == "}")
        at += 1
    what = "the ${ that begins here is not closed"
    raise ExpressionError(
        what,
        offset=start,
        advice="close it with }, or write $${ for a literal ${",
    )


def _after(text: str, quoted: re.Match[str]) -> int:
    """The place behind the string literal, or the comment, that begins with `quoted`."""
    opening = quoted[0]
    if opening == "//":
        end = text.find("\n", quoted.end())
        return len(text) if end < 0 else end
    raw = opening[0] in "rR"
    quote = opening.lstrip("rRbB")
    at = quoted.end()
    while at < len(text):
        if text[at] == "\\" and not raw:
            at += 2
        elif text.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    return len(text)


def _fill(hole: Hole, scope: Scope, parameters: Mapping[str, object] | None) -> str:
    if hole.path is None:
        return _text(hole.expression.value(scope, parameters))
    value: Any
    root, *steps = hole.path
    value = parameters if root == "parameters" else scope.root(root)
    if value is None:
        raise EvaluationError(message.unknown(root))
    for step in steps:
        try:
            value = value[step]
        except (KeyError, TypeError, IndexError):
            raise EvaluationError(_missing(value, step)) from None
    return value if type(value) is str else _text(value)


def _missing(value: object, step: str) -> str:
    if isinstance(value, Mapping):
        return f"no such key: {step}"
    return f"{step} was read of {message.kind(value)}"


def _text(value: object) -> str:
    """A scalar as CEL's `string()` writes it."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return runtime.double(float(value))  # type: ignore[arg-type]
    what = f"gave {message.kind(value)} where text is needed"
    raise EvaluationError(what)
