"""Looking at one target again and again, in a thread of its own, until it is ready."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from webhook.errors import HopelessError, NotReadyError
from webhook.runner import backoff, check
from webhook.runner.deadline import Deadline
from webhook.runner.targets import Target

STEADY = 10.0  # seconds; the rests begin anew after a look of that length, which was no failure


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a target gave; without a reason it is ready, `hopeless` it never will be."""

    number: int  # of the target
    reason: str = ""
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """How one target is looked at; `attempt` is how many seconds one look may take."""

    number: int
    target: Target
    deadline: Deadline
    attempt: float

    def start(self, put: Callable[[Seen], None]) -> None:
        """Begins; each look is handed to `put`. The process may end while it still looks."""
        threading.Thread(target=self._run, args=(put,), daemon=True).start()

    def _run(self, put: Callable[[Seen], None]) -> None:
        rest = threading.Event()
        rests = backoff.rests(random.random)
        known = False

        def say(reason: str) -> None:
            nonlocal known
            known = True
            put(Seen(self.number, reason))

        while True:
            began = time.monotonic()
            seen = self._look(say)
            if seen.reason and known and self.deadline.passed:
                return  # this look was cut short, and says less than the one before
            put(seen)
            if seen.hopeless or not seen.reason:
                return
            known = True
            if time.monotonic() - began >= STEADY:
                rests = backoff.rests(random.random)
            rest.wait(next(rests))

    def _look(self, say: Callable[[str], None]) -> Seen:
        looks = self.target.check
        try:
            if isinstance(looks, check.Follower):
                looks.follow(self.deadline, self.attempt, say)
            else:
                looks(self.deadline.earlier(self.attempt))
        except NotReadyError as error:
            return Seen(self.number, str(error))
        except HopelessError as error:
            return Seen(self.number, str(error), hopeless=True)
        except Exception as error:  # a server must not be able to end the others' waiting
            what = f"internal error, please report it: {type(error).__name__}"
            return Seen(self.number, what)
        return Seen(self.number)
