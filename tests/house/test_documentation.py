"""Nothing exists that is not documented, and nothing is documented that does not exist."""

from __future__ import annotations

import functools
import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.house import tree
from webhook.cli import main
from webhook.form import part
from webhook.inject.decision import Code
from webhook.policy import model
from webhook.settings import TABLE, Setting
from webhook.telemetry.instruments import INSTRUMENTS

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4}|\t).*\n)+", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


@functools.cache
def reference() -> str:
    """All that docs/reference says."""
    return "\n".join(path.read_text(encoding="utf-8") for path in tree.files("docs/reference/*.md"))


def named(word: str) -> bool:
    """Whether docs/reference has a word in code quotes or in a block of code."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", reference()) is not None


def pages() -> list[Path]:
    return tree.files("*.md", "docs/**/*.md", "deploy/**/*.md", "examples/**/*.md", "tests/**/*.md")


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.key)
def test_each_setting_is_documented(setting: Setting) -> None:
    """Its flag and its variable stand in docs/reference."""
    names = [setting.flag, setting.env]

    assert names == [name for name in names if named(name)]


def test_each_option_of_each_verb_is_documented() -> None:
    """Verbs and their options stand in docs/reference."""
    missing = [
        f"{verb} {option}"
        for verb, command in commands().items()
        for option in sorted(options(command) - {"--help", "-h"})
        if not named(option)
    ]

    assert [] == missing + [verb for verb in commands() if not named(f"initject {verb}")]


def test_each_metric_is_documented() -> None:
    """Names and labels of metrics stand in docs/reference."""
    words = [word for i in INSTRUMENTS for word in (i.name, *i.labels)]

    assert [] == [word for word in words if not named(word)]


def test_each_field_of_a_policy_is_documented() -> None:
    """Every field of the model stands in docs/reference."""
    assert [] == [f"{where}.{name}" for where, name in fields() if not named(name)]


def test_each_reason_is_documented() -> None:
    """What metrics, logs, annotations and `explain` give as a reason stands in docs/reference."""
    assert [] == [code.value for code in Code if not named(code.value)]


def fields() -> Iterator[tuple[str, str]]:
    """Every part of the model and its fields, as YAML has them."""
    parts: list[type[Any]] = [model.Spec]
    while parts:
        one = parts.pop()
        for name, field in part.fields(one).items():
            yield one.__name__, name
            parts += [field.part] if field.part else []


@functools.cache
def commands() -> dict[str, click.Command]:
    return {v: importlib.import_module(f"webhook.cli.{v}").command for v in main.VERBS}


def options(command: click.Command) -> set[str]:
    declared = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    return {name for p in declared for name in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}


@pytest.mark.parametrize("page", pages(), ids=tree.short)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link is a file of this repository, and its anchor a heading in it."""
    broken = []
    for target, anchor in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        file = (page.parent / target) if target else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(f"{target}#{anchor}" if anchor else target)

    assert [] == broken


@pytest.mark.parametrize("page", pages(), ids=tree.short)
def test_commands_that_are_shown_exist(page: Path) -> None:
    """`make X` is a target, `initject VERB --flag` a verb and one of its flags."""
    targets = set(re.findall(r"^([a-z]+):.*?## ", tree.text("Makefile"), re.MULTILINE))
    wrong = []
    for line in shown(page.read_text(encoding="utf-8")):
        for command in re.split(r"\||&&|;|\$\(", line):
            words = split(command)
            if words[:1] == ["make"] and len(words) > 1:
                wrong += [f"make {w}" for w in words[1:] if w.isalpha() and w not in targets]
            elif words and Path(words[0]).name == "initject":
                wrong += mistaken(words)

    assert [] == wrong


def mistaken(words: list[str]) -> list[str]:
    """What of a call of `initject` is not so."""
    if len(words) < 2 or not words[1].isalpha() or words[1].isupper():
        return []
    command = commands().get(words[1])
    if command is None:
        return [f"initject {words[1]}"]
    flags = {word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)}
    return [f"initject {words[1]} {flag}" for flag in sorted(flags - options(command))]


def shown(text: str) -> Iterator[str]:
    """Commands in blocks of code, and pieces of code in the text that call a verb of ours."""
    blocks = [match.group(3) for match in FENCE.finditer(text)]
    rest = FENCE.sub("", text)
    for block in blocks + INDENTED.findall(rest):
        lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        yield from typed or lines  # where there are prompts, the other lines are output
    for piece in CODE.findall(rest):
        if piece.split()[1:2] in [[verb] for verb in commands()] or piece.startswith("make "):
            yield piece


def split(command: str) -> list[str]:
    """The words of a command, in a shell or a step of a workflow."""
    typed = command.removeprefix("- run: ").replace("$INITJECT ", "initject ")
    try:
        words = shlex.split(typed, comments=True)
    except ValueError:
        return []
    while words and re.fullmatch(r"[A-Z_]+=.*|sudo|exec", words[0]):
        words = words[1:]
    return words


def without_code(text: str) -> str:
    return CODE.sub("", FENCE.sub("", text))


@functools.cache
def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    text = FENCE.sub("", file.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
