"""One walk through a container or volume: types, unknown fields, and what the tables say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from webhook.document.problem import Finding, Path
from webhook.form import words
from webhook.policy.apiserver import scalars, shape, tables

Rule = Callable[[Mapping[str, Any], Path], Iterable[Finding]]
Rules = Mapping[str, tuple[Rule, ...]]

_WRONG = object()


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found: `clean` is what of the value is of the right type."""

    clean: dict[str, Any]
    findings: list[Finding]
    wrong: list[Path]  # the places of wrong types

    def told(self, path: Path) -> bool:
        """Whether something at or below `path` is of a wrong type, so that more would be noise."""
        return any(place[: len(path)] == path for place in self.wrong)


def walk(type_name: str, value: Mapping[str, Any], rules: Rules, *, newer: bool = False) -> Walked:
    """Everything wrong with `value`.

    With `newer` an unknown field may be one of a newer Kubernetes, so it is a warning.
    `rules` are asked of every value of their type, cleaned likewise: they need not fear a wrong
    type or a null. Texts with a template are judged by type alone.
    """
    walker = _Walker(rules, newer)
    clean = walker.struct(type_name, value, ())
    return Walked(clean, walker.findings, walker.wrong)


class _Walker:
    def __init__(self, rules: Rules, newer: bool) -> None:
        self.findings: list[Finding] = []
        self.wrong: list[Path] = []
        self._rules = rules
        self._newer = newer

    def struct(self, type_name: str, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        fields = shape.types()[type_name]
        clean: dict[str, Any] = {}
        for name, held in value.items():
            field = fields.get(name)
            if field is None:
                self.findings.append(_unknown(type_name, name, path, self._newer))
            elif held is not None:
                kept = self._field((type_name, name), field, held, (*path, name))
                if kept is not _WRONG:
                    clean[name] = kept
        # What a warning lets pass stands for nothing: a field that was meant by it is missing.
        meant = set() if self._newer else misspelt(type_name, value)
        self.findings += _missing(type_name, value, path, meant)
        self.findings += _one_of(type_name, value, path)
        told = Walked(clean, self.findings, self.wrong).told
        for rule in self._rules.get(type_name, ()):
            self.findings += [one for one in rule(clean, path) if not told(one.path)]
        return clean

    def _field(self, key: tables.Key, field: shape.Field, held: object, path: Path) -> object:
        if field.many == "list":
            return self._list(key, field, held, path)
        if field.many == "map":
            return self._map(key, field, held, path)
        return self._one(key, field, held, path)

    def _list(self, key: tables.Key, field: shape.Field, held: object, path: Path) -> object:
        if not isinstance(held, list):
            return self._wrong(
                path, f"must be a list, not {words.kind(held)}", scalars.as_list(key, held)
            )
        kept = [self._one(key, field, item, (*path, i)) for i, item in enumerate(held)]
        self.findings += _twice(key, kept, path)
        return [{} if item is _WRONG and field.of else item for item in kept if item is not _WRONG]

    def _map(self, key: tables.Key, field: shape.Field, held: object, path: Path) -> object:
        if not isinstance(held, dict):
            return self._wrong(path, f"must be a map, not {words.kind(held)}", "write `key: value`")
        kept = {name: self._one(key, field, item, (*path, name)) for name, item in held.items()}
        return {name: item for name, item in kept.items() if item is not _WRONG}

    def _one(self, key: tables.Key, field: shape.Field, held: object, path: Path) -> object:
        if field.kind == "struct":
            if isinstance(held, dict):
                return self.struct(field.of, held, path)
            return self._wrong(
                path, f"must be a map, not {words.kind(held)}", scalars.as_map(field.of)
            )
        fault = scalars.CHECKS[field.kind](key, held)
        if fault is None:
            return held
        return self._wrong(path, *fault)

    def _wrong(self, path: Path, what: str, advice: str = "") -> object:
        self.findings.append(Finding(path, what, advice))
        self.wrong.append(path)
        return _WRONG


def _unknown(type_name: str, name: str, path: Path, newer: bool) -> Finding:
    fields = shape.types()[type_name]
    holder = _holder(fields, name)
    near = nearest(name, fields)
    if holder is not None and (near is None or near.lower() != name.lower()):
        advice = f"it belongs in {holder}"
    else:
        advice = f"did you mean {near}?" if near else words.meant(name, fields)
    what = f"unknown field {name}"
    return Finding((*path, name), what, advice, "warning" if newer else "error")


def nearest(name: str, fields: Iterable[str]) -> str | None:
    """The field that was most likely meant: but for its case and dashes, as a part, or nearly."""
    known = tuple(fields)
    flat = name.replace("_", "").replace("-", "").lower()
    same = [field for field in known if field.lower() == flat]
    part = [field for field in known if len(flat) > 2 and flat in field.lower()]
    if same or len(part) == 1:
        return (same or part)[0]
    return words.nearest(name, known)


def _holder(fields: Mapping[str, shape.Field], name: str) -> str | None:
    """The field, itself a struct, that has a field of this name."""
    for holder, field in fields.items():
        if field.kind == "struct" and not field.many and name in shape.types()[field.of]:
            return holder
    return None


def misspelt(type_name: str, value: Mapping[str, Any]) -> set[str | None]:
    """The fields that were most likely meant by those that the type does not have."""
    fields = shape.types()[type_name]
    return {nearest(name, fields) for name in value if name not in fields}


def _missing(
    type_name: str, value: Mapping[str, Any], path: Path, meant: set[str | None]
) -> Iterator[Finding]:
    required = [n for n, field in shape.types()[type_name].items() if field.required]
    for name in (*required, *tables.REQUIRED.get(type_name, ())):
        held = value.get(name)
        if held is None and name in meant:
            continue  # said already, with the right name
        if held is None:
            yield Finding((*path, name), "is missing", "add it")
        elif held in ("", []) and (type_name, name) not in tables.MAY_BE_EMPTY:
            yield Finding((*path, name), "is empty", "write a value")


def _one_of(type_name: str, value: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    choices = tables.ONE_OF.get(type_name)
    if choices is None:
        return
    given = [name for name in choices if value.get(name) is not None]
    if not given:
        yield Finding(path, "says nothing", f"write one of {', '.join(choices)}")
    for name in given[1:]:
        yield Finding((*path, name), f"stands beside {given[0]}", "only one of them is allowed")


def _twice(key: tables.Key, items: list[Any], path: Path) -> Iterator[Finding]:
    name = tables.UNIQUE.get(key)
    if name is None:
        return
    seen: dict[object, int] = {}
    for index, item in enumerate(items):
        held = cast("dict[str, object]", item).get(name) if isinstance(item, dict) else None
        if held and seen.setdefault(held, index) != index:
            what = f"{held!r} is already that of {key[1]}[{seen[held]}]"
            yield Finding((*path, index, name), what, "remove one of the two")
