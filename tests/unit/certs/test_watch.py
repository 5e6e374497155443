from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs import files
from certs.authority import Authority
from certs.bundle import Bundle, CertificateError
from certs.watch import watch

NOW = datetime.now(UTC)
CA = Authority.create(NOW)
News = Bundle | CertificateError


def _bundle() -> Bundle:
    return CA.issue(["a"], NOW, timedelta(days=1))


def _plain(folder: Path, bundle: Bundle) -> None:
    (folder / "tls.crt").write_bytes(bundle.certificate)
    (folder / "tls.key").write_bytes(bundle.key)
    (folder / "ca.crt").write_bytes(bundle.ca)


async def _next(news: AsyncIterator[News], seconds: float = 5) -> News | None:
    """The next news, or None when there is none in that time (which ends the watch)."""
    try:
        return await asyncio.wait_for(anext(news), seconds)
    except TimeoutError:
        return None


def test_tells_a_swap(tmp_path: Path) -> None:
    """A replaced pair is yielded at the next glance, long before the poll."""

    async def scenario() -> None:
        one, other = _bundle(), _bundle()
        files.write(tmp_path, one)
        news = watch(tmp_path, one, poll=100, glance=0.02)
        waiting = asyncio.create_task(_next(news))
        await asyncio.sleep(0.1)
        assert not waiting.done()

        files.write(tmp_path, other)
        assert other == await waiting

    asyncio.run(scenario())


def test_begins_with_what_the_caller_has_not(tmp_path: Path) -> None:
    """What changed between the caller's reading and the watch is told at once."""

    async def scenario() -> None:
        bundle = _bundle()
        files.write(tmp_path, bundle)

        assert bundle == await _next(watch(tmp_path, _bundle(), poll=100, glance=0.02))
        assert bundle == await _next(watch(tmp_path, poll=100, glance=0.02))

    asyncio.run(scenario())


def test_equal_content_is_no_news(tmp_path: Path) -> None:
    """The same pair written anew is not yielded."""

    async def scenario() -> None:
        bundle = _bundle()
        files.write(tmp_path, bundle)
        news = watch(tmp_path, bundle, poll=0.05, glance=0.02)
        waiting = asyncio.create_task(_next(news, 0.5))
        await asyncio.sleep(0.1)
        files.write(tmp_path, bundle)

        assert await waiting is None

    asyncio.run(scenario())


def test_tells_an_edit_in_place(tmp_path: Path) -> None:
    """Plain files that are written over are news as well, the CA alone included."""

    async def scenario() -> None:
        bundle = _bundle()
        _plain(tmp_path, bundle)
        news = watch(tmp_path, bundle, poll=100, glance=0.02)
        waiting = asyncio.create_task(_next(news))
        await asyncio.sleep(0.1)
        later = Bundle(bundle.certificate, bundle.key, bundle.ca + _bundle().ca)
        (tmp_path / "ca.crt").write_bytes(later.ca)

        assert later == await waiting

    asyncio.run(scenario())


def test_an_error_is_told_once_and_then_the_recovery(tmp_path: Path) -> None:
    """A bad state is yielded once; the bundle that ends it is news, even an equal one."""

    async def scenario() -> None:
        bundle = _bundle()
        _plain(tmp_path, bundle)
        news = watch(tmp_path, bundle, poll=0.05, glance=0.02)

        (tmp_path / "tls.key").write_bytes(_bundle().key)
        error = await _next(news)
        assert isinstance(error, CertificateError)
        assert "the key does not fit the certificate" in str(error)

        waiting = asyncio.create_task(_next(news))
        await asyncio.sleep(0.6)
        assert not waiting.done()
        (tmp_path / "tls.key").write_bytes(bundle.key)
        assert bundle == await waiting

    asyncio.run(scenario())


def test_lives_on_without_its_folder(tmp_path: Path) -> None:
    """A folder that goes away is an error, and the watch is there when it comes back."""

    async def scenario() -> None:
        folder, bundle = tmp_path / "certs", _bundle()
        files.write(folder, bundle)
        news = watch(folder, bundle, poll=0.05, glance=0.02)

        os.rename(folder, tmp_path / "away")
        assert isinstance(await _next(news), CertificateError)

        os.rename(tmp_path / "away", folder)
        assert bundle == await _next(news)

    asyncio.run(scenario())
