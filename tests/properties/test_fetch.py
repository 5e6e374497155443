"""Laws of archives: whatever they hold, nothing is written outside, and all of it or nothing."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.errors import FetchError
from webhook.runner.deadline import Deadline
from webhook.runner.fetch import entry, size, stage, tar
from webhook.runner.fetch.tree import Bounds, Tree

PARTS = st.sampled_from(["a", "b", "c", "..", ".", "", "..a", "-", "é", "a\\..", ".initject-fetch"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
MEMBERS = st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=6)


def archive(members: list[tuple[str, bytes, str]]) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = 1 if kind == tarfile.REGTYPE else 0
            made.addfile(info, io.BytesIO(b"x"))
    out.seek(0)
    return out


@given(MEMBERS, st.integers(0, 2))
@settings(deadline=None)
def test_nothing_is_ever_written_outside(members: list[tuple[str, bytes, str]], strip: int) -> None:
    """And every link, followed by the system to its end, stays inside."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve() / "outer"
        root = place / "root"
        root.mkdir(parents=True)
        with stage.opened(str(root)) as folder:
            tree = Tree(folder, Bounds(10**6, 100, 0o644, 0o755), Deadline.after(60))
            try:
                tar.unpack(archive(members), strip, tree)
                tree.end()
            except FetchError:
                pass

        assert [root] == list(place.iterdir())
        for path in root.rglob("*"):
            assert Path(os.path.realpath(path)).is_relative_to(root)


@given(NAMES, st.integers(0, 3))
def test_a_name_that_passes_is_plain(name: str, strip: int) -> None:
    """It has no part that means another place."""
    try:
        parts = entry.inside(name, strip)
    except FetchError:
        return

    assert not {"", ".", ".."} & set(parts)
    assert not any("/" in part for part in parts)
    assert parts == entry.inside("/".join(parts)) if parts else True


@given(st.integers(1, 10**15))
def test_a_size_that_is_written_is_about_what_it_was(count: int) -> None:
    """Read again it is within a twentieth of the unit that is shown."""
    number, unit = size.written(count).split()
    scale = size.parse("1" + (unit.removesuffix("B") if unit.endswith("iB") else ""))

    assert abs(float(number) * scale - count) <= scale / 20 + 1
