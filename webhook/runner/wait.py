"""Waiting for targets, all at once: until they are ready, time is over, or somebody stops us."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Literal

from webhook.runner import report
from webhook.runner.deadline import Deadline
from webhook.runner.targets import Target
from webhook.runner.watch import Seen, Watch

Mode = Literal["all", "any"]
Say = Callable[[str], None]
Event = Seen | signal.Signals

# Attempts end with the deadline themselves; this is for what they then still have to say.
LAST_WORDS = 0.2
SIGNALLED = 128  # and the signal's number, as a shell reports it


@dataclass(frozen=True, slots=True)
class Plan:
    """What is waited for, and how long. `exit_code` is the status when the time is over.

    `message` is the file for the last line: None is where Kubernetes looks, "" is nowhere.
    """

    targets: Sequence[Target]
    timeout: float
    attempt: float
    mode: Mode = "all"
    exit_code: int = 210
    message: str | None = None


@dataclass(slots=True)
class _State:
    """What is known so far: of each target the last reason, None before the first."""

    plan: Plan
    began: float = field(default_factory=time.monotonic)
    reasons: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reasons = [None for _ in self.plan.targets]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def ready(self) -> list[str]:
        named = zip(self.plan.targets, self.reasons, strict=True)
        return [target.name for target, reason in named if reason == ""]

    @property
    def waiting(self) -> list[tuple[str, str]]:
        named = zip(self.plan.targets, self.reasons, strict=True)
        return [(target.name, reason or "") for target, reason in named if reason != ""]

    @property
    def done(self) -> bool:
        return not self.waiting or (self.plan.mode == "any" and bool(self.ready))

    def take(self, seen: Seen) -> str:
        """The line about a change, or nothing."""
        if self.reasons[seen.number] == seen.reason:
            return ""
        self.reasons[seen.number] = seen.reason
        return report.change(self.plan.targets[seen.number].name, seen.reason, self.seconds)


def run(plan: Plan, say: Say) -> int:
    """Waits; says what changes and the last line, and returns the exit status.

    0: ready. `plan.exit_code`: the time is over. 128 and its number: a signal came. Must be called
    in the main thread, where signals arrive.
    """
    state = _State(plan)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with _signals(events):
        status = _until_over(state, events, say)
    if status == 0:
        last = report.ready(state.ready, state.seconds)
    else:
        over = "gave up" if status == plan.exit_code else "was stopped"
        last = report.given_up(over, state.waiting, state.seconds)
    say(last)
    if failed := report.leave(f"initject wait: {last}", plan.message):
        say(failed)
    return status


def _until_over(state: _State, events: queue.SimpleQueue[Event], say: Say) -> int:
    plan = state.plan
    deadline = Deadline(state.began + plan.timeout)
    for number, target in enumerate(plan.targets):
        Watch(number, target, deadline, plan.attempt).start(events.put)
    while not state.done:
        left = deadline.at + LAST_WORDS - time.monotonic()
        try:
            event = events.get(timeout=max(left, 0))
        except queue.Empty:
            return plan.exit_code
        if isinstance(event, signal.Signals):
            return SIGNALLED + event
        if line := state.take(event):
            say(line)
    return 0


@contextmanager
def _signals(events: queue.SimpleQueue[Event]) -> Iterator[None]:
    """SIGTERM and SIGINT become events; afterwards they mean again what they meant."""

    def put(number: int, _: FrameType | None) -> None:
        events.put(signal.Signals(number))  # reentrant, unlike those of queue.Queue

    usual = {number: signal.signal(number, put) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
