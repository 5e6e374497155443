"""A file server for `fetch`, one attempt at it, and what is then in a folder."""

from __future__ import annotations

import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.runner import stand
from webhook.errors import FetchError, NotReadyError
from webhook.runner.deadline import Deadline
from webhook.runner.fetch import orders

Answer = bytes | Callable[[socket.socket], None]


def fine(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(number: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {number} X", "Content-Length: 0", *headers, "", ""]).encode()


def moved(location: str) -> bytes:
    return status(302, f"Location: {location}")


@dataclass
class Shop:
    """A server; `asked` are the requests that it got."""

    port: int
    scheme: str = "http"
    asked: list[str] = field(default_factory=list)

    def url(self, path: str = "/file", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [request.split()[1] for request in self.asked]


@contextmanager
def open_shop(
    answers: Mapping[str, Answer] | Answer, tls: ssl.SSLContext | None = None
) -> Iterator[Shop]:
    """A server that answers by path; a single answer is for every path."""
    asked: list[str] = []

    def talk(client: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = client.recv(4096)
            if not piece:
                return
            request += piece
        asked.append(request.decode())
        path = asked[-1].split()[1].partition("?")[0]
        answer = answers.get(path, status(404)) if isinstance(answers, Mapping) else answers
        if callable(answer):
            answer(client)
            return
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass

    with stand.standing(talk, tls) as standing:
        yield Shop(standing.port, "https" if tls else "http", asked)


def attempt(*words: str, seconds: float = 20.0, stall: float = 10.0) -> str:
    """One attempt: what it says, behind `failed: ` for good or `later: ` for what may heal."""
    order = orders.read(words, stall)
    try:
        return order.attempt(Deadline.after(seconds))
    except FetchError as error:
        return f"failed: {error}"
    except NotReadyError as error:
        return f"later: {error}"


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "webhook", "fetch", *arguments]
    env = {**os.environ, **variables}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env)


def fetched(*arguments: str, **variables: str) -> tuple[int, list[str]]:
    """The exit status, and the lines without the times in them."""
    process = start(*arguments, **variables)
    _, said = process.communicate(timeout=60)
    return process.returncode, timeless(said).splitlines()


def timeless(said: str) -> str:
    return re.sub(r"after [0-9.]+s", "after …", said)


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder: content of files, `/` for folders, `-> target` for links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            what = f"-> {path.readlink()}"
        else:
            what = "/" if stat.S_ISDIR(kind) else path.read_text(errors="replace")
        found[str(path.relative_to(folder))] = what
    return found


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):o}"
