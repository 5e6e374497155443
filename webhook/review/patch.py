"""A JSON patch, and the form in which an AdmissionReview holds it."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

Operation = Mapping[str, Any]

_write = msgspec.json.Encoder().encode


class Patch(tuple[Operation, ...]):
    """Operations (RFC 6902) that are not changed any more; what is sent of them is made once."""

    @cached_property
    def encoded(self) -> bytes:
        """The operations as JSON, in base64."""
        return encode(tuple(self))

    @cached_property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """The parts of each operation's pointer, as they are in the document."""
        return tuple(place(operation["path"]) for operation in self)


def place(pointer: str) -> tuple[str, ...]:
    """The parts of a JSON pointer (RFC 6901)."""
    _, *parts = pointer.split("/")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


NO_PATCH = Patch()


def encode(operations: Sequence[Operation]) -> bytes:
    """Operations as JSON, in base64: `patch` of an AdmissionResponse."""
    return b2a_base64(_write(operations), newline=False)
