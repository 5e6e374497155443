"""Changes of a bundle's folder, as they happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from certs import files
from certs.bundle import Bundle, CertificateError

# Three `stat` calls, some 10 microseconds: cheaper by far than one review, portable, and right
# about symlink swaps, network file systems and subfolders, where inotify has a trap each.
GLANCE = 1.0
# The whole comparison of contents, for the file systems whose `stat` does not tell
# (controller-runtime's certwatcher polls every 10 s too).
POLL = 10.0


async def watch(
    folder: Path, last: Bundle | None = None, *, poll: float = POLL, glance: float = GLANCE
) -> AsyncIterator[Bundle | CertificateError]:
    """Yields what `folder` holds whenever that is news; `last` is what the caller has of it.

    Equal bundles are skipped, except after an error: then the equal bundle says that all is well
    again. A CertificateError means that what is in force must stay. Never ends by itself; a bad
    state is told once, not at every look.
    """
    known: Bundle | str | None = last
    seen: files.Signature | None = None
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        now = files.signature(folder)
        if now != seen or loop.time() >= due:
            seen, due = now, loop.time() + poll
            found = await asyncio.to_thread(_read, folder)
            news = str(found) if isinstance(found, CertificateError) else found
            if news != known:
                known = news
                yield found
        await asyncio.sleep(min(glance, poll))


def _read(folder: Path) -> Bundle | CertificateError:
    try:
        return files.read(folder)
    except CertificateError as error:
        return error
    except Exception as error:  # a watch that has died would serve an expired certificate one day
        text = f"{folder}: cannot be read: {type(error).__name__}; see the traceback"
        failure = CertificateError(text)
        failure.__cause__ = error
        return failure
