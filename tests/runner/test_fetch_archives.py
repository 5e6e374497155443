"""What `fetch` unpacks, and what it refuses with a line that says which entry."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from tests import needs
from tests.runner import archives, shop
from tests.runner.archives import folder, link, same, tar, zipped

REG = stat.S_IFREG | 0o644
TREE = {"bin": "/", "bin/run": "#!", "bin/go": "-> ../lib/so", "lib": "/", "lib/so": "elf"}
MEMBERS = [
    folder("./"),
    folder("./bin"),
    ("./bin/run", {"data": "#!", "mode": 0o755}),
    link("./bin/go", "../lib/so"),
    ("./lib/so", "elf"),
]


def unpacked(body: bytes, to: Path, *words: str, kind: str = "tar") -> str:
    """What is said, without the place."""
    with shop.open_shop(shop.fine(body)) as server:
        given = ("http", f"url={server.url()}", f"to={to}", f"unpack={kind}", "unverified=true")
        said = shop.attempt(*given, *words, seconds=30)
    return said.removeprefix("failed: ")


@pytest.mark.parametrize("how", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_is_unpacked(how: str, form: int, tmp_path: Path) -> None:
    """Compressed or not, with links, and what may be executed."""
    said = unpacked(tar(MEMBERS, how, format=form), tmp_path / "app")

    assert said.endswith(f"2 files with 5 bytes to {tmp_path}/app")
    assert TREE == shop.tree(tmp_path / "app")
    modes = [shop.mode(tmp_path / "app" / name) for name in ("bin/run", "lib/so", "bin", ".")]
    assert ["755", "644", "755", "755"] == modes


def test_a_tar_of_the_systems_own_is_unpacked(tmp_path: Path) -> None:
    """With long names and hard links, as GNU tar writes them."""
    program = needs.program("tar", how="apt-get install tar")
    source = tmp_path / "source"
    deep = source / ("d" * 120) / ("e" * 120)
    deep.mkdir(parents=True)
    (deep / "file").write_text("deep")
    os.link(deep / "file", source / "same")
    subprocess.run([program, "czf", tmp_path / "t.tgz", "-C", tmp_path, "source"], check=True)

    unpacked((tmp_path / "t.tgz").read_bytes(), tmp_path / "app", "strip=1")

    assert shop.tree(source) == shop.tree(tmp_path / "app")


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    """With links, folders, and what may be executed."""
    body = zipped(
        [
            ("bin/", "", stat.S_IFDIR | 0o755),
            ("bin/run", "#!", stat.S_IFREG | 0o755),
            ("bin/go", "../lib/so", stat.S_IFLNK | 0o777),
            ("lib/so", "elf", 0),
        ]
    )
    said = unpacked(body, tmp_path / "app", "mode=0600", "dir-mode=0700", kind="zip")

    assert said.endswith(f"2 files with 5 bytes to {tmp_path}/app")
    assert TREE == shop.tree(tmp_path / "app")
    modes = [shop.mode(tmp_path / "app" / name) for name in ("bin/run", "lib/so", "bin", ".")]
    assert ["700", "600", "700", "700"] == modes


def test_leading_folders_are_left_out(tmp_path: Path) -> None:
    """As many as are asked for; what has no more is left out."""
    members = [folder("app-1.0"), ("app-1.0/a", "A"), ("top", "T"), ("app-1.0/b/c", "C")]
    unpacked(tar([*members, same("app-1.0/d", "app-1.0/a")]), tmp_path / "app", "strip=1")

    assert {"a": "A", "b": "/", "b/c": "C", "d": "A"} == shop.tree(tmp_path / "app")


PIPE = {"type": tarfile.FIFOTYPE}
DEVICE = {"type": tarfile.BLKTYPE, "devmajor": 8}
KIND = "is a device, a pipe or of another kind that is not unpacked"

REFUSED = [
    ([("../x", "")], "entry '../x' leads outside, by '..'"),
    ([("a/../../x", "")], "entry 'a/../../x' leads outside, by '..'"),
    ([("a/..", "")], "entry 'a/..' leads outside, by '..'"),
    ([("/etc/x", "")], "entry '/etc/x' is absolute"),
    ([("a\nb", "")], "entry 'a\\nb' has a control character in its name"),
    ([("\udcff", "")], "entry '\\udcff' has a name that is not UTF-8"),
    ([("/".join("a" * 65), "")], f"entry '{'/'.join('a' * 65)}' lies deeper than 64 folders"),
    ([("x" * 256, "")], f"entry '{'x' * 200}…' has a name that is too long"),
    ([(".initject-fetch-1/x", "")], "entry '.initject-fetch-1/x' begins with .initject-fetch,"
     " which is kept for us"),
    ([("a", ""), ("a", "")], "entry 'a' is there twice"),
    ([("a", ""), ("./a", "")], "entry 'a' is there twice"),
    ([("a", ""), folder("a")], "entry 'a' is there twice"),
    ([("a/b", ""), ("a", "")], "entry 'a' is there twice"),
    ([("a", ""), ("a/b", "")], "entry 'a/b' lies below what is no folder"),
    ([link("a", "b"), ("a/c", "")], "entry 'a/c' lies below what is no folder"),
    ([("a/b", ""), link("a", "/etc")], "entry 'a' is a link to an absolute path"),
    ([link("a", "/etc/passwd")], "entry 'a' is a link to an absolute path"),
    ([link("a", "..")], "entry 'a' is a link that leads outside"),
    ([link("a/b", "../../x")], "entry 'a/b' is a link that leads outside"),
    ([link("a", "b/../..")], "entry 'a' is a link that leads outside"),
    ([folder("d/e"), link("d/e/up", "../.."), link("x", "d/e/up/..")],
     "entry 'x' is a link that leads outside"),
    ([link("a", "")], "entry 'a' is a link to an absolute path"),
    ([same("a", "/etc/passwd")], "entry '/etc/passwd' is absolute"),
    ([same("a", "../x")], "entry '../x' leads outside, by '..'"),
    ([same("a", "b")], "entry 'a' is a hard link to what is no file of the archive"),
    ([link("b", "c"), same("a", "b")],
     "entry 'a' is a hard link to what is no file of the archive"),
    ([("a", PIPE)], f"entry 'a' {KIND}"),
    ([("a", DEVICE)], f"entry 'a' {KIND}"),
    ([("a", {"data": "x", "mode": 0o4755})], "entry 'a' has the setuid or setgid bit"),
    ([("a", {"data": "x", "mode": 0o2755})], "entry 'a' has the setuid or setgid bit"),
    ([("a", {"data": "x" * 2000})], "unpacks to more than max-unpacked, 20 KiB"),
    ([(f"{n}", "") for n in range(11)], "has more than 10 entries (max-entries)"),
    ([("./", {"type": tarfile.DIRTYPE})] * 11, "has more than 10 entries (max-entries)"),
    ([("a", {"pax_headers": {"comment": "x" * 70_000}})],
     "entry '././@PaxHeader' has a header of more than 65536 bytes"),
    ([("a", {"pax_headers": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0",
                             "GNU.sparse.name": "a", "GNU.sparse.realsize": "9"}})],
     "entry 'a' is a sparse file; pack it without --sparse"),
    ([("a", {"pax_headers": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}})],
     "entry 'a' is a sparse file; pack it without --sparse"),
    ([("a", {"type": tarfile.GNUTYPE_SPARSE})],
     "entry 'a' is a sparse file; pack it without --sparse"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "why"), REFUSED, ids=range(len(REFUSED)))
def test_a_tar_with_what_it_may_not_hold_is_refused(
    members: list[archives.Member], why: str, tmp_path: Path
) -> None:
    """As a whole, with the entry's name; nothing of it is left, inside or outside."""
    if "max-unpacked" in why:
        members = [(f"{n}", what) for n in range(9) for _, what in members]
    body = tar(members, format=tarfile.PAX_FORMAT)
    said = unpacked(body, tmp_path / "app", "max-entries=10", "max-unpacked=20Ki")

    assert why == said
    assert {} == shop.tree(tmp_path)


