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
    parser.add_argument("--seconds", type=float, default=3, help="of load, each time")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
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
            *memory(folder, 1_000_000 if options.long else 100_000, 3600 if options.long else 30),
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


def costs(folder: Path, seconds: float, rounds: int) -> list[Line]:
    """CPU per review of each server, as ratios of the best of interleaved rounds."""
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
        ten_thousand = served(load.initject(folder / "ten-thousand.yaml", folder))
        runs = {
            "floor": (floor, small),
            "obvious FastAPI handler": (obvious, small),
            "100 policies, one applies": (hundred, small),
            "floor, the unconcerned pod": (floor, nobody),
            "100 policies, none applies": (hundred, nobody),
            "1 policy that does not apply": (one, nobody),
            "10,000 policies that do not apply": (ten_thousand, nobody),
            "floor, 80 KB": (floor, large),
            "100 policies, one applies, 80 KB": (hundred, large),
        }
        for server in (floor, obvious, hundred, one, ten_thousand):
            load.measure(server, small, 1)
        each = {name: [] for name in runs}
        for _ in range(rounds):
            for name, (server, body) in runs.items():
                each[name].append(load.measure(server, body, seconds))
    print(f"{'':36} {'µs CPU':>10} {'spread':>8} {'1/s':>9}")
    for name, found in each.items():
        us = [cost.each for cost in found]
        rate = max(cost.rate for cost in found)
        print(f"{name:36} {min(us):10.1f} {max(us) - min(us):8.1f} {rate:9.0f}")
    return _ratios({name: min(cost.each for cost in found) for name, found in each.items()})


def _ratios(us: dict[str, float]) -> list[Line]:
    one = us["100 policies, one applies"]
    return [
        Line(
            "a review that one of 100 policies concerns, to the floor",
            one / us["floor"],
            "times",
            2.2,
        ),
        Line(
            "reviews per second, to the obvious FastAPI handler",
            us["obvious FastAPI handler"] / one,
            "times",
            5,
            least=True,
        ),
        Line(
            "10,000 policies that do not apply, to one",
            us["10,000 policies that do not apply"] / us["1 policy that does not apply"],
            "times",
            1.1,
        ),
        Line(
            "a pod that no policy concerns, to the floor",
            us["100 policies, none applies"] / us["floor, the unconcerned pod"],
            "times",
            1.15,
        ),
        Line(
            "a pod of 80 KB, to the floor on the same body",
            us["100 policies, one applies, 80 KB"] / us["floor, 80 KB"],
            "times",
            2.5,
        ),
    ]


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
