"""Two names that change places at once, which Linux can and Python has no word for."""

from __future__ import annotations

import ctypes
import os

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)


def exchange(one: str, one_in: int, other: str, other_in: int) -> None:
    """Each name is from now on what the other was; raises OSError."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(38, os.strerror(38))  # ENOSYS: an older C library
    if rename(one_in, os.fsencode(one), other_in, os.fsencode(other), _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
