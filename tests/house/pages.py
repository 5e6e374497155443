"""Pages as a reader meets them: blocks in order, files to write, commands with what they print.

- A block whose line before ends in a file's name and a colon (… into `policy.yaml`:) is that file.
- In a `console` block, a line that begins with `$ ` is a command (it goes on behind a backslash),
  and the lines below are what it prints; `…` stands for anything, on a line of its own for any
  lines. `sh` blocks are for places that a test has not, such as a cluster.
- `initject serve` goes on in a terminal of its own until the page ends. Its usual ports stand for
  free ones.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import BIN, CHECKOUT

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```\n", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"`([\w./-]+)`:$")
_PORTS = ("8443", "8081")
_END = "\x1e"  # a sign that no command prints
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code; `name` is the file that it is, or empty."""

    kind: str
    text: str
    name: str
    start: int  # of its text in the page


@dataclass(frozen=True, slots=True)
class Command:
    """One command and what the page says that it prints; `start` and `end` enclose that."""

    text: str
    output: str
    start: int
    end: int


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [_block(page, found) for found in _BLOCK.finditer(page)]


def _block(page: str, found: re.Match[str]) -> Block:
    indent = found[1]
    lines = found[3].splitlines(keepends=True)
    before = page[: found.start()].rstrip().rpartition("\n")[2]
    name = _NAME.search(before)
    text = "".join(line.removeprefix(indent) for line in lines)
    return Block(found[2], text, name[1] if name else "", found.start(3))


def commands(block: Block) -> Iterator[Command]:
    """The commands of a `console` block; one that is indented cannot have any."""
    place, text, begin, output = block.start, "", 0, ""
    for line in [*block.text.splitlines(keepends=True), "$ \n"]:
        if text.endswith("\\\n"):
            text += line
            begin = place + len(line)
        elif line.startswith("$ "):
            if text:
                yield Command(text.strip(), output, begin, place)
            text, begin, output = line[2:], place + len(line), ""
        else:
            output += line
        place += len(line)


def alike(expected: str, actual: str) -> bool:
    """Whether a page's output is the real one, `…` being anything."""
    parts = []
    for line in expected.rstrip().splitlines():
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.rstrip().split("…"))) + r"[ ]*\n")
    text = actual.rstrip() + "\n" if actual.strip() else ""
    return re.fullmatch("".join(parts), text) is not None


class Terminal:
    """A shell in a folder of its own that has the repository's examples and manifests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("examples", "deploy"):
            shutil.copytree(CHECKOUT / name, folder / name)
        self._ports = dict(zip(_PORTS, map(str, _free_ports()), strict=True))
        keep = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        self._environment = {
            **keep,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "INITJECT_PORT": self._ports["8443"],
            "INITJECT_HEALTH_PORT": self._ports["8081"],
        }
        self._shell = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=0,
        )
        self._servers: list[subprocess.Popen[bytes]] = []

    def write(self, block: Block) -> None:
        """Put a block into the file that it is."""
        path = self.folder / block.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._translated(block.text), encoding="utf-8")

    def run(self, command: str) -> str:
        """What a command prints, on either stream."""
        text = self._translated(command)
        said = self._serve(text) if text.startswith("initject serve") else self._ask(text)
        for usual, free in self._ports.items():
            said = re.sub(rf"\b{free}\b", usual, said)
        return said.replace(str(self.folder), "…")

    def close(self) -> None:
        """End the shell and every server."""
        for server in self._servers:
            server.kill()
            server.wait()
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        with suppress(OSError):
            self._shell.stdin.close()
        self._shell.wait(PATIENCE)
        self._shell.stdout.close()

    def _translated(self, text: str) -> str:
        for usual, free in self._ports.items():
            text = re.sub(rf"\b{usual}\b", free, text)
        return text

    def _ask(self, text: str) -> str:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        # `$?` stays what the command left, as it does at a prompt.
        self._shell.stdin.write(f"{text}\n(code=$?; printf '{_END}\\n'; exit $code)\n")
        said = ""
        while not said.endswith(f"{_END}\n"):
            line = self._shell.stdout.readline()
            assert line, f"the shell ended: {said}"
            said += line
        return said.removesuffix(f"{_END}\n")

    def _serve(self, text: str) -> str:
        """Start a server; what it says until it is ready, or until it has ended."""
        log = self.folder.parent / f"server-{len(self._servers)}.log"
        with log.open("wb") as file:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                cwd=self.folder,
                env=self._environment,
                stdout=file,
                stderr=file,
            )
        self._servers.append(server)
        end = time.monotonic() + PATIENCE
        while "ready on" not in log.read_text() and server.poll() is None:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        return log.read_text()


def _free_ports() -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@contextmanager
def terminal() -> Iterator[Terminal]:
    """A terminal that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "here"
        place.mkdir()
        opened = Terminal(place)
        try:
            yield opened
        finally:
            opened.close()


def played(page: str, opened: Terminal) -> Iterator[tuple[Command, str]]:
    """Does what a page says, from top to bottom: each command, and what it really prints."""
    for block in blocks(page):
        if block.name:
            opened.write(block)
        elif block.kind == "console":
            for command in commands(block):
                yield command, opened.run(command.text)
