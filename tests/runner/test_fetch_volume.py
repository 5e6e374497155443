"""Where files go: folders that are there, roots of volumes, full ones, and who reads meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.runner import shop
from tests.runner.archives import folder, link, tar
from tests.runner.test_fetch import wait_for

OLD = tar([("a", "old"), ("gone", "old"), ("d/x", "old"), ("d/gone", "old")])
NEW = tar([("a", "new"), ("d/x", "new"), ("d/e/y", "new"), link("l", "a")])
FRESH = {"a": "new", "d": "/", "d/e": "/", "d/e/y": "new", "d/x": "new", "l": "-> a"}
LEFT = {"gone": "old", "d/gone": "old"}


def unpacked(body: bytes, to: Path, *words: str) -> str:
    with shop.open_shop(shop.fine(body)) as server:
        given = ("http", f"url={server.url()}", f"to={to}", "unpack=tar", "unverified=true")
        return shop.attempt(*given, *words)


@contextlib.contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    """A volume in memory, as an emptyDir is."""
    needs.root()
    mount = needs.program("mount", how="apt-get install mount")
    place.mkdir()
    subprocess.run([mount, "-t", "tmpfs", "-o", ",".join(options), "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture(params=["folder", "volume", "bind"])
def to(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder, the root of a volume, and the root of one on the same file system."""
    if request.param == "folder":
        yield tmp_path / "to"
    elif request.param == "volume":
        with mounted(tmp_path / "to", "size=8m") as place:
            yield place
    else:
        needs.root()
        for name in ("to", "below"):
            (tmp_path / name).mkdir()
        subprocess.run(["mount", "--bind", tmp_path / "below", tmp_path / "to"], check=True)
        yield tmp_path / "to"
        subprocess.run(["umount", "--lazy", tmp_path / "to"], check=True)


def test_an_archive_comes_again(to: Path) -> None:
    """Twice the same is the same."""
    unpacked(NEW, to)
    said = unpacked(NEW, to)

    assert said.endswith(f"3 files with 9 bytes to {to}")
    assert FRESH == shop.tree(to)


def test_an_archive_comes_over_another(to: Path) -> None:
    """What has a name in both is the new; what else was there stays."""
    unpacked(OLD, to)
    (to / "d" / "application").write_text("its own")
    unpacked(NEW, to)

    assert {**FRESH, **LEFT, "d/application": "its own"} == shop.tree(to)


def test_an_archive_comes_instead_of_another(to: Path) -> None:
    """With replace=true what else was there goes."""
    unpacked(OLD, to)
    unpacked(NEW, to, "replace=true")

    assert FRESH == shop.tree(to)


def test_an_archive_that_is_refused_changes_nothing(to: Path) -> None:
    """Of what an earlier run left."""
    unpacked(OLD, to)
    before = shop.tree(to)
    unpacked(tar([("a", "new"), ("../x", "")]), to)

    assert before == shop.tree(to)


def test_a_folder_does_not_take_the_place_of_a_file(to: Path) -> None:
    """Nor a file that of a folder: nothing is moved then."""
    unpacked(OLD, to)
    before = shop.tree(to)

    assert "failed: d is there and is a folder; write replace=true" == unpacked(
        tar([("a", "new"), ("d", "")]), to
    )
    assert "failed: d/x is there and is no folder; write replace=true" == unpacked(
        tar([("a", "new"), folder("d/x")]), to
    )
    assert before == shop.tree(to)


def test_a_link_that_somebody_put_there_is_not_followed(tmp_path: Path) -> None:
    """An application with write access cannot lead the next run elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    to = tmp_path / "to"
    unpacked(OLD, to)
    for path in (to / "d" / "x", to / "d" / "gone"):
        path.unlink()
    (to / "d").rmdir()
    (to / "d").symlink_to(outside)
    said = unpacked(NEW, to)
    (tmp_path / "link").symlink_to(outside)
    whole = unpacked(NEW, tmp_path / "link")
    with shop.open_shop(shop.fine(b"x")) as server:
        (tmp_path / "file").symlink_to(outside / "x")
        shop.attempt(server.url(), str(tmp_path / "file"), "unverified=true")

    assert "failed: d is there and is no folder; write replace=true" == said
    assert "failed: link is there and is no folder" == whole
    assert {} == shop.tree(outside)
    assert "x" == (tmp_path / "file").read_text()


def test_where_our_own_folder_goes_a_link_is_taken_away(tmp_path: Path) -> None:
    """What somebody put in its place is not what we write to or empty."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("")
    to = tmp_path / "to"
    to.mkdir()
    name = killed(to / "x")
    for path in (to / name).iterdir():
        path.unlink()
    (to / name).rmdir()
    (to / name).symlink_to(outside)
    with shop.open_shop(shop.fine(b"x")) as server:
        shop.attempt(server.url(), str(to / "x"), "unverified=true")

    assert {"x": "x"} == shop.tree(to)
    assert {"kept": ""} == shop.tree(outside)


