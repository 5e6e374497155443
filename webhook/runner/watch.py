"""Looking at one target again and again, in a thread of its own, until it is ready."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from webhook.errors import NotReadyError
from webhook.runner import backoff
from webhook.runner.deadline import Deadline
from webhook.runner.targets import Target


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a target gave; without a reason it is ready."""

    number: int  # of the target
    reason: str = ""


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
        known = ""
        for seconds in backoff.rests(random.random):
            reason = self._look()
            if reason and known and self.deadline.passed:
                return  # this look was cut short, and says less than the one before
            put(Seen(self.number, reason))
            if not reason:
                return
            known = reason
            rest.wait(seconds)

    def _look(self) -> str:
        try:
            self.target.check(self.deadline.earlier(self.attempt))
        except NotReadyError as error:
            return str(error)
        except Exception as error:  # a server must not be able to end the others' waiting
            return f"internal error, please report it: {type(error).__name__}"
        return ""
