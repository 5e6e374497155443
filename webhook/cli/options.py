"""What several verbs share: options, where texts come from, and the colours of a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from webhook.errors import UsageError

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


def sources(paths: Sequence[str]) -> list[Source]:
    """The texts of files, of the YAML and JSON files in folders, and of standard input (`-`).

    Raises UsageError for what cannot be read.
    """
    from webhook.store import files

    found: list[Source] = []
    for path in paths:
        if path == STDIN:
            found.append((STDIN_NAME, _standard_input()))
        else:
            found.extend(files.read([path]))
    return found


def required(paths: Sequence[str]) -> Sequence[str]:
    """`--policies` as given. Raises UsageError if there is none."""
    if not paths:
        wrong = "no policies; name them by --policies PATH or in INITJECT_POLICIES"
        raise UsageError(wrong)
    return paths


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        wrong = f"{STDIN_NAME}: not UTF-8: {error.reason} at byte {error.start}"
        raise UsageError(wrong) from None
