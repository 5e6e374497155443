"""What the documents show is what happens. `pages` says how they are read.

`python -m tests.house.test_documents docs/PAGE.md …` writes what commands print into pages.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from tests import needs
from tests.house import pages, test_documentation, tree
from webhook import testing
from webhook.cli import main
from webhook.cli.render import problems
from webhook.document.problem import Problem
from webhook.form import part
from webhook.policy import load, model

POLICY = re.compile(r"^apiVersion: initject\.dev/", re.MULTILINE)
WRONG = re.compile(r"^policy\.yaml:\d+:\d+: ", re.MULTILINE)
# Verbs whose run on files of the repository changes nothing and ends well.
HARMLESS = ("check", "preview", "explain", "test", "schema", "version")
# Lines of a shell, not of one program.
SHELL = re.compile(r"[|&;<>$`]|\\$")
SPEC = {field.name for field in part.fields(model.Spec).values()}
STEP = """\
  steps:
    - name: step-of-the-test
      container: {image: "registry.example.com/step:1.0"}
"""


def documents() -> list[Path]:
    """Pages that are followed from top to bottom."""
    return tree.files("docs/**/*.md", "docs/*.md")


def told() -> list[Path]:
    """What people read, documents and others."""
    return tree.files("*.md", "docs/**/*.md", "certs/*.md", "deploy/**/*.md", "examples/**/*.md")


@pytest.mark.parametrize("page", documents(), ids=tree.short)
def test_commands_print_what_the_page_shows(page: Path) -> None:
    """Whoever follows a page from top to bottom sees what it says."""
    text = page.read_text(encoding="utf-8")
    if "curl " in text:
        needs.program("curl", how="apt-get install curl")
    with pages.terminal() as terminal:
        for command, actual in pages.played(text, terminal):
            if not pages.alike(command.output, actual):
                assert f"$ {command.text}\n{command.output}" == f"$ {command.text}\n{actual}"


@pytest.mark.parametrize("page", sorted({*told()} - {*documents()}), ids=tree.short)
def test_commands_on_files_of_the_repository_run(page: Path) -> None:
    """A command that names files of this repository can be pasted, where a page is no story."""
    wrong = {}
    for line in dict.fromkeys(test_documentation.shown(page.read_text(encoding="utf-8"))):
        words = test_documentation.split(line)
        if len(words) < 2 or Path(words[0]).name != "initject" or words[1] not in HARMLESS:
            continue
        folder = _folder(page, words[2:])
        if folder and not SHELL.search(line):
            with contextlib.chdir(folder):
                result = CliRunner().invoke(main.command, words[1:])
            if result.exit_code:
                wrong[line] = f"{result.output}{result.exception}"

    assert {} == wrong


def _folder(page: Path, words: list[str]) -> Path | None:
    """The folder in which every file that a command names is there, the page's or the root."""
    paths = [word for word in words if re.search(r"[/.]", word) and not word.startswith("-")]
    for folder in (page.parent, tree.CHECKOUT):
        if paths and all((folder / path).exists() for path in paths):
            return folder
    return None


@pytest.mark.parametrize("page", told(), ids=tree.short)
def test_policies_that_are_shown_are_right(page: Path) -> None:
    """Each policy, whole or in part, passes `check`, or is followed by what is said against it."""
    wrong = []
    shown = pages.blocks(page.read_text(encoding="utf-8"))
    for block, after in itertools.zip_longest(shown, shown[1:]):
        if block.kind not in ("yaml", "json"):
            continue
        values = list(yaml.safe_load_all(block.text))
        expected = after.text if after and WRONG.match(after.text) else ""
        if POLICY.search(block.text):
            if not (after and block.name and _is_checked(after, block.name)):
                wrong += _difference(expected, _problems(block.text))
        elif _is_part(values):
            found = _problems(_completed(block.text, values[0]))
            wrong += [problems.line(problem) for problem in found if problem.severity == "error"]

    assert [] == wrong


