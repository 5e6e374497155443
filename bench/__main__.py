"""`python -m bench`: everything that README.md promises of speed and memory, in one run."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import inputs, load, verbs
from certs import files
from certs.authority import Authority

_MB = 2**20 / 1e6  # a MiB in MB
SETTLE = 20_000  # reviews after which memory is what it stays


@dataclass(frozen=True)
class Line:
    """One line of the table. `limit` is what the issue of this work demands."""

    what: str
    value: float
    unit: str
    limit: float
    least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the demand is met."""
        return self.value >= self.limit if self.least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        mark = "" if self.holds else "   MISSED"
        return f"{self.what:58} {self.value:8.2f} {self.unit:5} {sign} {self.limit:g}{mark}"


def main() -> int:
    """Measure, print, and give 1 when a demand is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1, help="of load, each time")
    parser.add_argument("--rounds", type=int, default=9, help="of which the median counts")
    parser.add_argument("--reviews", type=int, default=100_000, help="for the memory")
    parser.add_argument("--long", action="store_true", help="a million reviews for the memory")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        verbs.use_bytecode(folder / "bytecode")
        _prepare(folder)
        lines = [
            *starts(),
            *costs(folder, options.seconds, options.rounds),
            *memory(folder, *((1_000_000, 3600) if options.long else (options.reviews, 60))),
            start(folder),
        ]
    print()
    for line in lines:
        print(line)
    tool = "wrk" if shutil.which("wrk") else "bench/load.py"
    print(
        f"\n{time.perf_counter() - began:.0f} s, {len(load.CORES)} cores, load by {tool}, {_busy()}"
    )
    return 0 if all(line.holds for line in lines) else 1


@dataclass(frozen=True)
class Pair:
    """Two loads whose costs are compared, each a server and the review that it is sent."""

    what: str
    limit: float
    one: tuple[load.Server, bytes]
    other: tuple[load.Server, bytes]
    least: bool = False


def costs(folder: Path, seconds: float, rounds: int) -> list[Line]:
    """CPU per review as ratios: both loads of a pair follow each other in every round."""
    small, large = inputs.review(inputs.SMALL), inputs.review(inputs.LARGE)
    nobody = inputs.review(inputs.SMALL, app="unconcerned")
    with contextlib.ExitStack() as stack:

        def served(server: load.Server) -> load.Server:
            stack.callback(server.stop)
            return server

        floor = served(load.contender("floor", folder))
        obvious = served(load.contender("obvious", folder))
        hundred = served(load.initject(folder / "hundred.yaml", folder))
        one = served(load.initject(folder / "one.yaml", folder))
        many = served(load.initject(folder / "ten-thousand.yaml", folder))
        concerned, smallest = (hundred, small), (floor, small)
        pairs = (
            Pair(
                "a review that one of 100 policies concerns, to the floor", 2.2, concerned, smallest
            ),
            Pair(
                "reviews per second, to the obvious FastAPI handler",
                5,
                (obvious, small),
                concerned,
                least=True,
            ),
            Pair("10,000 policies that do not apply, to one", 1.1, (many, nobody), (one, nobody)),
            Pair(
                "a pod that no policy concerns, to the floor",
                1.15,
                (hundred, nobody),
                (floor, nobody),
            ),
            Pair(
                "a pod of 80 KB, to the floor on the same body",
                2.5,
                (hundred, large),
                (floor, large),
            ),
        )
        for server in (floor, obvious, hundred, one, many):
            load.measure(server, small, 1)
        found: dict[str, list[tuple[float, float]]] = {pair.what: [] for pair in pairs}
        for number in range(rounds):
            for pair in pairs:
                found[pair.what].append(_measured(pair, seconds, turned=number % 2 == 1))
    print(f"{'':58} {'least µs CPU':>17} {'median':>7}  middle half")
    return [_line(pair, found[pair.what]) for pair in pairs]


def _measured(pair: Pair, seconds: float, *, turned: bool) -> tuple[float, float]:
    """Microseconds of both loads; `turned` takes the other one first, so that a drift cancels."""
    loads = (pair.other, pair.one) if turned else (pair.one, pair.other)
    first, second = [load.measure(server, body, seconds).each for server, body in loads]
    return (second, first) if turned else (first, second)


def _line(pair: Pair, found: list[tuple[float, float]]) -> Line:
    ratios = [one / other for one, other in found]
    value = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else (value,) * 3
    least = " / ".join(f"{min(us):.1f}" for us in zip(*found, strict=True))
    print(f"{pair.what:58} {least:>17} {value:7.2f}  {low:.2f} to {high:.2f}")
    return Line(pair.what, value, "times", pair.limit, pair.least)


def memory(folder: Path, reviews: int, seconds: float) -> Iterator[Line]:
    """What 1,000 policies hold, and what reviews add to it: so many, or as many as time allows."""
    body = inputs.review(inputs.SMALL)
    server = load.initject(folder / "thousand.yaml", folder)
    try:
        _spend(server, body, SETTLE, seconds)
        before = server.memory()
        done = _spend(server, body, reviews, seconds)
        after = server.memory()
        private = server.private()
    finally:
        server.stop()
    files = (after - private) * _MB
    print(f"\n{files:.0f} MB of the memory with 1,000 policies are pages of program files")
    yield Line("memory with 1,000 policies, our own", private * _MB, "MB", 80)
    yield Line("memory with 1,000 policies, program files included", after * _MB, "MB", 100)
    yield Line(f"growth over {done:,} reviews", after - before, "MiB", 1)


def _spend(server: load.Server, body: bytes, reviews: int, seconds: float) -> int:
    done, end = 0, time.perf_counter() + seconds
    while done < reviews and time.perf_counter() < end:
        done += load.measure(server, body, 10).reviews
    return done


def starts() -> Iterator[Line]:
    """What a person waits for the command line, beside what Python alone takes."""
    seconds = verbs.times()
    python = seconds.pop(verbs.NOTHING)
    print(f"\n{'':36} {'ms':>10} {'times Python':>13}")
    print(f"{verbs.NOTHING:36} {python * 1000:10.0f} {1:13.1f}")
    for name, found in seconds.items():
        print(f"{'initject ' + name:36} {found * 1000:10.0f} {found / python:13.1f}")
    for name, found in seconds.items():
        limit = 0.3 if name in ("check", "preview") else 0.15
        yield Line(f"initject {name}", found, "s", limit)


def start(folder: Path) -> Line:
    """From nothing to ready, with 100 policies."""
    seconds = []
    for _ in range(3):
        server = load.initject(folder / "hundred.yaml", folder)
        server.stop()
        seconds.append(server.seconds)
    return Line("start to ready with 100 policies", statistics.median(seconds), "s", 1)


def _prepare(folder: Path) -> None:
    now = datetime.now(UTC)
    bundle = Authority.create(now).issue(["127.0.0.1"], now, timedelta(days=1))
    files.write(folder, bundle)
    applying = inputs.applying()
    for name, text in (
        ("one", inputs.others(1)),
        ("hundred", applying + inputs.others(99)),
        ("thousand", applying + inputs.others(999)),
        ("ten-thousand", inputs.others(10_000)),
    ):
        (folder / f"{name}.yaml").write_text(text)


def _busy() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
