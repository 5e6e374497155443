"""Looking up names with an end.

The system's own resolver is asked, as the application will ask it. It cannot be interrupted, so it
has a thread, and a lookup that still runs is joined by the next attempt instead of started again.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from typing import Any

from webhook.errors import NotReadyError
from webhook.runner.deadline import Deadline

Found = tuple[socket.AddressFamily, Any]  # the family, and what `connect` takes

_running: dict[tuple[str, int], Lookup] = {}
_lock = threading.Lock()


class Lookup:
    """One question to the resolver, in a thread that may outlive who asks."""

    def __init__(self, host: str, port: int) -> None:
        self._key = (host, port)
        self._done = threading.Event()
        self._found: list[Found] = []
        self._error = ""
        threading.Thread(target=self._ask, daemon=True).start()

    def result(self, deadline: Deadline) -> Sequence[Found]:
        """What was found; raises NotReadyError."""
        if not self._done.wait(deadline.left()):
            msg = "looking up the name takes too long"
            raise NotReadyError(msg)
        if self._error:
            raise NotReadyError(self._error)
        return self._found

    def _ask(self) -> None:
        host, port = self._key
        try:
            # As bytes: Python's own rules for names of other alphabets are not the cluster's.
            found = socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
            self._found = list(dict.fromkeys((family, place) for family, *_, place in found))
        except OSError as error:
            self._error = f"the name is not found: {error.strerror}"
        with _lock:
            _running.pop(self._key, None)
        self._done.set()


def look_up(host: str, port: int, deadline: Deadline) -> Sequence[Found]:
    """Every address of a host, at least one; raises NotReadyError."""
    with _lock:
        lookup = _running.get((host, port)) or Lookup(host, port)
        _running[host, port] = lookup
    return lookup.result(deadline)
