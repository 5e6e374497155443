from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from webhook.document.problem import Problem
from webhook.store import files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder `p` in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    return tmp_path / "p"


def _write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def _names(*paths: str) -> list[str]:
    found = files.read(paths)
    assert found.problems == ()
    return [name for name, _ in found.texts]


def test_reads_a_folder_as_kubectl_does(folder: Path) -> None:
    """YAML and JSON files are read in the order of their names, subfolders included."""
    for name in ("b.yaml", "a.yml", "c.json", "README.md", "d.yaml~", "e.YAML"):
        (folder / name).write_text(name)
    (folder / "b").mkdir()
    (folder / "b" / "z.yaml").write_text("z")
    (folder / "b" / "deep" / "er").mkdir(parents=True)
    (folder / "b" / "deep" / "er" / "y.yaml").write_text("y")

    assert ["p/a.yml", "p/b/deep/er/y.yaml", "p/b/z.yaml", "p/b.yaml", "p/c.json"] == _names("p")


def test_reads_a_file_whatever_its_name(folder: Path) -> None:
    """A path that is a file is read even where a folder would leave it out."""
    (folder / ".policy.txt").write_text("text")

    assert files.read(["p/.policy.txt"]).texts == (("p/.policy.txt", "text"),)


def test_leaves_hidden_names_out(folder: Path) -> None:
    """Editors' and version control's hidden files and folders are not policies."""
    _write(folder, a="a")
    (folder / ".hidden.yaml").write_text("")
    (folder / ".git").mkdir()
    (folder / ".git" / "a.yaml").write_text("")

    assert ["p/a.yaml"] == _names("p")


def test_reads_a_mounted_config_map_once(folder: Path) -> None:
    """Of the kubelet's layout only the links beside `..data` are read, by their own names."""
    (folder / "..2026_11_24").mkdir()
    _write(folder / "..2026_11_24", a="a", b="b")
    (folder / "..data").symlink_to("..2026_11_24")
    for name in ("a.yaml", "b.yaml"):
        (folder / name).symlink_to(f"..data/{name}")

    assert (("p/a.yaml", "a"), ("p/b.yaml", "b")) == files.read(["p"]).texts


def test_reads_no_file_twice(folder: Path) -> None:
    """However many paths and links lead to a file or folder, it is read where it is met first."""
    _write(folder, a="a")
    (folder / "sub").mkdir()
    _write(folder / "sub", b="b")
    (folder / "again.yaml").symlink_to("a.yaml")
    (folder / "sub" / "up").symlink_to("..")
    (folder / "twin").symlink_to("sub")

    assert ["p/a.yaml", "p/sub/b.yaml"] == _names("p", "p", "p/a.yaml", "p/sub")


def test_keeps_the_order_of_the_paths(folder: Path) -> None:
    """Paths are read in the order in which they were given."""
    _write(folder, a="a", b="b")

    assert ["p/b.yaml", "p/a.yaml"] == _names("p/b.yaml", "p/a.yaml")


def test_a_missing_path_is_a_problem(folder: Path) -> None:
    """A path that is not there is named, and the others are read."""
    _write(folder, a="a")
    found = files.read(["p/nein.yaml", "p"])

    what, advice = "cannot be read: No such file or directory", "check the path"
    assert (Problem("p/nein.yaml", 0, 0, "", what, advice),) == found.problems
    assert (("p/a.yaml", "a"),) == found.texts


def test_an_empty_folder_is_a_problem(folder: Path) -> None:
    """A folder without any file to read is a mistake rather than a wish for no policies."""
    (folder / "notes.txt").write_text("")
    found = files.read(["p"])

    what = "holds no such file"
    advice = "name a file, or a folder with .yaml, .yml, .json files"
    assert (Problem("p", 0, 0, "", what, advice),) == found.problems


def test_a_broken_link_is_a_problem(folder: Path) -> None:
    """A link to nowhere would be a policy that is silently not in force."""
    _write(folder, a="a")
    (folder / "b.yaml").symlink_to("nowhere")
    (folder / "other").symlink_to("nowhere")

    assert ["p/b.yaml"] == [problem.file for problem in files.read(["p"]).problems]


def test_no_utf8_is_a_problem_with_its_place(folder: Path) -> None:
    """A byte that is no UTF-8 is reported by line and column."""
    (folder / "a.yaml").write_bytes(b"kind: A\nname: caf\xe9\n")

    problem = Problem("p/a.yaml", 2, 10, "", "is no UTF-8 text", "save it as UTF-8")
    assert (problem,) == files.read(["p"]).problems


def test_a_byte_order_mark_is_no_text(folder: Path) -> None:
    """A mark that Windows' editors put in front is left out."""
    (folder / "a.yaml").write_bytes(b"\xef\xbb\xbfkind: A\n")

    assert (("p/a.yaml", "kind: A\n"),) == files.read(["p"]).texts


def test_a_large_file_is_a_problem(folder: Path) -> None:
    """What is far too large for policies is not read."""
    with open(folder / "a.yaml", "wb") as file:
        file.truncate(files.MAX_FILE + 1)
    found = files.read(["p"])

    problem = Problem("p/a.yaml", 0, 0, "", "is larger than 16777216 bytes", "split it")
    assert ((), (problem,)) == (found.texts, found.problems)


def test_too_much_together_is_a_problem(folder: Path) -> None:
    """Reading ends where all files together become too large."""
    for name in "abcde":
        with open(folder / f"{name}.yaml", "wb") as file:
            file.truncate(files.MAX_FILE)
    found = files.read(["p"])

    assert ["p/e.yaml"] == [problem.file for problem in found.problems]
    assert len(found.texts) == 4


def test_is_not_held_up_by_a_pipe(folder: Path) -> None:
    """What is no regular file is a problem and is never opened."""
    _write(folder, a="a")
    os.mkfifo(folder / "b.yaml")

    problem = Problem("p/b.yaml", 0, 0, "", "is no regular file", "name a file or a folder")
    assert (problem,) == files.read(["p"]).problems


def test_a_folder_that_cannot_be_entered_is_a_problem(folder: Path) -> None:
    """What may be a folder of policies and cannot be looked into is named."""
    _write(folder, a="a")
    (folder / "sub").symlink_to("sub")

    what = "cannot be read: Too many levels of symbolic links"
    assert [("p/sub", what)] == [(p.file, p.what) for p in files.read(["p"]).problems]


def test_never_mixes_two_moments(folder: Path) -> None:
    """While the kubelet swaps `..data`, each reading has all its files from one version."""
    names = [f"{number:02}.yaml" for number in range(12)]

    def mount(version: int) -> None:
        new = folder / f"..{version}"
        new.mkdir()
        for name in names:
            (new / name).write_text(str(version))
        (folder / "..data_tmp").symlink_to(new.name)
        (folder / "..data_tmp").replace(folder / "..data")
        shutil.rmtree(folder / f"..{version - 1}", ignore_errors=True)

    mount(0)
    for name in names:
        (folder / name).symlink_to(f"..data/{name}")
    stop = threading.Event()

    def swap() -> None:
        version = 0
        while not stop.wait(0.02):
            version += 1
            mount(version)

    swapper = threading.Thread(target=swap)
    swapper.start()
    versions: list[set[str]] = []
    try:
        while len({*map(frozenset, versions)}) < 6:
            versions.append({text for _, text in files.read(["p"]).texts})
    finally:
        stop.set()
        swapper.join()

    assert max(map(len, versions)) == 1
