"""Semantic versions (semver.org 2.0.0)."""

from __future__ import annotations

from typing import Any

from webhook.expression.library.row import Opaque, RefusedError, can, row

_WORD = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")


def _semver(text: str, normalize: bool = False) -> Opaque:
    if len(text) > 256:
        what = "a text is no semantic version"
        raise RefusedError(what)
    rest, plus, build = text.partition("+")
    core, dash, pre = rest.partition("-")
    numbers = (_normal(core) if normalize else core).split(".")
    marks = pre.split(".") if dash else []
    good = (
        len(numbers) == 3
        and all(_is_number(n) for n in numbers)
        and all(_is_mark(m) for m in marks)
        and (not plus or all(b and set(b) <= _WORD for b in build.split(".")))
    )
    if not good:
        what = "a text is no semantic version"
        raise RefusedError(what)
    return {"semver": [[int(n) for n in numbers], marks]}


def _normal(core: str) -> str:
    numbers = core.removeprefix("v").split(".")
    numbers = [n.lstrip("0") or "0" if n else n for n in numbers]
    return ".".join(numbers + ["0"] * (3 - len(numbers)))


def _is_number(text: str) -> bool:
    ascii_digits = text.isascii() and text.isdecimal() and len(text) < 19
    return ascii_digits and (text == "0" or not text.startswith("0"))


def _is_mark(text: str) -> bool:
    if not text or not set(text) <= _WORD:
        return False
    return not text.isdecimal() or _is_number(text)


def _rank(version: Opaque) -> tuple[Any, ...]:
    numbers, marks = version["semver"]
    ranked = tuple((0, int(m), "") if m.isdecimal() else (1, 0, m) for m in marks)
    return (*numbers, not marks, ranked)


FUNCTIONS = (
    row("isSemver", "(string) -> bool", can(_semver)),
    row("isSemver", "(string, bool) -> bool", can(_semver)),
    row("semver", "(string) -> semver", _semver),
    row("semver", "(string, bool) -> semver", _semver),
    row("major", "semver.() -> int", lambda a: a["semver"][0][0]),
    row("minor", "semver.() -> int", lambda a: a["semver"][0][1]),
    row("patch", "semver.() -> int", lambda a: a["semver"][0][2]),
    row("isGreaterThan", "semver.(semver) -> bool", lambda a, b: _rank(a) > _rank(b)),
    row("isLessThan", "semver.(semver) -> bool", lambda a, b: _rank(a) < _rank(b)),
    row(
        "compareTo",
        "semver.(semver) -> int",
        lambda a, b: (_rank(a) > _rank(b)) - (_rank(a) < _rank(b)),
    ),
)
