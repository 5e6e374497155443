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
from webhook.runner.statuses import FAILED, GAVE_UP, SIGNALLED
from webhook.runner.targets import Target
from webhook.runner.watch import Seen, Watch

Mode = Literal["all", "any"]
Say = Callable[[str], None]
Event = Seen | signal.Signals

# Attempts end with the deadline themselves; this is for what they then still have to say.
LAST_WORDS = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What is waited for, and how long. `exit_code` is the status when the time is over.

    `message` is the file for the last line: None is where Kubernetes looks, "" is nowhere.
    """

    targets: Sequence[Target]
    timeout: float
    attempt: float
    mode: Mode = "all"
    exit_code: int = GAVE_UP
    message: str | None = None


@dataclass(slots=True)
class _State:
    """What is known so far: of each target the last reason, None before the first.

    `lost` are the numbers of those that will never be ready.
    """

    plan: Plan
    began: float = field(default_factory=time.monotonic)
    reasons: list[str | None] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)

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

    @property
    def hopeless(self) -> bool:
        """Whether what is needed will never be there."""
        enough = len(self.reasons) if self.plan.mode == "any" else 1
        return len(self.lost) >= enough

    def take(self, seen: Seen) -> str:
        """The line about a change, or nothing."""
        if seen.hopeless:
            self.lost.add(seen.number)
        if self.reasons[seen.number] == seen.reason:
            return ""
        self.reasons[seen.number] = seen.reason
        return report.change(self.plan.targets[seen.number].name, seen.reason, self.seconds)


def run(plan: Plan, say: Say) -> int:
    """Waits; says what changes and the last line, and returns the exit status.

    0: ready. 1: never will be. `plan.exit_code`: the time is over. 128 and its number: a signal
    came. Must be called in the main thread, where signals arrive.
    """
    state = _State(plan)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with _signals(events):
        over, status = _until_over(state, events, say)
    if over:
        last = report.given_up(over, state.waiting, state.seconds)
    else:
        last = report.ready(state.ready, state.seconds)
    say(last)
    if failed := report.leave(f"initject wait: {last}", plan.message):
        say(failed)
    return status


def _until_over(state: _State, events: queue.SimpleQueue[Event], say: Say) -> tuple[str, int]:
    """How it ended where not all is ready, and the status."""
    plan = state.plan
    deadline = Deadline(state.began + plan.timeout)
    for number, target in enumerate(plan.targets):
        Watch(number, target, deadline, plan.attempt).start(events.put)
    while not (state.done or state.hopeless):
        left = deadline.at + LAST_WORDS - time.monotonic()
        try:
            event = events.get(timeout=max(left, 0))
        except queue.Empty:
            return "gave up", plan.exit_code
        if isinstance(event, signal.Signals):
            return "was stopped", SIGNALLED + event
        if line := state.take(event):
            say(line)
    return ("", 0) if state.done else ("failed", FAILED)


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
