"""A connection of which every step ends by one deadline, whatever the other side does."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from webhook.errors import NotReadyError
from webhook.runner import names, reach
from webhook.runner.address import Address
from webhook.runner.deadline import NO_ANSWER, Deadline
from webhook.runner.names import Found

if TYPE_CHECKING:
    from webhook.runner.trust import Trust

CLOSED = "the connection was closed without an answer"
_CHUNK = 4096


@contextmanager
def told() -> Iterator[None]:
    """What sockets and TLS raise becomes NotReadyError, in words that stay the same."""
    try:
        yield
    except TimeoutError:
        raise NotReadyError(NO_ANSWER) from None
    except ConnectionRefusedError:
        msg = "connection refused"
        raise NotReadyError(msg) from None
    except (ConnectionResetError, BrokenPipeError):
        msg = "connection reset"
        raise NotReadyError(msg) from None
    except OSError as error:
        raise NotReadyError(_reason(error)) from None


def _reason(error: OSError) -> str:
    verify = getattr(error, "verify_message", None)  # ssl's own: not imported for plain targets
    if verify:
        return f"the certificate is not trusted: {verify.rstrip('.')}"
    if reason := getattr(error, "reason", None):
        return f"no TLS: {str(reason).replace('_', ' ').lower()}"
    return error.strerror or str(error)


class Connection:
    """An open connection; close it by `with`. Each method raises NotReadyError."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._socket = sock
        self._deadline = deadline

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def until(self, deadline: Deadline) -> None:
        """From here on steps end by another deadline."""
        self._deadline = deadline

    def secure(self, trust: Trust) -> None:
        """Goes on under TLS."""
        with told():
            self._wait()
            self._socket = trust.context.wrap_socket(self._socket, server_hostname=trust.name)

    def sendall(self, data: bytes) -> None:
        """Sends all of `data`."""
        with told():
            self._wait()
            self._socket.sendall(data)

    def some(self, most: int = _CHUNK) -> bytes:
        """What is there next, at most `most` bytes; nothing when the other side has closed."""
        with told():
            self._wait()
            return self._socket.recv(most)

    def exactly(self, count: int) -> bytes:
        """The next `count` bytes, which the caller has bounded."""
        data = bytearray()
        while len(data) < count:
            piece = self.some(min(count - len(data), 65536))
            if not piece:
                raise NotReadyError(CLOSED)
            data += piece
        return bytes(data)

    def line(self, most: int) -> bytes:
        """The next line without its end, of at most `most` bytes, from a server that sends one."""
        data = b""
        while b"\n" not in data:
            piece = self.some(most)
            data += piece
            if not piece:
                raise NotReadyError(CLOSED)
            if len(data) > most:
                msg = f"answers with a line of more than {most} bytes"
                raise NotReadyError(msg)
        return data.partition(b"\n")[0].rstrip(b"\r")

    def close(self) -> None:
        """Closes it; the other side may have done so before."""
        self._socket.close()

    def _wait(self) -> None:
        self._socket.settimeout(self._deadline.left())


def to(address: Address, port: int, deadline: Deadline, trust: Trust | None = None) -> Connection:
    """A connection to a target, to `port` where it names none; raises NotReadyError."""
    found = names.look_up(address.host, address.port or port, deadline)
    return first(reach.opened(found) if address.listed else found, deadline, trust)


def connect(host: str, port: int, deadline: Deadline, trust: Trust | None = None) -> Connection:
    """A connection to the first address of `host` that accepts one, under TLS with `trust`.

    Raises NotReadyError with what the last address said.
    """
    return first(names.look_up(host, port, deadline), deadline, trust)


def first(found: Sequence[Found], deadline: Deadline, trust: Trust | None) -> Connection:
    """A connection to the first of some addresses that accepts one; raises NotReadyError."""
    for number, (family, place) in enumerate(found):
        # An address that swallows everything must leave time for those behind it.
        share = deadline.earlier(deadline.left() / (len(found) - number))
        try:
            opened = _open(family, place, share, deadline)
            break
        except NotReadyError:
            if number + 1 == len(found):
                raise
    if trust:
        try:
            opened.secure(trust)
        except NotReadyError:
            opened.close()
            raise
    return opened


def _open(
    family: socket.AddressFamily, place: Any, share: Deadline, deadline: Deadline
) -> Connection:
    with told():
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(share.left())
            sock.connect(place)
        except BaseException:
            sock.close()
            raise
    return Connection(sock, deadline)
