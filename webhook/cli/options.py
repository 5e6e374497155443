"""What several verbs share: options, where texts come from, and the colours of a terminal."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook import settings
from webhook.document.problem import Problem

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Source = tuple[str, str]  # file name, text

STDIN = "-"
STDIN_NAME = "<stdin>"

PATH = click.Path(exists=True, allow_dash=True)

namespace = click.option(
    "-n",
    "--namespace",
    default="default",
    show_default=True,
    metavar="NAME",
    help="Where manifests go that name no namespace.",
)


def _color(ctx: click.Context, parameter: click.Parameter, value: str) -> None:
    """Sets click's own switch: True, False, or None for "if it is a terminal"."""
    no = bool(os.environ.get("NO_COLOR"))  # https://no-color.org: any value but the empty one
    ctx.color = {"always": True, "never": False}.get(value, False if no else None)


color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    expose_value=False,
    callback=_color,
    help="Colours: by default on a terminal, unless NO_COLOR is set.",
)


def output(*forms: str) -> Callable[[Decorated], Decorated]:
    """The option `-o/--output`, the first form being the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="What to print.",
    )


def decisions(command: Decorated) -> Decorated:
    """The settings on which decisions depend, as options: the very ones that `serve` has."""
    command = click.option(
        "--config", metavar="FILE", help="A YAML file of settings.  [INITJECT_CONFIG]"
    )(command)
    for setting in reversed(settings.DECISION):
        command = _option(setting)(command)
    return command


def _option(setting: settings.Setting) -> Callable[[Decorated], Decorated]:
    """The flag of a setting. Its value stays text, for `settings.resolve`; types only complete."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return [choice for choice in setting.choices if choice.startswith(incomplete)]

    if setting.kind is settings.Kind.SWITCH:
        return click.option(setting.flag, setting.name, is_flag=True, help=setting.explained)
    paths = setting.kind in (settings.Kind.PATH, settings.Kind.PATHS)
    return click.option(
        setting.flag,
        setting.name,
        multiple=setting.many,
        type=click.Path() if paths else None,
        metavar=setting.metavar,
        help=setting.explained,
        shell_complete=complete if setting.choices else None,
    )


def decided_by(given: Mapping[str, Any], *, policies: bool = True) -> settings.Settings:
    """The settings, from the parameters that `decisions` adds to a verb, environment and file.

    `policies` is false where there may be none. Raises UsageError with every problem.
    """
    table = settings.DECISION
    if not policies and not given["policies"] and not os.environ.get("INITJECT_POLICIES"):
        table = tuple(setting for setting in table if setting.name != "policies")
    return settings.resolve(given, os.environ, config=given["config"], table=table)


def sources(paths: Sequence[str]) -> tuple[list[Source], list[Problem]]:
    """The texts of files and folders, of standard input (`-`) and of pipes, in the order given.

    The second part is what could not be read.
    """
    from webhook.store import files

    texts: list[Source] = []
    problems: list[Problem] = []
    for streams, group in itertools.groupby(paths, _is_stream):
        if streams:
            for path in group:
                _read_stream(path, texts, problems)
        else:
            found = files.read(list(group))
            texts += found.texts
            problems += found.problems
    return texts, problems


def _is_stream(path: str) -> bool:
    """Standard input, or a pipe such as the shell makes of `<(kustomize build)`."""
    return path == STDIN or Path(path).is_fifo()


def _read_stream(path: str, texts: list[Source], problems: list[Problem]) -> None:
    name = STDIN_NAME if path == STDIN else path
    content = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    try:
        texts.append((name, content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problems.append(Problem(name, line, column, "", "is no UTF-8 text", "save it as UTF-8"))
