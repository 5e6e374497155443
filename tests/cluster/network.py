"""Being inside the cluster's network from a test: a thread that has moved there.

A socket belongs to the network namespace that its thread was in when it was made, so a client that
connects, or a listener that binds, on this thread is inside, while the rest of the process is not.
"""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
P = ParamSpec("P")
T = TypeVar("T")


def enter(process: int) -> None:
    """Move the calling thread into the network namespace of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(Path(f"/proc/{process}/ns/net"), os.O_RDONLY)
    try:
        if libc.setns(handle, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(handle)


class Inside:
    """Runs functions on a thread that lives in the network of a process; None: in our own."""

    def __init__(self, process: int | None) -> None:
        self._process = process
        self._thread = self.threads(1)

    def threads(self, count: int) -> ThreadPoolExecutor:
        """Further threads that live there, for whoever ends them."""
        if self._process is None:
            return ThreadPoolExecutor(count)
        return ThreadPoolExecutor(count, initializer=enter, initargs=(self._process,))

    def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._thread.submit(function, *args, **kwargs).result()

    def listen(self) -> socket.socket:
        """A listening socket on a free port of the cluster's 127.0.0.1."""
        return self(lambda: socket.create_server(("127.0.0.1", 0)))

    def close(self) -> None:
        self._thread.shutdown()