WHERE = [
    ("../x", REG, "", "entry '../x' leads outside, by '..'"),
    ("/x", REG, "", "entry '/x' is absolute"),
    ("a\\..\\x", REG, "", "entry 'a\\\\..\\\\x' has a character in its name that no name has"),
    ("a", stat.S_IFLNK, "/etc", "entry 'a' is a link to an absolute path"),
    ("a", stat.S_IFLNK, "../x", "entry 'a' is a link that leads outside"),
    ("a", stat.S_IFLNK, "x" * 9000, "entry 'a' has a name that is too long"),
    ("a", stat.S_IFIFO, "", f"entry 'a' {KIND}"),
    ("a", stat.S_IFCHR, "", f"entry 'a' {KIND}"),
    ("a", stat.S_IFREG | stat.S_ISUID | 0o755, "", "entry 'a' has the setuid or setgid bit"),
    ("a", REG, "x" * 30_000, "unpacks to more than max-unpacked, 20 KiB"),
]


@pytest.mark.parametrize(("name", "mode", "content", "why"), WHERE, ids=range(len(WHERE)))
def test_a_zip_with_what_it_may_not_hold_is_refused(
    name: str, mode: int, content: str, why: str, tmp_path: Path
) -> None:
    """As a tar is."""
    body = zipped([("fine", "", REG), (name, content, mode)])

    assert why == unpacked(body, tmp_path / "app", "max-unpacked=20Ki", kind="zip")
    assert {} == shop.tree(tmp_path)


