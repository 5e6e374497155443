"""News of files and folders: when what they hold has changed, and has become quiet again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from webhook.store import files
from webhook.store.files import ATTEMPTS, SETTLE, Look, Sources

SHARE = 50  # a look takes at most one part in this many of the time, however many files there are


async def watch(
    paths: Sequence[str], last: Sources | None = None, *, interval: float = 1.0
) -> AsyncIterator[Sources]:
    """Yields what is under `paths` whenever its content is news; `last` is what the caller has.

    A change is read once it has been quiet for SETTLE seconds, so that a half-written file is not
    seen, and yielded with its problems, once; equal content is no news. Never ends by itself. Looks
    by `stat` every `interval` seconds, less often where a look takes long: that is right about
    links, editors and network file systems, where inotify has a trap each.
    """
    known, seen = last, None
    while True:
        began = time.monotonic()
        now = await asyncio.to_thread(files.look, paths)
        cost = time.monotonic() - began
        if now != seen:
            seen = await _settled(paths, now)
            found = await asyncio.to_thread(files.read, paths)
            if found != known:
                known = found
                yield found
        await asyncio.sleep(max(interval, cost * SHARE))


async def _settled(paths: Sequence[str], now: Look) -> Look:
    for _ in range(ATTEMPTS):
        await asyncio.sleep(SETTLE)
        before, now = now, await asyncio.to_thread(files.look, paths)
        if now == before:
            break
    return now
