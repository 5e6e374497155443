"""Values into YAML that kubectl applies and a person reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from yaml import CSafeDumper, dump
from yaml.nodes import ScalarNode

from webhook.document import scalar

# What some reader of YAML takes for a number, a date or a time: anything of these characters.
_NUMBERLIKE = re.compile(r"[-+.]?[0-9][-+0-9._:,a-fA-FoOxXtTzZ ]*")
# Words that mean something to YAML itself.
_MARKS = frozenset({"=", "<<", "-", "?", ":", "---", "..."})
# Lines that no block can hold as they are: trailing space, and breaks that only YAML 1.1 knows.
_UNBLOCKABLE = re.compile("[ \t]$|[\r\x85\u2028\u2029\ufeff]", re.MULTILINE)


def write(values: Iterable[object]) -> str:
    """The YAML stream of JSON values, one document each: order kept, blocks, no aliases.

    A text that any YAML reader could take for something else is quoted; one of several lines
    becomes a `|` block.
    """
    return "---\n".join(
        dump(
            value,
            Dumper=_Dumper,
            sort_keys=False,
            default_flow_style=False,
            allow_unicode=True,
            width=-1,  # never folded: a folded command cannot be copied
        )
        for value in values
    )


class _Dumper(CSafeDumper):
    """Writes texts as they are best read."""

    def ignore_aliases(self, data: Any) -> bool:
        """An object that occurs twice is written twice."""
        return True

    def text(self, data: str) -> ScalarNode:
        """Plain where nothing else can be meant, a block where there are lines, else quoted."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, _style(data))


_Dumper.add_representer(str, _Dumper.text)


def _style(text: str) -> str | None:
    if "\n" in text:
        blockable = not text[0].isspace() and not _UNBLOCKABLE.search(text)
        return "|" if blockable and text.strip("\n") else '"'
    if not isinstance(scalar.resolve(text), str) or text in _MARKS or _NUMBERLIKE.fullmatch(text):
        return "'" if text.isprintable() else '"'
    return None