def test_the_first_policy_of_the_readme_does_what_stands_beside_it() -> None:
    """The left column of the first block is a policy; the right one, from its title on, is what
    becomes of the pod that the title describes, `…` being anything."""
    block = pages.blocks(tree.text("README.md"))[0]
    lines = block.text.splitlines()
    column = lines[0].index("# what the API server")
    left = "\n".join(line[:column] if line[:column].endswith("  ") else line for line in lines)
    right = yaml.safe_load("\n".join(line[column:] for line in lines))
    (app,) = right["spec"]["containers"]
    label = re.search(r"for a pod with (\w+): (\w+)$", lines[0])
    assert label
    pod = testing.pod(labels={label[1]: label[2]}, containers=[app])

    assert [] == _problems(left)
    decision = testing.admit(testing.policies(left), pod)
    assert _shows(right, decision.pod)


def _shows(shown: Any, actual: Any) -> bool:
    """Whether what is shown is there: of a mapping some of it, of a list all but for `…`."""
    if isinstance(shown, dict):
        named = {name: value for name, value in shown.items() if name != "…"}
        return isinstance(actual, dict) and all(
            name in actual and _shows(value, actual[name]) for name, value in named.items()
        )
    if isinstance(shown, list):
        return isinstance(actual, list) and _lists(shown, actual)
    return bool(shown == actual)


def _lists(shown: list[Any], actual: list[Any]) -> bool:
    if not shown:
        return not actual
    if shown[0] == "…":
        return any(_lists(shown[1:], actual[at:]) for at in range(len(actual) + 1))
    return bool(actual) and _shows(shown[0], actual[0]) and _lists(shown[1:], actual[1:])


def test_the_lessons_are_as_many_as_the_readme_says() -> None:
    """They are counted in words."""
    words = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"]
    count = len([*(tree.CHECKOUT / "examples").glob("[0-9][0-9]-*")])

    assert f"The {words[count - 10]} lessons in [examples](examples)" in tree.text("README.md")


def _is_checked(after: pages.Block, name: str) -> bool:
    """Whether the page itself checks that file in the next block, and so tells its problems."""
    first = next(pages.commands(after), None) if after.kind == "console" else None
    return first is not None and first.text.startswith(f"initject check {name}")


def _is_part(values: list[Any]) -> bool:
    return (
        len(values) == 1
        and isinstance(values[0], dict)
        and bool(values[0])
        and set(values[0]) <= SPEC
    )


def _completed(text: str, value: dict[str, Any]) -> str:
    head = f"apiVersion: {model.API_VERSION}\nkind: {model.CLUSTER_KIND}\n"
    body = "".join(f"  {line}" for line in text.splitlines(keepends=True))
    return f"{head}metadata: {{name: shown}}\nspec:\n{body}{'' if 'steps' in value else STEP}"


def _problems(text: str) -> list[Problem]:
    return list(load.load([("policy.yaml", text)]).problems)


def _difference(expected: str, found: list[Problem]) -> list[str]:
    actual = "".join(f"{click.unstyle(problems.line(problem))}\n" for problem in found)
    return [] if pages.alike(expected, actual) else [f"shown:\n{expected}\nfound:\n{actual}"]


def test_an_output_is_compared_with_gaps() -> None:
    """`…` stands for anything inside of a line, and on its own for any lines."""
    assert pages.alike("a…c\n", "abc\n")
    assert pages.alike("a\n…\nd\n", "a\nb\nc\nd\n")
    assert pages.alike("", "")
    assert not pages.alike("a…\n", "a\nb\n")
    assert not pages.alike("", "a\n")


def write(path: Path) -> None:
    """Writes what really happens into a page; what is alike stays, long lines are cut."""
    page = path.read_text(encoding="utf-8")
    changes = []
    with pages.terminal() as terminal:
        for command, actual in pages.played(page, terminal):
            if not pages.alike(command.output, actual):
                lines = [
                    line if len(line) <= 140 else f"{line[:120]}…" for line in actual.splitlines()
                ]
                changes.append((command, "".join(f"{line}\n" for line in lines)))
    for command, text in reversed(changes):
        page = page[: command.start] + text + page[command.end :]
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(Path(name))
