"""The limits of expressions and of the inputs that they see, and how inputs are measured.

The runtime holds the interpreter while it evaluates, cannot be interrupted, caps only the number
of iterations, and lets text and lists grow. So the worst case of every expression is computed
before it is accepted (`cost`), for an input of `USUAL` size; a review with a larger input is
charged again, with its own size, before anything is evaluated.

The unit of cost is one microsecond of one core in the worst case: an upper bound, usually far
above what happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass

from webhook.errors import EvaluationError

MAX_LENGTH = 4096  # characters of one expression; those of Kubernetes' own policies have about 200
MAX_LOOPS = 4  # inside each other: containers, their env, a list of names, one to spare
MAX_ITERATIONS = 10_000  # the runtime's own cap, over the whole of one evaluation

# 50 ms: the longest that one expression may hold everybody else up.
MAX_EXPRESSION_COST = 50_000
# Half of the shortest timeout that an API server can be told for a webhook (1 s).
MAX_REVIEW_COST = 500_000
# One template's text. The kernel takes no argument or variable beyond 128 KiB (MAX_ARG_STRLEN),
# and a pod with 40 such texts still fits into etcd's 1.5 MiB.
MAX_TEXT = 32 * 1024

NODE = 32  # bytes that every value weighs beside its text; the runtime's own value takes 24
MAX_DEPTH = 64  # a pod is about 15 levels deep; the runtime's recursion crashes at some thousands


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large an input is: everything that expressions read of one review, together."""

    weight: int  # characters, and NODE for every value
    entries: int  # of the longest list or map
    text: int  # characters of the longest string


# What acceptance assumes. The gallery's policies read at most a tenth of it.
USUAL = Sizes(weight=16 * 1024, entries=64, text=2 * 1024)
CONVERT = 12  # nanoseconds a byte of weight, to hand an input to the runtime
# Beyond this, that alone takes 50 ms: 130,000 values, where the 3 MiB that an API server takes as
# a body can hold more than a million.
LARGEST = 4 * 1024 * 1024


class Meter:
    """Counts an input while it is taken apart."""

    __slots__ = ("entries", "text", "weight")

    def __init__(self) -> None:
        self.weight = 0
        self.entries = 0
        self.text = 0

    def copy(self) -> Meter:
        """Another one that goes on counting from here."""
        other = Meter()
        other.weight, other.entries, other.text = self.weight, self.entries, self.text
        return other

    def string(self, value: str) -> None:
        """Counts a string. Raises EvaluationError for NUL, where the runtime would cut it off."""
        if "\0" in value:
            what = "the pod holds a NUL character"
            raise EvaluationError(what)
        size = len(value) if value.isascii() else 4 * len(value)  # UTF-8 at its widest
        self.weight += size + NODE
        if size > self.text:
            self.text = size

    def map(self, value: Mapping[str, object]) -> None:
        """Counts a map and its keys, not its values. Raises EvaluationError as `list` does."""
        self.list(value)
        for key in value:
            self.string(key)

    def list(self, value: Sized) -> None:
        """Counts a list, not its elements. Raises EvaluationError beyond `LARGEST`."""
        size = len(value)
        self.weight += NODE
        if size > self.entries:
            self.entries = size
        if self.weight + size * NODE > LARGEST:
            what = "the pod is too large to be looked at by expressions"
            raise EvaluationError(what)

    def beyond(self) -> Sizes | None:
        """The size, rounded up to powers of two, when it exceeds the usual one."""
        fits = (
            self.weight <= USUAL.weight
            and self.entries <= USUAL.entries
            and self.text <= USUAL.text
        )
        if fits:
            return None
        return Sizes(_ceiling(self.weight), _ceiling(self.entries), _ceiling(self.text))


def _ceiling(number: int) -> int:
    """The next power of two: few classes, so that costs can be remembered."""
    return 1 << max(0, number - 1).bit_length()