def killed(to: Path) -> str:
    """The name of our own folder beside a target, which a run leaves that is killed."""

    def talk(client: object) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")  # type: ignore[attr-defined]
        client.recv(1)  # type: ignore[attr-defined]

    with shop.open_shop(talk) as server:
        process = shop.start(server.url(), str(to), "unverified=true")
        wait_for(lambda: any(to.parent.rglob("body")))
        process.kill()
        process.communicate(timeout=60)
    return next(path.name for path in to.parent.iterdir())


@pytest.mark.parametrize("unpack", ["none", "tar"])
def test_a_volume_that_is_full_is_told(unpack: str, tmp_path: Path) -> None:
    """With status 1 and how much had come; what took the room is gone again."""
    body = tar([("a", "x" * 600_000)]) if unpack == "tar" else b"x" * 2_000_000
    with mounted(tmp_path / "to", "size=1m") as place, shop.open_shop(shop.fine(body)) as server:
        to = place / "app"
        words = ("http", f"url={server.url()}", f"to={to}", f"unpack={unpack}", "unverified=true")
        status, said = shop.fetched(*words)

        assert 1 == status
        assert said[-1].startswith(
            f"initject fetch: failed after …: {server.url()}: the volume of {to} is full, after "
        )
        assert {} == shop.tree(place)
        assert os.statvfs(place).f_bfree >= os.statvfs(place).f_blocks - 2


def test_a_volume_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """As what it is."""
    with mounted(tmp_path / "to", "ro") as place, shop.open_shop(shop.fine(b"x")) as server:
        said = shop.attempt(server.url(), f"{place}/x", "unverified=true")

    assert f"failed: {place}/x cannot be written: Read-only file system" == said


@pytest.mark.parametrize("place", ["folder", "volume"])
def test_who_reads_meanwhile_sees_one_or_the_other(place: str, tmp_path: Path) -> None:
    """With replace=true no file below the folder is ever half there, or missing."""
    to = tmp_path / "to"
    bodies = [tar([("d/x", mark * 5000), ("d/y", mark * 5000)]) for mark in "on"]
    wrong: list[str] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            fd = os.open(to, os.O_RDONLY | os.O_DIRECTORY)
            try:
                with os.fdopen(os.open("d/x", os.O_RDONLY, dir_fd=fd)) as file:
                    text = file.read()
                if text not in ("o" * 5000, "n" * 5000):
                    wrong.append(text)
            except OSError as error:
                # The folder that was opened may be the one that is being removed.
                if place == "volume" or os.path.samestat(os.fstat(fd), os.stat(to)):
                    wrong.append(str(error))
            finally:
                os.close(fd)

    with contextlib.ExitStack() as stack:
        if place == "volume":
            stack.enter_context(mounted(to, "size=8m"))
        unpacked(bodies[0], to)
        reader = threading.Thread(target=look)
        reader.start()
        for number in range(30):
            unpacked(bodies[number % 2], to, "replace=true")
        ended.set()
        reader.join()

    assert [] == wrong


def configmap(place: Path, **content: str) -> None:
    """A volume as the kubelet writes it; again for the next version."""
    version = place / f"..{len(list(place.glob('..*')))}"
    version.mkdir(parents=True)
    for name, text in content.items():
        (version / name).write_text(text)
    new = place / "..data_tmp"
    new.symlink_to(version.name)
    new.rename(place / "..data")
    for name in content:
        if not (place / name).is_symlink():
            (place / name).symlink_to(f"..data/{name}")


def test_a_mounted_secret_is_copied(tmp_path: Path) -> None:
    """Its files, without what the kubelet needs, with a mode; again after it has changed."""
    source, to = tmp_path / "from", tmp_path / "to"
    configmap(source, key="one", cert="pem")
    words = ("copy", f"from={source}", f"to={to}", "mode=0400", "dir-mode=0700")
    first = shop.attempt(*words)
    before = shop.tree(to)
    configmap(source, key="two", cert="pem")
    shop.attempt(*words)

    assert f"2 files with 6 bytes to {to}" == first
    assert {"cert": "pem", "key": "one"} == before
    assert {"cert": "pem", "key": "two"} == shop.tree(to)
    assert ("400", "700") == (shop.mode(to / "key"), shop.mode(to))


