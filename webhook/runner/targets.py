"""From what is written to what is looked at. A kind is loaded only when a target is of it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from webhook.errors import UsageError
from webhook.runner import address, reach, words
from webhook.runner.address import Address
from webhook.runner.check import Check
from webhook.runner.schemes import SCHEMES

MOST = 100  # targets of one wait, each with a thread; a guess

# What may be said in a list. Not what names a file (`ca`, `header-file`), sends what is written
# (`header`, `method`) or what a login has (`login`): they belong to who wrote the command.
LISTED = ("status", "body", "expect", "tls", "name", "verify", "user")


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is waited for, and how it is shown."""

    name: str
    check: Check


def read(words: Sequence[str], lists: Sequence[str] = ()) -> list[Target]:
    """Every target; raises UsageError with all that is wrong, a line each.

    `words` are a command's: URLs, or kinds with their fields. `lists` hold URLs with commas between
    them, and may be anybody's.
    """
    targets: list[Target] = []
    wrong: list[str] = []
    for parse in (*_from_words(words), *_from_lists(lists)):
        try:
            targets.append(_target(parse()))
        except UsageError as error:
            wrong.append(str(error))
    if len(targets) > MOST:
        wrong.append(f"{len(targets)} targets are too many; wait for at most {MOST}")
    if wrong:
        raise UsageError("\n".join(wrong))
    return targets


def _from_words(written: Sequence[str]) -> Iterator[Callable[[], Address]]:
    for item in words.split(written):
        if isinstance(item, words.Group):
            yield partial(words.parse, item)
        else:
            yield partial(address.parse, item)


def _from_lists(lists: Sequence[str]) -> Iterator[Callable[[], Address]]:
    for text in lists:
        for piece in text.split(","):
            if piece.strip():
                yield partial(_listed, piece.strip())


def _listed(text: str) -> Address:
    found = replace(address.parse(text), listed=True)
    for name, _ in found.options:
        if name not in LISTED:
            found.refuse(f"option {name!r} cannot stand in --targets; {', '.join(LISTED)} can")
    reach.check_host(found)
    return found


def _target(found: Address) -> Target:
    if found.scheme not in SCHEMES:
        near = difflib.get_close_matches(found.scheme, SCHEMES, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(SCHEMES)}"
        found.refuse(f"unknown scheme {found.scheme!r}; {advice}")
    kind = importlib.import_module(f"webhook.runner.kinds.{SCHEMES[found.scheme]}")
    check: Check = kind.read(found)
    return Target(str(found), check)
