from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from webhook.store import files
from webhook.store.files import Sources
from webhook.store.watch import watch

INTERVAL = 0.02


async def _next(news: AsyncIterator[Sources], seconds: float = 5) -> Sources | None:
    """The next news, or None when there is none in that time (which ends the watch)."""
    try:
        return await asyncio.wait_for(anext(news), seconds)
    except TimeoutError:
        return None


def _texts(found: Sources | None) -> list[str]:
    assert found is not None
    return [text for _, text in found.texts]


def _mount(folder: Path, version: str, text: str) -> None:
    """Puts a version in place as the kubelet does."""
    (folder / f"..{version}").mkdir(parents=True)
    (folder / f"..{version}" / "a.yaml").write_text(text)
    (folder / "..data_tmp").symlink_to(f"..{version}")
    (folder / "..data_tmp").replace(folder / "..data")
    if not (folder / "a.yaml").is_symlink():
        (folder / "a.yaml").symlink_to("..data/a.yaml")


def test_tells_each_kind_of_change(tmp_path: Path) -> None:
    """An edit in place, an editor's rename, a new file and a removed one are news."""

    async def scenario() -> None:
        (tmp_path / "a.yaml").write_text("1")
        paths = [str(tmp_path)]
        news = watch(paths, files.read(paths), interval=INTERVAL)

        (tmp_path / "a.yaml").write_text("2")
        assert ["2"] == _texts(await _next(news))
        (tmp_path / "a.yaml.swp").write_text("3")
        (tmp_path / "a.yaml.swp").replace(tmp_path / "a.yaml")
        assert ["3"] == _texts(await _next(news))
        (tmp_path / "b.yaml").write_text("4")
        assert ["3", "4"] == _texts(await _next(news))
        (tmp_path / "a.yaml").unlink()
        assert ["4"] == _texts(await _next(news))

    asyncio.run(scenario())


def test_tells_the_kubelets_swap(tmp_path: Path) -> None:
    """A ConfigMap that is mounted anew is news, though no file in the folder was written."""

    async def scenario() -> None:
        _mount(tmp_path, "1", "old")
        paths = [str(tmp_path)]
        news = watch(paths, files.read(paths), interval=INTERVAL)

        _mount(tmp_path, "2", "new")
        assert ["new"] == _texts(await _next(news))

    asyncio.run(scenario())


def test_begins_with_what_the_caller_has_not(tmp_path: Path) -> None:
    """What changed between the caller's reading and the watch is told at once."""

    async def scenario() -> None:
        (tmp_path / "a.yaml").write_text("1")
        paths = [str(tmp_path)]

        assert ["1"] == _texts(await _next(watch(paths, Sources(()), interval=INTERVAL)))
        assert ["1"] == _texts(await _next(watch(paths, interval=INTERVAL)))

    asyncio.run(scenario())


def test_equal_content_is_no_news(tmp_path: Path) -> None:
    """A file written again with the same text is not news, nor is a file of another kind."""

    async def scenario() -> None:
        (tmp_path / "a.yaml").write_text("1")
        paths = [str(tmp_path)]
        news = watch(paths, files.read(paths), interval=INTERVAL)
        waiting = asyncio.create_task(_next(news, 0.6))
        await asyncio.sleep(0.05)
        (tmp_path / "a.yaml").write_text("1")
        (tmp_path / "notes.txt").write_text("x")

        assert await waiting is None

    asyncio.run(scenario())


def test_does_not_see_a_half_written_file(tmp_path: Path) -> None:
    """A file that is written bit by bit is told once, when it is whole."""

    async def scenario() -> None:
        (tmp_path / "a.yaml").write_text("")
        paths = [str(tmp_path)]
        news = watch(paths, files.read(paths), interval=INTERVAL)
        waiting = asyncio.create_task(_next(news))
        with open(tmp_path / "a.yaml", "w") as file:
            for letter in "abcdefgh":
                file.write(letter)
                file.flush()
                await asyncio.sleep(0.05)

        assert ["abcdefgh"] == _texts(await waiting)

    asyncio.run(scenario())


def test_a_problem_is_told_once_and_then_the_recovery(tmp_path: Path) -> None:
    """A folder that goes away is news once, and so is its return, though its content is the old."""

    async def scenario() -> None:
        folder = tmp_path / "p"
        folder.mkdir()
        (folder / "a.yaml").write_text("1")
        paths = [str(folder)]
        first = files.read(paths)
        news = watch(paths, first, interval=INTERVAL)

        folder.rename(tmp_path / "away")
        gone = await _next(news)
        assert gone is not None
        assert [str(folder)] == [problem.file for problem in gone.problems]

        waiting = asyncio.create_task(_next(news))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        (tmp_path / "away").rename(folder)
        assert first == await waiting

    asyncio.run(scenario())
