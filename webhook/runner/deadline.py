"""A moment after which something has failed; everything that waits asks how long it still may."""

from __future__ import annotations

import time
from dataclasses import dataclass

from webhook.errors import NotReadyError

NO_ANSWER = "no answer in time"


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def earlier(self, seconds: float) -> Deadline:
        """This moment, or that `seconds` from now where it comes first."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.at <= time.monotonic()

    def left(self) -> float:
        """Seconds until then, more than none; raises NotReadyError when it has passed."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise NotReadyError(NO_ANSWER)
        return left
