"""What every kind of target is made of: one look at it, with or without TLS."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from webhook.runner.address import Address
from webhook.runner.deadline import Deadline

if TYPE_CHECKING:
    from webhook.runner.trust import Trust

# Looks once: returns when the target is ready, raises NotReadyError with the reason otherwise, or
# HopelessError where it will never be; ends by the deadline. May be called again.
Check = Callable[[Deadline], None]


@runtime_checkable
class Follower(Protocol):
    """A check of a target that tells by itself when something changes."""

    def __call__(self, deadline: Deadline) -> None:
        """Looks once."""

    def follow(self, deadline: Deadline, attempt: float, say: Callable[[str], None]) -> None:
        """Returns when the target is ready, and tells `say` each reason until then.

        Each question has `attempt` seconds for its answer. Raises NotReadyError to be begun again
        after a rest, and HopelessError.
        """


TLS = ("ca", "name", "verify")  # the options of a target under TLS
MAYBE = ("tls", *TLS)  # of one where TLS is chosen

_MOST = 200  # characters of what a server says; a guess at what a person still reads


def trust(address: Address, *, always: bool = False) -> Trust | None:
    """What is trusted, or None without TLS: where neither the scheme nor `tls=true` asks for it."""
    if not always and not address.switch("tls", default=False):
        for name in TLS:
            if address.every(name):
                address.refuse(f"option {name!r} is for TLS; add tls=true")
        return None
    from webhook.runner import trust as trusted  # TLS costs memory and time to load

    return trusted.read(address)


def sentence(text: bytes) -> str:
    """What a server says, fit for a line of ours: short, and nothing that moves a terminal."""
    plain = text.decode("utf-8", "replace")
    return re.sub(r"[^ -~\u00a0-\U0010ffff]+", " ", plain).strip()[:_MOST]
