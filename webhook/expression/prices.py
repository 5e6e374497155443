"""What each function of the language may cost, and how large its result may be.

The prices are nanoseconds, measured by bench/expressions.py and rounded up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from webhook.errors import ExpressionError
from webhook.expression.bounds import NODE
from webhook.expression.library import patterns
from webhook.expression.tree import Call, Constant

BASE = 6000  # one evaluation, before it does anything
STEP = 80  # one node of the tree
SCAN = 2.0  # one byte looked at: compared, lower-cased, hashed
FRESH = 3.0  # one byte allocated; 16 MB at most for MAX_EXPRESSION_COST
APPEND = 100  # one element copied: map() and filter() copy their list for each element they add
SEARCH = 0.02  # one byte of one string against one of another: contains, indexOf, replace, split
MATCH = 6.0  # one byte against one instruction of a regular expression, without its automaton
COMPILE = 2000  # one instruction of a regular expression: it is compiled each time
CALLBACK = 4000  # calling a function of ours from the runtime
FOUND = 6000  # one match of findAll()
HANDED = 600  # one value handed to such a function, and looked at

NUMBER = 1100  # characters that format() may make of one number (the runtime's bound is 1,000)


@dataclass(frozen=True, slots=True)
class Size:
    """An upper bound of a value: its weight, entries of any list in it, its longest string.

    `total` bounds the sum of the weights over all evaluations in the current loop.
    """

    weight: float
    entries: float
    text: float
    total: float

    def times(self, count: float) -> Size:
        """The same value, made `count` times."""
        return replace(self, total=self.weight * count)

    def string(self, count: float) -> tuple[float, float]:
        """Its bytes when it is used as a string: once, and over `count` evaluations."""
        once = min(self.weight, self.text + NODE)
        return once, min(self.total, once * count)


SMALL = Size(NODE, 0, NODE, NODE)
NOTHING = Size(0, 0, 0, 0)

Priced = tuple[Size, float]
Rule = Callable[[Call, list[Size], float], Priced]


def largest(sizes: list[Size]) -> Size:
    """Any one of several values."""
    return Size(
        max(s.weight for s in sizes),
        max(s.entries for s in sizes),
        max(s.text for s in sizes),
        sum(s.total for s in sizes),
    )


def _free(_call: Call, _arguments: list[Size], count: float) -> Priced:
    return SMALL.times(count), 0


def _scan(_call: Call, arguments: list[Size], count: float) -> Priced:
    """Looks at everything it gets, gives something small."""
    return SMALL.times(count), SCAN * sum(a.total for a in arguments)


def _compare(_call: Call, arguments: list[Size], count: float) -> Priced:
    """Looks at no more than the smaller of two values."""
    return SMALL.times(count), 2 * SCAN * min(a.total for a in arguments)


def _begins(_call: Call, arguments: list[Size], count: float) -> Priced:
    return SMALL.times(count), SCAN * min(a.string(count)[1] for a in arguments)


def _either(_call: Call, arguments: list[Size], _count: float) -> Priced:
    """Gives one of its arguments, or a part of it, without looking inside."""
    return largest(arguments), 0


def _index(_call: Call, arguments: list[Size], count: float) -> Priced:
    return arguments[0], SCAN * arguments[1].string(count)[1]


def _plus(_call: Call, arguments: list[Size], _count: float) -> Priced:
    """A new string or list as large as both."""
    size = Size(
        sum(a.weight for a in arguments),
        sum(a.entries for a in arguments),
        sum(a.text for a in arguments),
        sum(a.total for a in arguments),
    )
    return size, (SCAN + FRESH) * size.total


def _copy(factor: float) -> Rule:
    """A new string, at most `factor` times as large as all arguments."""

    def rule(_call: Call, arguments: list[Size], count: float) -> Priced:
        texts = [a.string(count) for a in arguments]
        once, total = (sum(t[i] for t in texts) * factor for i in (0, 1))
        return Size(NODE + once, 0, once, NODE * count + total), (SCAN + FRESH) * total

    return rule


def _search(_call: Call, arguments: list[Size], count: float) -> Priced:
    """Looks for one string in another, byte by byte at every place."""
    (_, total), (needle, needles) = (a.string(count) for a in arguments[:2])
    return SMALL.times(count), SCAN * (total + needles) + SEARCH * total * needle


def _index_of(call: Call, arguments: list[Size], count: float) -> Priced:
    """The same for a string, and for a list a function of ours."""
    size, searching = _search(call, arguments, count)
    return size, searching + _handed(arguments, count)


def _replace(call: Call, arguments: list[Size], count: float) -> Priced:
    """Every character may become the whole replacement."""
    _, searching = _search(call, arguments, count)
    (once, total), (new, _) = arguments[0].string(count), arguments[2].string(count)
    text = once * (new + 1) + new
    size = Size(NODE + text, 0, text, total * (new + 2) + NODE * count)
    return size, searching + (SCAN + FRESH) * size.total


def _split(call: Call, arguments: list[Size], count: float) -> Priced:
    """Every character may become a string of its own."""
    _, searching = _search(call, arguments, count)
    once, total = arguments[0].string(count)
    size = Size((once + 2) * (NODE + 1), once + 1, once, (total + 2 * count) * (NODE + 1))
    return size, searching + (SCAN + FRESH) * size.total


def _join(_call: Call, arguments: list[Size], count: float) -> Priced:
    """All the parts, and a separator between each two."""
    parts = arguments[0]
    separator = arguments[1].string(count)[0] if len(arguments) > 1 else 0
    once = parts.weight + parts.entries * separator
    total = min(parts.total * (1 + separator / NODE), once * count)
    return Size(NODE + once, 0, once, NODE * count + total), (SCAN + FRESH) * total


def _format(call: Call, arguments: list[Size], count: float) -> Priced:
    """Each value once, as text of which a number may have many digits."""
    text = _literal(call, 0, "the text of format()")
    holes = text.count("%")
    once = len(text) + 4 * arguments[1].weight + NUMBER * holes
    return Size(NODE + once, 0, once, once * count), (10 * SCAN + FRESH) * once * count


def _match(call: Call, arguments: list[Size], count: float) -> Priced:
    """RE2: linear in the text, times the size of the pattern, which is compiled each time."""
    pattern = _literal(call, 1, f"the pattern of {call.function}()")
    length = instructions(pattern, call.arguments[1].offset)
    total = arguments[0].string(count)[1]
    return SMALL.times(count), length * MATCH * total + (CALLBACK + length * COMPILE) * count


def _find(call: Call, arguments: list[Size], count: float) -> Priced:
    """Like `matches`, and gives a part of the text."""
    _, matching = _match(call, arguments, count)
    once, total = arguments[0].string(count)
    return Size(NODE + once, 0, once, NODE * count + total), matching + _handed(arguments, count)


def _find_all(call: Call, arguments: list[Size], count: float) -> Priced:
    """At most every character of the text for itself, and no more than the limit."""
    _, matching = _match(call, arguments, count)
    once, total = (
        min(n, patterns.MAX_TEXT * c) + c
        for n, c in zip(arguments[0].string(count), (1, count), strict=True)
    )
    if len(call.arguments) > 2 and isinstance(call.arguments[2], Constant):
        limit = call.arguments[2].value
        if isinstance(limit, int) and limit >= 0:
            once, total = min(once, limit), min(total, limit * count)
    text = min(arguments[0].text, patterns.MAX_TEXT)
    size = Size(NODE + once * NODE + text, once, text, NODE * (count + total) + text * count)
    return size, matching + CALLBACK * count + FOUND * total


def _zone(call: Call, arguments: list[Size], count: float) -> Priced:
    """A time zone is a file that the runtime opens: its name must be written out."""
    if len(call.arguments) > 1:
        _literal(call, 1, "the time zone")
    return _scan(call, arguments, count)


def _handed(arguments: list[Size], count: float) -> float:
    total = sum(a.total for a in arguments)
    return CALLBACK * count + (HANDED / NODE + SCAN) * total


def _ours(_call: Call, arguments: list[Size], count: float) -> Priced:
    """A function of ours with a small result."""
    return SMALL.times(count), _handed(arguments, count)


def _ours_large(_call: Call, arguments: list[Size], count: float) -> Priced:
    """A function of ours whose result is at most twice as large as its arguments."""
    both = [*arguments, *arguments]
    size = Size(
        4 * NODE + sum(a.weight for a in both),
        1 + sum(a.entries for a in both),
        sum(a.text for a in both),
        4 * NODE * count + sum(a.total for a in both),
    )
    return size, _handed([*both, *arguments], count)


def _sorting(call: Call, arguments: list[Size], count: float) -> Priced:
    """Sorting looks at each element some 17 times (the logarithm of the largest list)."""
    size, price = _ours_large(call, arguments, count)
    return size, price + 17 * SCAN * arguments[0].total


def _literal(call: Call, index: int, what: str) -> str:
    """The text of an argument that must be written out; ExpressionError when it is not."""
    argument = call.arguments[index]
    if isinstance(argument, Constant) and isinstance(argument.value, str):
        return argument.value
    raise ExpressionError(
        f"{what} must be written out as a string",  # noqa: EM102 - one use, one line
        offset=argument.offset,
        advice="one that is computed could take any time",
    )


@lru_cache(maxsize=1024)
def instructions(pattern: str, offset: int) -> int:
    """The length of a regular expression's program, as RE2 itself compiles it.

    Raises ExpressionError, placed at `offset`, when it is no regular expression.
    """
    import re2  # 15 ms, paid only where a pattern is used

    options = re2.Options()
    options.log_errors = False
    try:
        return int(re2.compile(pattern, options=options).programsize)
    except re2.error as problem:
        said = problem.args[0] if problem.args else ""
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    what = f"the pattern is no regular expression: {reason}"
    advice = "it is RE2's syntax; write a backslash as \\\\, or r'…'"
    raise ExpressionError(what, offset=offset, advice=advice)


def _each(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: Mapping[str, Rule] = {
    **_each("_&&_ _||_ !_ -_ @not_strictly_false hasValue type optional.none", _free),
    **_each("_?_:_ orValue or value optional.of optional.ofNonZeroValue dyn first last", _either),
    **_each("_[_] _[?_] _?._", _index),
    **_each("_==_ _!=_ _<_ _<=_ _>_ _>=_", _compare),
    **_each("startsWith endsWith", _begins),
    **_each("_-_ _*_ _/_ _%_ @in size bool int uint double duration timestamp", _scan),
    **_each("math.@max math.@min math.abs math.ceil math.floor math.round math.trunc", _scan),
    **_each("math.sign math.sqrt math.isNaN math.isInf math.isFinite", _scan),
    **_each("math.bitAnd math.bitOr math.bitXor math.bitNot", _scan),
    **_each("math.bitShiftLeft math.bitShiftRight", _scan),
    "_+_": _plus,
    "contains": _search,
    **_each("indexOf lastIndexOf", _index_of),
    **_each("lowerAscii upperAscii trim substring charAt", _copy(1)),
    "reverse": _ours_large,
    **_each("bytes base64.encode base64.decode", _copy(2)),
    "string": _copy(2),
    "strings.quote": _copy(8),
    "replace": _replace,
    "split": _split,
    "join": _join,
    "format": _format,
    "matches": _match,
    "find": _find,
    "findAll": _find_all,
    **_each("getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear", _zone),
    **_each("getHours getMinutes getSeconds getMilliseconds", _zone),
    # Ours (`functions`).
    "sort": _sorting,
    **_each("distinct flatten slice", _ours_large),
    **_each("isSorted sum sets.contains sets.equivalent sets.intersects", _ours),
    **_each("min max", _ours_large),
    **_each("quantity url ip cidr semver add sub masked getQuery", _ours_large),
    **_each("getScheme getHost getHostname getPort getEscapedPath", _ours_large),
    **_each("isQuantity isURL isIP isCIDR isSemver ip.isCanonical", _ours),
    **_each("sign isInteger asInteger asApproximateFloat", _ours),
    **_each("isGreaterThan isLessThan compareTo major minor patch", _ours),
    **_each("family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast", _ours),
    **_each("isGlobalUnicast containsIP containsCIDR prefixLength", _ours),
}
