"""What an application is to a connection: ASGI, and an answer without waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]
Answer = tuple[int, Headers, bytes]  # status, headers, body
Application = Callable[[Any, Any, Any], Awaitable[None]]  # ASGI

# What an application may know beside ASGI: to answer a scope and its whole body without waiting.
# Where that is not possible, it gives an application that waits.
AtOnce = Callable[[Any, bytes], Answer | Application]
