"""Where blocks go: fresh, and after others moved them."""

from __future__ import annotations

import pytest

from webhook.inject.place import Block, arrange
from webhook.policy import glob


def block(names: str, *, last: bool = False, before: str = "", after: str = "") -> Block:
    """A block of the containers in `names`, its policy called after the first."""
    own = tuple(names.split())
    parse = lambda text: tuple(map(glob.parse, text.split()))  # noqa: E731
    return Block(own[0], own, last, parse(before), parse(after))


KEEP = (glob.parse("restore-wait"),)


@pytest.mark.parametrize(
    ("current", "blocks", "order"),
    [
        ("", [block("a b")], "a b"),
        ("x", [block("a b"), block("c")], "a b c x"),
        ("x", [block("a", last=True), block("b")], "b x a"),
        ("mesh x", [block("a", after="mesh")], "mesh a x"),
        ("mesh x", [block("a", after="mesh"), block("b")], "mesh a b x"),
        ("x mesh y", [block("a", last=True, before="mesh")], "x a mesh y"),
        ("x y", [block("a", after="nobody")], "a x y"),
        ("restore-wait x", [block("a")], "restore-wait a x"),
        ("x restore-wait", [block("a")], "x restore-wait a"),
    ],
)
def test_a_fresh_block_goes_as_far_as_it_demands(
    current: str, blocks: list[Block], order: str
) -> None:
    """First stands in front, Last at the end, and demands move a block no further than needed."""
    assert order.split() == list(arrange(current.split(), blocks, KEEP).order)


@pytest.mark.parametrize(
    ("current", "blocks"),
    [
        ("a b x", [block("a b")]),
        ("foreign a b x", [block("a b")]),
        ("a foreign b", [block("a b")]),
        ("x a foreign", [block("a", last=True)]),
        ("mesh foreign a", [block("a", after="mesh")]),
    ],
)
def test_what_still_holds_is_left_alone(current: str, blocks: list[Block]) -> None:
    """A foreign container in front of us, behind us or between us is no reason to move."""
    found = arrange(current.split(), blocks, KEEP)

    assert (current.split(), frozenset()) == (list(found.order), found.moved)


@pytest.mark.parametrize(
    ("current", "blocks", "order", "moved"),
    [
        ("b a x", [block("a b")], "a b x", 1),
        ("b x a", [block("a b")], "a b x", 1),
        ("a mesh", [block("a", after="mesh")], "mesh a", 1),
        ("mesh a", [block("a", before="mesh")], "a mesh", 1),
        ("a x b", [block("a", last=True), block("b")], "b a x", 1),
        ("foreign b c a", [block("a b c")], "foreign a b c", 1),
        ("a x restore-wait", [block("a")], "x restore-wait a", 1),
    ],
)
def test_what_no_longer_holds_moves_back(
    current: str, blocks: list[Block], order: str, moved: int
) -> None:
    """A broken order or demand is repaired by moving as few of ours as possible."""
    found = arrange(current.split(), blocks, KEEP)

    assert (order.split(), moved) == (list(found.order), len(found.moved))


@pytest.mark.parametrize(
    ("current", "blocks", "named"),
    [
        ("x y", [block("a", before="x", after="y")], "cannot be after y and before x"),
        ("x", [block("a", after="x"), block("b", before="x")], "cannot be before x: never before"),
        ("restore-wait", [block("a", before="restore-wait")], "restore-wait stays in front of us"),
    ],
)
def test_a_contradiction_is_named(current: str, blocks: list[Block], named: str) -> None:
    """A demand that cannot be met is told with the names that contradict each other."""
    contradictions = arrange(current.split(), blocks, KEEP).contradictions

    assert len(contradictions) == 1
    assert named in contradictions[0][1]
