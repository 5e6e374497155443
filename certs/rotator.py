"""Keys in a store that several writers share: read, see what is due, do it, write.

Nobody is elected. A write tells what it builds upon, and the store refuses it when somebody else
has been faster: then read again, and mostly nothing is due any more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509

from certs import lifetime
from certs.bundle import Bundle
from certs.lifetime import Keys, Step, Terms

PAUSE = 0.2  # seconds at most before reading again what somebody else has written; a guess


class Store(Protocol):
    """Where the keys are kept: a Secret; in tests a dictionary."""

    async def read(self) -> tuple[str, Mapping[str, bytes]]:
        """What it holds now, and the version of that."""

    async def swap(self, version: str, data: Mapping[str, bytes]) -> bool:
        """Hold `data` in place of that version's; False when there is a newer one.

        Empty contents remove a name.
        """


@dataclass(frozen=True, slots=True)
class Turn:
    """The keys after one turn, what this replica did for that, and what was wrong before."""

    keys: Keys
    step: Step
    faults: tuple[str, ...]


class Spread:
    """Since when a CA has been trusted by every client, without a change in between.

    By a counter of our own that never jumps: whoever starts anew, or sees a change, waits for the
    whole time again.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._state: object = None
        self._since = 0.0

    def over(self, state: object, *, trusted: bool, now: float) -> bool:
        """Whether all clients must have heard of it by `now`; `state` differs after a change."""
        if (state, trusted) != self._state:
            self._state, self._since = (state, trusted), now
        return trusted and now - self._since >= self._seconds

    def left(self, now: float) -> float:
        """How many seconds it may still take."""
        return self._since + self._seconds - now


class Rotator:
    """One of those who share a store. `clock` is asked after each reading of the store."""

    def __init__(self, store: Store, terms: Terms, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._terms = terms
        self._clock = clock

    async def turn(self, known: Bundle | None, settled: Callable[[x509.Certificate], bool]) -> Turn:
        """Do what is due, one step at most; always with a leaf afterwards.

        `known` is the leaf that we serve, `settled` whether a CA has been trusted by all for long
        enough. Raises what the store raises.
        """
        while True:
            version, data = await self._store.read()
            found, faults = lifetime.read(data)
            keys, step = self._decided(found, known, settled)
            wanted = lifetime.write(keys)
            if wanted == {name: data.get(name, b"") for name in lifetime.PARTS}:
                return Turn(keys, step, faults)
            if await self._store.swap(version, wanted):
                return Turn(keys, Step.MEND if step is Step.NOTHING else step, faults)
            await asyncio.sleep(random.uniform(0, PAUSE))  # noqa: S311  # no secret

    def _decided(
        self, found: Keys, known: Bundle | None, settled: Callable[[x509.Certificate], bool]
    ) -> tuple[Keys, Step]:
        now = self._clock()
        keys = lifetime.sound(found, known, now)
        ready = keys.successor is not None and settled(keys.successor.own)
        step = lifetime.due(keys, self._terms, now, settled=ready)
        return lifetime.take(step, keys, self._terms, now), step
