"""Globs: `*` stands for any characters, `/` too; everything else stands for itself."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Glob:
    """A compiled glob. Two globs are equal when their texts are.

    `exact` is the only text that matches when there is no star in it, else None. Matching reads
    the text once per literal piece and never goes back, so no text of a pod can make it slow.
    """

    text: str
    exact: str | None = field(compare=False)
    _prefix: str = field(compare=False, repr=False)
    _middle: tuple[str, ...] = field(compare=False, repr=False)
    _suffix: str = field(compare=False, repr=False)
    _shortest: int = field(compare=False, repr=False)

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` matches, upper and lower case being different."""
        if self.exact is not None:
            return text == self.exact
        if len(text) < self._shortest or not text.startswith(self._prefix):
            return False
        return text.endswith(self._suffix) and (not self._middle or self._holds_middle(text))

    def _holds_middle(self, text: str) -> bool:
        # Taking the first place of each piece leaves the most room for the pieces after it.
        place, end = len(self._prefix), len(text) - len(self._suffix)
        for piece in self._middle:
            place = text.find(piece, place, end)
            if place < 0:
                return False
            place += len(piece)
        return True

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Glob:
    """Compile `text`. Every text is a glob; several stars in a row are as one."""
    prefix, *rest = text.split("*")
    if not rest:
        return Glob(text, text, "", (), "", len(text))
    *middle, suffix = rest
    pieces = tuple(piece for piece in middle if piece)
    shortest = len(prefix) + sum(map(len, pieces)) + len(suffix)
    return Glob(text, None, prefix, pieces, suffix, shortest)


def overlap(a: Glob, b: Glob) -> bool:
    """Whether some text matches both; exact, not a guess.

    With a star in each, beginnings that agree and ends that agree suffice: the longer beginning,
    the pieces of the one, the pieces of the other and the longer end make such a text.
    """
    if a.exact is not None:
        return b.matches(a.exact)
    if b.exact is not None:
        return a.matches(b.exact)
    return _begin_alike(a._prefix, b._prefix) and _end_alike(a._suffix, b._suffix)


def _begin_alike(a: str, b: str) -> bool:
    return a.startswith(b) or b.startswith(a)


def _end_alike(a: str, b: str) -> bool:
    return a.endswith(b) or b.endswith(a)
