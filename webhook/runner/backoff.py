"""How long to rest between two attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

# Guesses. The first: a server that is nearly there costs a moment. The most: one that has come up
# is seen within it; a thousand waiting pods are then some 270 attempts a second.
FIRST, MOST, FACTOR = 0.25, 5.0, 1.6


def rests(chance: Callable[[], float]) -> Iterator[float]:
    """Seconds, for ever: growing to MOST, each between its half and its whole.

    `chance` gives numbers from 0 to 1. They keep pods that were started together apart.
    """
    whole = FIRST
    while True:
        yield whole * (0.5 + 0.5 * chance())
        whole = min(whole * FACTOR, MOST)
