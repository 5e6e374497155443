"""One setting: its names, its help text, and what its text means."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

PREFIX = "INITJECT_"


class Kind(Enum):
    """What a setting's text means."""

    PATHS = "paths"  # repeatable; `:` between them in the environment
    GLOBS = "globs"  # repeatable; `,` between them
    NAMES = "names"  # of objects; the same
    IMAGES = "images"  # WORD=IMAGE; the same
    PATH = "path"
    TEXT = "text"
    CHOICE = "choice"
    INTEGER = "integer"
    SECONDS = "seconds"
    DAYS = "days"
    SWITCH = "switch"


_LISTS = (Kind.GLOBS, Kind.NAMES, Kind.IMAGES)
_METAVARS = {
    Kind.PATHS: "PATH",
    Kind.GLOBS: "GLOB",
    Kind.NAMES: "NAME",
    Kind.IMAGES: "WORD=IMAGE",
    Kind.INTEGER: "N",
    Kind.SWITCH: "",
}
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)  # RFC 1123 subdomain


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table.

    `origin` says where a number comes from; `decides` marks the settings on which decisions depend:
    `preview`, `explain` and `test` take them as well as `serve`.
    """

    name: str
    kind: Kind
    help: str
    default: Any
    origin: str = ""
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = float("inf")
    decides: bool = False
    variable: str = ""

    @property
    def key(self) -> str:
        """Its name in the settings file."""
        return self.name.replace("_", "-")

    @property
    def flag(self) -> str:
        """Its option on the command line."""
        return f"--{self.key}"

    @property
    def env(self) -> str:
        """Its environment variable."""
        return self.variable or PREFIX + self.name.upper()

    @property
    def many(self) -> bool:
        """Whether it is a list, whose flag can be repeated."""
        return self.kind is Kind.PATHS or self.kind in _LISTS

    @property
    def commas(self) -> bool:
        """Whether its items may share one text, between commas."""
        return self.kind in _LISTS

    @property
    def metavar(self) -> str:
        """What stands behind the flag in `--help`; empty for a switch."""
        choices = "|".join(self.choices) if self.kind is Kind.CHOICE else ""
        return choices or _METAVARS.get(self.kind, self.kind.value.upper())

    @property
    def shown_default(self) -> str:
        """The default as a reader writes it; empty where there is none."""
        if self.many:
            return ", ".join(self.default)
        if isinstance(self.default, float):
            return f"{self.default:g}"
        return str(self.default or "")

    @property
    def explained(self) -> str:
        """The whole help text of its option."""
        default = f"default: {self.shown_default}; " if self.shown_default else ""
        return f"{self.help}  [{default}{self.env}]"

    def parse(self, text: Sequence[str]) -> object:
        """The value that `text` means (one item unless `many`); raises ValueError with advice."""
        if self.many:
            one = _ITEMS.get(self.kind, _text)
            return tuple(one(self, item) for item in text if item)
        return _PARSERS[self.kind](self, text[-1])


def _choice(setting: Setting, text: str) -> str:
    if text not in setting.choices:
        wanted = ", ".join(setting.choices[:-1]) + f" or {setting.choices[-1]}"
        msg = f"{text!r} is none of its values; write {wanted}"
        raise ValueError(msg)
    return text


def _integer(setting: Setting, text: str) -> int:
    wanted = f"write a whole number from {setting.least:g} to {setting.most:g}"
    if not (text.isascii() and text.isdigit() and setting.least <= int(text) <= setting.most):
        msg = f"{text!r} is out of place; {wanted}"
        raise ValueError(msg)
    return int(text)


def _seconds(setting: Setting, text: str) -> float:
    return _duration(setting, text, "seconds")


def _days(setting: Setting, text: str) -> float:
    return _duration(setting, text, "days")


def _duration(setting: Setting, text: str, unit: str) -> float:
    try:
        value = float(text.removesuffix(unit[0]))
    except ValueError:
        value = math.nan
    if not setting.least <= value <= setting.most:
        wanted = f"write {unit}, from {setting.least:g} to {setting.most:g}"
        msg = f"{text!r} is out of place; {wanted}"
        raise ValueError(msg)
    return value


def _switch(_: Setting, text: str) -> bool:
    found = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
    if found is None:
        msg = f"{text!r} is neither; write true or false"
        raise ValueError(msg)
    return found


def _text(_: Setting, text: str) -> str:
    return text


def _name(_: Setting, text: str) -> str:
    if not NAME.fullmatch(text):
        msg = f"{text!r} is no name of an object; write small letters, digits and `-`"
        raise ValueError(msg)
    return text


def _image(setting: Setting, text: str) -> tuple[str, str]:
    """The word and the image. What an image may be is for the kubelet to say."""
    word, _, image = (part.strip() for part in text.partition("="))
    if word not in setting.choices:
        wanted = ", ".join(setting.choices[:-1]) + f" or {setting.choices[-1]}"
        msg = f"{text!r} is of none of the images; write {wanted}, then =IMAGE"
        raise ValueError(msg)
    if not image or any(sign.isspace() for sign in image):
        msg = f"{text!r} is without an image; write {word}=REGISTRY/NAME:TAG"
        raise ValueError(msg)
    return word, image


_ITEMS: dict[Kind, Callable[[Setting, str], object]] = {Kind.NAMES: _name, Kind.IMAGES: _image}
_PARSERS: dict[Kind, Callable[[Setting, str], object]] = {
    Kind.PATH: _text,
    Kind.TEXT: _text,
    Kind.CHOICE: _choice,
    Kind.INTEGER: _integer,
    Kind.SECONDS: _seconds,
    Kind.DAYS: _days,
    Kind.SWITCH: _switch,
}
