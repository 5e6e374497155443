"""Files and folders as a source of texts, all of one moment.

A folder is read as `kubectl apply --recursive -f` reads it: `.yaml`, `.yml` and `.json`, in the
order of their names, subfolders included; a path that is a file is read whatever its name. Names
that begin with a dot are left out, and with them the `..data` and `..2026_…` folders of a mounted
ConfigMap, whose files are reached by the links beside them. No file is read twice.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from webhook.document.problem import Problem

ENDINGS = (".yaml", ".yml", ".json")
MIB = 1024 * 1024
# Guesses, generous: a ConfigMap holds 1 MiB, ten thousand policies in one file some 10 MiB.
MAX_FILE, MAX_TOTAL, MAX_FILES = 16 * MIB, 64 * MIB, 20_000
ATTEMPTS = 20  # a guess: how often something that keeps changing is looked at again…
SETTLE = 0.1  # …after how many seconds
_NARROW = "name a smaller folder"

_Stat = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts of one moment by file name, and what could not be read."""

    texts: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What `stat` says of all files: equal until one is written, replaced, added or removed."""

    files: tuple[tuple[str, _Stat], ...]
    problems: tuple[Problem, ...]


def read(paths: Sequence[str]) -> Sources:
    """All texts under `paths`, of one moment: what changes meanwhile is read again.

    Each file is called as the path was written, with the rest behind it. Raises nothing: whatever
    cannot be read is a problem, and an empty folder is one too, because a policy that is not found
    is not in force. May sleep: call it in a thread.
    """
    for _ in range(ATTEMPTS):
        now = look(paths)
        sources = _read(now)
        if look(paths) == now:
            return sources
        time.sleep(SETTLE)
    return Sources((), (_problem(paths[0], "keeps changing", "replace files in one step"),))


def look(paths: Iterable[str]) -> Look:
    """Which files there are, without reading them."""
    walk = _Walk()
    for path in paths:
        walk.start(path)
    return Look(tuple(walk.files), tuple(walk.problems))


class _Walk:
    """Goes through files and folders, each once, however many links lead there."""

    def __init__(self) -> None:
        self.files: list[tuple[str, _Stat]] = []
        self.problems: list[Problem] = []
        self._seen: set[tuple[int, int]] = set()
        self._met = 0  # files and folders that count, those seen before included

    def start(self, path: str) -> None:
        """Takes in a path that a user named: it must be there and hold something."""
        before = self._met + len(self.problems)
        try:
            found = os.stat(path)
            if stat.S_ISDIR(found.st_mode):
                self._folder(path, found)
            else:
                self._file(path, found)
        except OSError as error:
            self.problems.append(_unreadable(path, error))
        if self._met + len(self.problems) == before:
            advice = f"name a file, or a folder with {', '.join(ENDINGS)} files"
            self.problems.append(_problem(path, "holds no such file", advice))

    def _folder(self, path: str, found: os.stat_result) -> None:
        if not self._first(found):
            return
        for name in sorted(os.listdir(path)):
            if not name.startswith("."):
                self._entry(os.path.join(path, name))

    def _entry(self, path: str) -> None:
        wanted = path.endswith(ENDINGS)
        try:
            found = os.stat(path)
            if stat.S_ISDIR(found.st_mode):
                self._folder(path, found)
            elif wanted:
                self._file(path, found)
        except OSError as error:
            if wanted or not isinstance(error, FileNotFoundError):
                self.problems.append(_unreadable(path, error))

    def _file(self, path: str, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            self.problems.append(_problem(path, "is no regular file", "name a file or a folder"))
        elif self._first(found):
            times = (found.st_mtime_ns, found.st_ctime_ns)
            self.files.append((path, (found.st_dev, found.st_ino, found.st_size, *times)))

    def _first(self, found: os.stat_result) -> bool:
        before = len(self._seen)
        self._seen.add((found.st_dev, found.st_ino))
        first = len(self._seen) > before
        self._met += stat.S_ISREG(found.st_mode) or not first
        return first


def _read(seen: Look) -> Sources:
    texts: list[tuple[str, str]] = []
    problems = list(seen.problems)
    if len(seen.files) > MAX_FILES:
        what = f"is where it becomes more than {MAX_FILES} files"
        problems.append(_problem(seen.files[MAX_FILES][0], what, _NARROW))
    total = 0
    for path, (_, _, size, _, _) in seen.files[:MAX_FILES]:
        total += size
        if size > MAX_FILE:
            problems.append(_problem(path, f"is larger than {MAX_FILE} bytes", "split it"))
        elif total > MAX_TOTAL:
            what = f"is where all files together exceed {MAX_TOTAL} bytes"
            problems.append(_problem(path, what, _NARROW))
            break
        else:
            _read_file(path, texts, problems)
    return Sources(tuple(texts), tuple(problems))


def _read_file(path: str, texts: list[tuple[str, str]], problems: list[Problem]) -> None:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE)
        texts.append((path, content.decode("utf-8-sig")))
    except OSError as error:
        problems.append(_unreadable(path, error))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        advice = "save it as UTF-8"
        problems.append(Problem(path, line, column, "", "is no UTF-8 text", advice))


def _unreadable(path: str, error: OSError) -> Problem:
    advice = "check the path" if isinstance(error, FileNotFoundError) else "check owner and mode"
    return _problem(path, f"cannot be read: {error.strerror}", advice)


def _problem(path: str, what: str, advice: str) -> Problem:
    return Problem(path, 0, 0, "", what, advice)
