"""Where blocks of containers go among the init containers that are already there.

A block is the containers of one policy. All `First` blocks form one run at the front, all `Last`
blocks one at the end; `before` and `after` move a block only as far as they demand. A position is a
*gap*: the number of containers that are not ours in front of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import msgspec

from webhook.policy.glob import Glob


class Block(msgspec.Struct, frozen=True):
    """The containers of one policy, in the order of its steps."""

    policy: str
    names: tuple[str, ...]
    last: bool = False
    before: tuple[Glob, ...] = ()
    after: tuple[Glob, ...] = ()


class Arrangement(msgspec.Struct, frozen=True):
    """All init containers in their order, and the demands that could not be met.

    `moved` names containers of ours that are in the pod and change their place, `contradictions`
    are (policy, clause for people).
    """

    order: tuple[str, ...]
    moved: frozenset[str]
    contradictions: tuple[tuple[str, str], ...]


_NONE: frozenset[str] = frozenset()
_is_last = attrgetter("last")


class _Bounds(msgspec.Struct, frozen=True):
    low: int
    high: int
    default: int


def arrange(
    current: Sequence[str], blocks: Sequence[Block], keep_first: Sequence[Glob] = ()
) -> Arrangement:
    """Place each block; what is in the pod already stays where it is unless a demand is broken.

    `current` are the names of the pod's init containers, `blocks` are in planning order.
    """
    chain = sorted(blocks, key=_is_last)  # stable
    if not current:  # most pods
        return Arrangement(tuple([n for b in chain for n in b.names]), _NONE, ())
    ours = {name for block in chain for name in block.names}
    foreign = [name for name in current if name not in ours]
    bounds, contradictions = _bounds(chain, foreign, keep_first)
    present = _gaps(current, ours)
    gaps = _settle(chain, bounds, present)
    order = _merge(foreign, gaps)
    return Arrangement(order, _moved(current, order, present, gaps), tuple(contradictions))


def _gaps(current: Sequence[str], ours: set[str]) -> dict[str, int]:
    gaps, passed = {}, 0
    for name in current:
        if name in ours:
            gaps[name] = passed
        else:
            passed += 1
    return gaps


def _bounds(
    chain: Sequence[Block], foreign: Sequence[str], keep_first: Sequence[Glob]
) -> tuple[list[_Bounds], list[tuple[str, str]]]:
    """Each block's lowest and highest gap, and where it goes when nothing of it is there yet."""
    end = len(foreign)
    low = floor = _behind(foreign, keep_first)
    found: list[_Bounds] = []
    contradictions = []
    for block in chain:
        after, before = _behind(foreign, block.after), _in_front(foreign, block.before)
        high = min(end, before)
        if max(low, after) > high:
            contradictions.append((block.policy, _why(block, foreign, low=low, floor=floor)))
            after, high = 0, end
        low = max(low, after)
        default = high if block.last else low
        if block.last:
            low = default
        found.append(_Bounds(max(floor, after) if block.last else low, high, default))
    return found, contradictions


def _behind(foreign: Sequence[str], globs: Sequence[Glob]) -> int:
    return max(
        (i + 1 for i, n in enumerate(foreign) if any(g.matches(n) for g in globs)), default=0
    )


def _in_front(foreign: Sequence[str], globs: Sequence[Glob]) -> int:
    hits = (i for i, n in enumerate(foreign) if any(g.matches(n) for g in globs))
    return min(hits, default=len(foreign))


def _why(block: Block, foreign: Sequence[str], *, low: int, floor: int) -> str:
    before = next(n for n in foreign if any(g.matches(n) for g in block.before))
    behind = _behind(foreign, block.after)
    if behind > _in_front(foreign, block.before):
        return f"cannot be after {foreign[behind - 1]} and before {before}: keeps its position"
    if floor > _in_front(foreign, block.before):
        return f"cannot be before {before}: {foreign[floor - 1]} stays in front of us always"
    return f"cannot be before {before}: never before an earlier policy's containers"


def _settle(
    chain: Sequence[Block], bounds: Sequence[_Bounds], present: dict[str, int]
) -> list[tuple[str, int]]:
    """The gap of each container, in chain order and never falling along it."""
    slots = [
        (name, block.last, bound)
        for block, bound in zip(chain, bounds, strict=True)
        for name in block.names
    ]
    gaps: list[int] = []
    for name, last, bound in slots:
        if name in present:
            gaps.append(min(max(present[name], bound.low), bound.high))
        elif last:
            gaps.append(bound.default)
        else:  # beside its predecessor, wherever another webhook has moved that
            gaps.append(min(max(gaps[-1] if gaps else 0, bound.default), bound.high))
    _level(slots, gaps)
    return [(slot[0], gap) for slot, gap in zip(slots, gaps, strict=True)]


def _level(slots: Sequence[tuple[str, bool, _Bounds]], gaps: list[int]) -> None:
    """Repair an order that another webhook broke: `First` moves forward, `Last` moves back."""
    for i in range(len(gaps) - 2, -1, -1):
        if not slots[i][1]:
            gaps[i] = max(slots[i][2].low, min(gaps[i], gaps[i + 1]))
    for i in range(1, len(gaps)):
        gaps[i] = max(gaps[i], gaps[i - 1])


def _merge(foreign: Sequence[str], gaps: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    order: list[str] = []
    passed = 0
    for name, gap in gaps:
        order += foreign[passed:gap]
        passed = max(passed, gap)
        order.append(name)
    return (*order, *foreign[passed:])


def _moved(
    current: Sequence[str],
    order: Sequence[str],
    present: dict[str, int],
    gaps: Sequence[tuple[str, int]],
) -> frozenset[str]:
    """The fewest containers of ours that have to move: others never do."""
    new = dict(gaps)
    index = {name: i for i, name in enumerate(current)}
    stay: set[str] = set()
    for gap in {new[name] for name in present}:
        same = [n for n in order if n in present and new[n] == present[n] == gap]
        stay |= set(_longest_rising(same, index))
    return frozenset(name for name in present if name not in stay)


def _longest_rising(names: Sequence[str], index: dict[str, int]) -> list[str]:
    best: list[list[str]] = []
    for name in names:
        runs = [run for run in best if index[run[-1]] < index[name]]
        best.append([*max(runs, key=len, default=[]), name])
    return max(best, key=len, default=[])
