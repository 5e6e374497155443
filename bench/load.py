"""Servers as processes of their own, load on them, and what a review cost them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8  # an API server keeps at most 25; at 8 one core is busy all the time
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]


def pin(core: int) -> Callable[[], None]:
    """Something that puts the process that calls it on a core."""
    return lambda: os.sched_setaffinity(0, {core})


@dataclass
class Server:
    """A running server and how long it took to say that it is ready."""

    process: subprocess.Popen[str]
    port: int
    seconds: float

    def cpu(self) -> float:
        """Seconds of CPU that it has used, to the nanosecond.

        The CPU clock of another process (clock_getcpuclockid(3)); `utime` and `stime` in /proc are
        counted by ticks, which a server that sleeps between requests can fall between.
        """
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def memory(self) -> float:
        """MiB that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024

    def private(self) -> float:
        """MiB of them that are its own, not mapped from a file."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.findall(r"Anonymous:\s+(\d+) kB", rollup)[0]) / 1024

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def contender(name: str, folder: Path) -> Server:
    """One of the servers that we are measured against."""
    port = _free_port()
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench.contenders", name, str(port), str(folder)]
    process = subprocess.Popen(command, preexec_fn=pin(SERVER_CORE), text=True)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None:
                raise
            time.sleep(0.02)
        else:
            return Server(process, port, time.perf_counter() - began)


def initject(policies: Path, folder: Path) -> Server:
    """`initject serve` with metrics on, and logs from warnings on."""
    arguments = ["--port", "0", "--health-port", "0", "--log-level", "warning"]
    arguments += ["--cert-dir", str(folder), "--policies", str(policies)]
    command = [sys.executable, "-m", "webhook", "serve", *arguments]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, preexec_fn=pin(SERVER_CORE), text=True, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    for line in process.stderr:
        ready = re.search(r"ready on https://[^ ]+:(\d+) ", line)
        if ready:
            return Server(process, int(ready[1]), time.perf_counter() - began)
        if "(warning)" not in line:
            sys.stderr.write(line)
    sys.exit(1)


@dataclass(frozen=True)
class Cost:
    """What a number of reviews took."""

    reviews: int
    cpu: float
    seconds: float

    @property
    def each(self) -> float:
        """Microseconds of CPU for one."""
        return self.cpu / self.reviews * 1e6

    @property
    def rate(self) -> float:
        """Reviews a second that were answered."""
        return self.reviews / self.seconds


def measure(server: Server, body: bytes, seconds: float) -> Cost:
    """Load a server with one review, again and again, and see what it uses."""
    generate = _wrk if shutil.which("wrk") else _own
    before, began = server.cpu(), time.perf_counter()
    reviews = generate(server.port, body, seconds)
    return Cost(reviews, server.cpu() - before, time.perf_counter() - began)


def _wrk(port: int, body: bytes, seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "body").write_bytes(body)
        script = Path(folder, "post.lua")
        script.write_text(
            f'wrk.method = "POST"\nwrk.body = io.open("{folder}/body", "rb"):read("*a")\n'
            'wrk.headers["Content-Type"] = "application/json"\n'
        )
        command = [
            "wrk",
            "-t1",
            "--timeout=60s",
            f"-c{CONNECTIONS}",
            f"-d{seconds:.0f}s",
            "-s",
            str(script),
        ]
        url = f"https://127.0.0.1:{port}/mutate?timeout=10s"
        done = subprocess.run(
            [*command, url], preexec_fn=pin(LOAD_CORE), text=True, capture_output=True, check=True
        )
    wrong = re.search(r"Non-2xx.*|Socket errors.*", done.stdout)
    if wrong:
        sys.exit(f"the load met errors: {wrong[0]}")
    return int(re.findall(r"(\d+) requests in", done.stdout)[0])


def _own(port: int, body: bytes, seconds: float) -> int:
    """For machines without wrk: slower, which changes the rate, and hardly the CPU per review."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    head = (
        "POST /mutate?timeout=10s HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    question = head.encode() + body
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    lines = [
        context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
        for _ in range(CONNECTIONS)
    ]
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for line in lines:
            line.sendall(question)
        for line in lines:
            _answer(line)
        count += len(lines)
    for line in lines:
        line.close()
    os.sched_setaffinity(0, before)
    return count


def _answer(line: ssl.SSLSocket) -> None:
    got = line.recv(65536)
    while b"\r\n\r\n" not in got:
        got += line.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"the load met errors: {head[:40]!r}")
    length = int(re.findall(rb"content-length: (\d+)", head)[0])
    while len(body) < length:
        body += line.recv(65536)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
