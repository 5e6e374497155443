"""What several verbs share: options, where texts come from, and the colours of a terminal."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook.document.problem import Problem
from webhook.errors import UsageError

if TYPE_CHECKING:
    from webhook.inject.decision import Options

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Source = tuple[str, str]  # file name, text

STDIN = "-"
STDIN_NAME = "<stdin>"

PATH = click.Path(exists=True, allow_dash=True)

policies = click.option(
    "--policies",
    multiple=True,
    type=click.Path(exists=True),
    envvar="INITJECT_POLICIES",
    show_envvar=True,
    metavar="PATH",
    help="A file or folder of policies, repeatable; in the environment separated by `:`.",
)
namespaces = click.option(
    "--namespaces",
    multiple=True,
    type=click.Path(exists=True),
    envvar="INITJECT_NAMESPACES",
    show_envvar=True,
    metavar="PATH",
    help="A file or folder of Namespace objects, for their labels; repeatable.",
)
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


decisions = click.option(
    "--inject",
    type=click.Choice(["all", "opt-in"]),
    default="all",
    envvar="INITJECT_INJECT",
    show_envvar=True,
    show_default=True,
    help="Which namespaces: all but the excluded, or those labelled initject.dev/inject: enabled.",
)


def decide_by(given: Mapping[str, Any]) -> Options:
    """The options of decisions, from the parameters that `decisions` adds to a verb."""
    from webhook.inject.decision import Options

    return Options(inject=given["inject"])


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


def required(paths: Sequence[str]) -> Sequence[str]:
    """`--policies` as given. Raises UsageError if there is none."""
    if not paths:
        wrong = "no policies; name them by --policies PATH or in INITJECT_POLICIES"
        raise UsageError(wrong)
    return paths
