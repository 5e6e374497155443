"""The optional settings file: YAML, one key per setting, problems with line and column."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from webhook.settings.given import Given, nearest
from webhook.settings.setting import Kind, Setting
from webhook.settings.table import TABLE

MAX_BYTES = 1024 * 1024  # what a ConfigMap can hold
_KEYS = {setting.key: setting for setting in TABLE}


def read(path: str, problems: list[str]) -> list[Given]:
    """What the file at `path` says, in its order; adds to `problems` what is wrong with it.

    Paths in it count from its own folder. An empty file says nothing.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}; check --config")
        return []
    except UnicodeDecodeError:
        problems.append(f"{path}: is no UTF-8 text; save it as UTF-8")
        return []
    if len(text) > MAX_BYTES:
        problems.append(f"{path}: is larger than {MAX_BYTES} bytes; check --config")
        return []
    node = _compose(path, text, problems)
    return [] if node is None else list(_mapping(path, node, problems))


def _compose(path: str, text: str, problems: list[str]) -> Node | None:
    try:
        node: Node | None = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        problems.append(f"{place}: {error.problem or 'is no YAML'}; mend the YAML here")
    except yaml.YAMLError as error:
        problems.append(f"{path}: {str(error).splitlines()[0]}; mend the YAML")
    else:
        return node
    return None


def _mapping(path: str, node: Node, problems: list[str]) -> Iterator[Given]:
    if not isinstance(node, MappingNode):
        problems.append(f"{_place(path, node)}: is no mapping; write `port: 8443`, a line each")
        return
    seen: set[str] = set()
    for key, value in node.value:
        name = str(key.value) if isinstance(key, ScalarNode) else ""
        setting = _KEYS.get(name)
        if setting is None:
            problems.append(f"{_place(path, key)}: {name}: no such setting; {_advice(name)}")
        elif name in seen:
            problems.append(f"{_place(path, key)}: {name}: stands twice; leave one")
        else:
            seen.add(name)
            yield from _value(path, setting, value, problems)


def _value(path: str, setting: Setting, value: Node, problems: list[str]) -> Iterator[Given]:
    where = f"{_place(path, value)}: {setting.key}"
    text = _texts(value, many=setting.many)
    if text is None:
        wanted = "one value or a list of them" if setting.many else "one value"
        problems.append(f"{where}: is more than that; write {wanted}")
    elif text or isinstance(value, SequenceNode):
        if setting.kind in (Kind.PATH, Kind.PATHS):
            text = tuple(os.path.join(os.path.dirname(path), item) for item in text)
        yield Given(setting, where, text)


def _texts(node: Node, *, many: bool) -> tuple[str, ...] | None:
    """The scalars of a value, none for null; None when it has another shape."""
    items = node.value if many and isinstance(node, SequenceNode) else [node]
    if not all(isinstance(item, ScalarNode) for item in items):
        return None
    return tuple(item.value for item in items if item.tag != "tag:yaml.org,2002:null")


def _place(path: str, node: Node) -> str:
    return f"{path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _advice(name: str) -> str:
    """`logLevel` and `log_level` are `log-level`; else whatever looks most like it."""
    kebab = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", name).lower()
    near = kebab if kebab in _KEYS else nearest(kebab, _KEYS)
    return f"did you mean {near}?" if near else "docs/reference/settings.md lists all"