def test_a_folder_is_copied_with_what_is_below(tmp_path: Path) -> None:
    """Also into the root of a volume; never what a link outside leads to."""
    source = tmp_path / "from"
    (source / "d").mkdir(parents=True)
    (source / "d" / "x").write_text("x")
    (source / "here").symlink_to("d/x")
    with mounted(tmp_path / "to", "size=1m") as to:
        shop.attempt("copy", f"from={source}", f"to={to}")
        copied = shop.tree(to)
    (source / "out").symlink_to("/etc/passwd")
    outside = shop.attempt("copy", f"from={source}", f"to={tmp_path}/two")
    (source / "out").unlink()
    os.mkfifo(source / "pipe")
    pipe = shop.attempt("copy", f"from={source}", f"to={tmp_path}/two")
    missing = shop.attempt("copy", f"from={source}/no", f"to={tmp_path}/two")

    assert {"d": "/", "d/x": "x", "here": "x"} == copied
    assert "failed: entry 'out' is a link that leads outside" == outside
    assert "failed: entry 'pipe' is no file" == pipe
    assert "failed: is no folder that is there" == missing
    assert not (tmp_path / "two").exists()


def test_a_killed_run_in_the_root_of_a_volume_is_tidied_up(tmp_path: Path) -> None:
    """What it left lies in the volume itself."""
    with mounted(tmp_path / "to", "size=8m") as to:
        begun = tar([("a", "x" * 500_000)])

        def talk(client: object) -> None:
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(begun)}\r\n\r\n".encode()
            client.sendall(head + begun[:300_000])  # type: ignore[attr-defined]
            client.recv(1)  # type: ignore[attr-defined]

        with shop.open_shop(talk) as server:
            words = ("http", f"url={server.url()}", f"to={to}", "unpack=tar", "unverified=true")
            process = shop.start(*words)
            wait_for(lambda: any(to.rglob("body")))
            process.kill()
            process.communicate(timeout=60)
        left = len(shop.tree(to))
        unpacked(NEW, to)

        assert left
        assert FRESH == shop.tree(to)


def test_a_part_of_a_folder_is_copied(tmp_path: Path) -> None:
    """Without what is left out; what is executable and where links lead stays."""
    source = tmp_path / "from"
    for folder_ in ("conf/d/.git", "other"):
        (source / folder_).mkdir(parents=True)
    (source / "conf" / ".git").write_text("gitdir: elsewhere")
    (source / "conf" / "d" / "x").write_text("x")
    (source / "conf" / "d" / "x").chmod(0o755)
    (source / "conf" / "folder").symlink_to("d")
    (source / "conf" / "nowhere").symlink_to("d/missing")
    (source / "now").symlink_to("conf")
    words = ("copy", f"from={source}/now", f"to={tmp_path}/to", "without=.git", "mode=0640")
    whole = shop.attempt(*words)
    copied = shop.tree(tmp_path / "to")
    part = shop.attempt(*words, "path=/d", "replace=true")

    assert f"1 files with 1 byte to {tmp_path}/to" == whole == part
    assert {"d": "/", "d/x": "x", "folder": "-> d", "nowhere": "-> d/missing"} == copied
    assert {"x": "x"} == shop.tree(tmp_path / "to")
    assert "750" == shop.mode(tmp_path / "to" / "x")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["path=../secret"], "leads outside of what is copied"),
        (["path=out"], "leads outside of what is copied"),
        (["path=x"], "is no folder that is there"),
        (["path=missing"], "is no folder that is there"),
        (["path=empty", "some=true"], "has no file in it"),
        (["path=links"], "entry 'l' is a link to an absolute path"),
        (["path=many", "max-entries=1"], "has more than 1 entries (max-entries)"),
        (["path=many", "max-size=1"], "comes to more than max-size, 1 byte"),
    ],
)
def test_a_part_that_cannot_be_copied_is_told(words: list[str], said: str, tmp_path: Path) -> None:
    """Whatever fills the path, it stays below the folder; and nothing is there then."""
    for name in ("secret", "from/many", "from/links", "from/empty/d"):
        (tmp_path / name).mkdir(parents=True)
    source = tmp_path / "from"
    (source / "out").symlink_to(tmp_path / "secret")
    (source / "links" / "l").symlink_to(tmp_path / "secret")
    for name in ("x", "many/a", "many/b"):
        (source / name).write_text("x")

    assert f"failed: {said}" == shop.attempt("copy", f"from={source}", f"to={tmp_path}/to", *words)
    assert not (tmp_path / "to").exists()