def test_a_zip_that_is_made_to_harm_is_refused(tmp_path: Path) -> None:
    """Encrypted, compressed in a way that asks for memory, twice the same, too many entries."""
    usual = zipped([("a", "x", REG)])
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = zipped([("a", "x", REG), ("a", "y", REG)])
    many = zipped([(f"{n:0>200}", "", REG) for n in range(2000)])
    said = [
        unpacked(body, tmp_path / "app", "max-entries=10", kind="zip")
        for body in (
            archives.patched(usual, 6, 1),
            archives.patched(usual, 8, zipfile.ZIP_LZMA),
            archives.patched(usual, 8, 99),
            twice,
            many,
            usual[:-30],
            b"",
            zipped([("a", "content", REG)], zipfile.ZIP_STORED).replace(b"content", b"changed"),
        )
    ]

    assert [
        "entry 'a' is encrypted",
        "entry 'a' is compressed in a way that is not unpacked; use deflate",
        "entry 'a' is compressed in a way that is not unpacked; use deflate",
        "entry 'a' is there twice",
        "has a table of contents that is too large for max-entries",
        "is no zip that can be read: file is not a zip file",
        "is no zip that can be read: file is not a zip file",
        "is no zip that can be read: bad crc-32 for file 'a'",
    ] == said
    assert {} == shop.tree(tmp_path)


def test_damage_is_told(tmp_path: Path) -> None:
    """Whatever is cut or changed: an archive is all there, or none of it is."""
    plain = tar([("a", "x" * 2000)])
    packed = gzip.compress(plain)
    flipped = packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:]
    said = [
        unpacked(body, tmp_path / "app")
        for body in (
            b"",
            b"hello",
            plain[:1000],
            plain[:2560],
            plain[:512] + b"garbage" * 400,
            packed[:-20],
            flipped,
            lzma.compress(plain)[:-20],
            b"\x28\xb5\x2f\xfd....",
            b"BZh91AY&SY" + b"x" * 40,
        )
    ]

    assert [
        "is no tar that can be read: empty file",
        "is no tar that can be read: truncated header",
        "is no tar that can be read: unexpected end of data",
        "ends before the end of the archive",
    ] == said[:4]
    assert said[4] in (
        "ends before the end of the archive",
        "is no tar that can be read: bad checksum",
    )
    assert [
        "cannot be unpacked: compressed file ended before the end-of-stream marker was reached",
        "cannot be unpacked: crc check failed",
    ] == [line.partition(" 0x")[0] for line in said[5:7]]
    assert [
        "cannot be unpacked: compressed file ended before the end of the stream",
        "is compressed with zstd, which is not unpacked; offer it with gzip, xz or bzip2",
        "cannot be unpacked: invalid data stream",
    ] == said[7:]
    assert {} == shop.tree(tmp_path)


@pytest.mark.parametrize("how", ["gz", "xz", "bz2", "zip"])
def test_a_bomb_does_not_fill_disk_or_memory(how: str, tmp_path: Path) -> None:
    """A thousand times its size is not unpacked to find out."""
    zeros = "\0" * (64 * 1024 * 1024)
    body = zipped([("a", zeros, REG)]) if how == "zip" else tar([("a", zeros)], f"w:{how}")
    assert len(body) < 100_000
    kind = "zip" if how == "zip" else "tar"
    unpacked(body, tmp_path / "app", "max-unpacked=1Mi", kind=kind)
    tracemalloc.start()
    said = unpacked(body, tmp_path / "app", "max-unpacked=1Mi", kind=kind)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "unpacks to more than max-unpacked, 1 MiB" == said
    assert most < 12 * 1024 * 1024
    assert {} == shop.tree(tmp_path)


def test_what_is_left_out_counts_too(tmp_path: Path) -> None:
    """Behind the end of an archive, and in entries that are stripped."""
    padded = gzip.compress(tar([("a", "")]) + bytes(2 * 1024 * 1024))
    stripped = tar([("a", "x" * (2 * 1024 * 1024))], "w:gz")

    for body in (padded, stripped):
        said = unpacked(body, tmp_path / "app", "strip=1", "max-unpacked=1Mi")
        assert "unpacks to more than max-unpacked, 1 MiB" == said


def test_xz_that_wants_much_memory_is_refused(tmp_path: Path) -> None:
    """The archive says how much memory is needed, and not all of it is had."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 128 * 1024 * 1024, "preset": 0}]
    body = lzma.compress(tar([("a", "x")]), filters=filters)

    assert "cannot be unpacked: memory usage limit exceeded" == unpacked(body, tmp_path / "app")


def test_xz_in_several_streams_is_one_file(tmp_path: Path) -> None:
    """As programs write it that compress on several cores."""
    plain = tar([("a", "x" * 3000)])
    body = lzma.compress(plain[:1000]) + lzma.compress(plain[1000:])
    unpacked(body, tmp_path / "app")

    assert {"a": "x" * 3000} == shop.tree(tmp_path / "app")


def test_headers_without_end_are_refused(tmp_path: Path) -> None:
    """Each would have the next one read, within the one before."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for _ in range(3000):
            info = tarfile.TarInfo("long")
            info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5
            archive.addfile(info, io.BytesIO(b"name\0"))
    said = unpacked(out.getvalue(), tmp_path / "app")

    assert said.startswith("is no tar that can be read: ")
