"""Fetching with an end: again after what may heal, until time is over or somebody stops us."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from webhook.errors import FetchError, NotReadyError, UsageError
from webhook.runner import backoff, duration, report
from webhook.runner.deadline import Deadline
from webhook.runner.fetch.order import Order
from webhook.runner.statuses import FAILED, GAVE_UP, SIGNALLED

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fetched, and how long it may take. `exit_code` is the status when time is over.

    `message` is the file for the last line: None is where Kubernetes looks, "" is nowhere.
    """

    order: Order
    timeout: float
    exit_code: int = GAVE_UP
    message: str | None = None


class _OverError(Exception):
    """Time is over; the text is what was last in the way."""


class _Stopped(BaseException):
    """As KeyboardInterrupt is: it ends whatever is done."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def run(plan: Plan, say: Say) -> int:
    """Fetches; says what is in the way and the last line, and returns the exit status.

    0: all is there. 1: it will not be. `plan.exit_code`: time is over. 128 and its number: a signal
    came. Otherwise than with 0 nothing of it is there, or what an earlier run left. Must be called
    in the main thread, where signals arrive.
    """
    began = time.monotonic()
    status, end, what = _ended(plan, Deadline(began + plan.timeout), say)
    last = f"{end} after {duration.written(time.monotonic() - began)}: {plan.order.name}: {what}"
    say(last)
    if failed := report.leave(f"initject fetch: {last}", plan.message):
        say(failed)
    return status


def _ended(plan: Plan, deadline: Deadline, say: Say) -> tuple[int, str, str]:
    """The status, how it ended, and what is to be said about that."""
    reasons: list[str] = []
    try:
        with _stopping():
            return 0, "fetched", _until_over(plan.order, deadline, say, reasons)
    except (FetchError, UsageError) as error:
        return FAILED, "failed", str(error)
    except _OverError as error:
        return plan.exit_code, "gave up", str(error)
    except _Stopped as stopped:
        reason = reasons[-1] if reasons else report.NOTHING_YET
        return SIGNALLED + stopped.number, "was stopped", reason
    except Exception as error:  # what it says may hold a secret
        return FAILED, "failed", f"internal error, please report it: {type(error).__name__}"


def _until_over(order: Order, deadline: Deadline, say: Say, reasons: list[str]) -> str:
    for rest in backoff.rests(random.random):
        try:
            return order.attempt(deadline)
        except NotReadyError as error:
            # An attempt that time cut short says less than the one before.
            if not (reasons and deadline.passed):
                reasons.append(str(error))
            pause = max(rest, error.after)
        if time.monotonic() + pause >= deadline.at:
            wants = f", and asks for {duration.written(pause)} of rest" if pause > rest else ""
            msg = f"{reasons[-1]}{wants}"
            raise _OverError(msg)
        if reasons[-2:-1] != reasons[-1:]:
            say(f"{order.name}: {reasons[-1]}; trying again")
        time.sleep(pause)
    raise AssertionError


@contextmanager
def _stopping() -> Iterator[None]:
    """SIGTERM and SIGINT end what is done; a second one does not disturb the tidying up."""
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise _Stopped(number)

    usual = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
