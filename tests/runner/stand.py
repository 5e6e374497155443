"""Servers for the runner: real sockets that say what a test tells them to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from webhook.errors import NotReadyError
from webhook.runner import targets
from webhook.runner.deadline import Deadline

Talk = Callable[[socket.socket], None]
Address = tuple[str, int]
Make = Callable[[Callable[[Address], socket.socket], Address], socket.socket]
HERE = ("127.0.0.1", 0)  # on a free port


def here(function: Callable[[Address], socket.socket], address: Address) -> socket.socket:
    """A socket in the network of the tests."""
    return function(address)


@dataclass
class Stand:
    """A listening server; `connections` counts those that were accepted."""

    port: int
    connections: int = 0

    def url(self, scheme: str, rest: str = "") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{rest}"


@contextlib.contextmanager
def standing(
    talk: Talk, tls: ssl.SSLContext | None = None, at: Address = HERE, make: Make = here
) -> Iterator[Stand]:
    """A server that holds `talk` with each client, under TLS from the first byte with `tls`.

    It listens at an address of the network in which `make` makes sockets.
    """
    listener = make(socket.create_server, at)
    at = listener.getsockname()
    stand = Stand(at[1])
    ended = threading.Event()
    threads: list[threading.Thread] = []

    def serve() -> None:
        with listener:
            while True:
                client, _ = listener.accept()
                if ended.is_set():
                    client.close()
                    return
                stand.connections += 1
                thread = threading.Thread(target=hold, args=(client,))
                thread.start()
                threads.append(thread)

    def hold(client: socket.socket) -> None:
        client.settimeout(20)
        # A client that has seen enough goes away.
        with contextlib.suppress(OSError), client:
            if tls:
                client = tls.wrap_socket(client, server_side=True)
            with client:
                talk(client)

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield stand
    finally:
        ended.set()
        make(socket.create_connection, at).close()
        server.join()
        for thread in threads:
            thread.join()


def saying(answer: bytes, *, reads: bool = True) -> Talk:
    """Reads something, unless told not to, says `answer` and waits until the client leaves."""

    def talk(client: socket.socket) -> None:
        if reads:
            client.recv(4096)
        client.sendall(answer)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass

    return talk


def silent(client: socket.socket) -> None:
    """Takes everything and says nothing."""
    while client.recv(4096):
        pass


def look(url: str, seconds: float = 10.0) -> str:
    """Looks once at a target: why it is not ready, or nothing."""
    return looked(targets.read([url])[0], seconds)


def looked(target: targets.Target, seconds: float = 10.0) -> str:
    """The same, of a target that was read."""
    try:
        target.check(Deadline.after(seconds))
    except NotReadyError as error:
        return str(error)
    return ""
