"""One walk through a container or volume: types, unknown fields, and what the tables say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from webhook.document.problem import Finding, Path
from webhook.policy import quantity, words
from webhook.policy.apiserver import formats, shape, stored, tables

Rule = Callable[[Mapping[str, Any], Path], Iterable[Finding]]
Rules = Mapping[str, tuple[Rule, ...]]

_INT64 = (-(2**63), 2**63 - 1)
_INT32 = (-(2**31), 2**31 - 1)
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


def walk(type_name: str, value: Mapping[str, Any], rules: Rules) -> Walked:
    """Everything wrong with `value`.

    `rules` are asked of every value of their type, cleaned likewise: they need not fear a wrong
    type or a null. Texts with a template are judged by type alone.
    """
    walker = _Walker(rules)
    clean = walker.struct(type_name, value, ())
    return Walked(clean, walker.findings, walker.wrong)


class _Walker:
    def __init__(self, rules: Rules) -> None:
        self.findings: list[Finding] = []
        self.wrong: list[Path] = []
        self._rules = rules

    def struct(self, type_name: str, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        fields = shape.types()[type_name]
        clean: dict[str, Any] = {}
        for name, held in value.items():
            field = fields.get(name)
            if field is None:
                self.findings.append(_unknown(type_name, name, path))
            elif held is not None:
                kept = self._field((type_name, name), field, held, (*path, name))
                if kept is not _WRONG:
                    clean[name] = kept
        self.findings += _missing(type_name, value, path, misspelt(type_name, value))
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
            return self._wrong(path, f"must be a list, not {words.kind(held)}", _as_list(key, held))
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
            return self._wrong(path, f"must be a map, not {words.kind(held)}", _as_map(field.of))
        fault = _CHECKS[field.kind](key, held)
        if fault is None:
            return held
        return self._wrong(path, *fault)

    def _wrong(self, path: Path, what: str, advice: str = "") -> object:
        self.findings.append(Finding(path, what, advice))
        self.wrong.append(path)
        return _WRONG


Fault = tuple[str, str] | None


def _string(key: tables.Key, held: object) -> Fault:
    if not isinstance(held, str):
        return f"must be a string, not {words.kind(held)}", words.quoted(held)
    if formats.is_template(held):
        return None
    allowed = tables.ENUMS.get(key, ()) or tables.ITEMS.get(key, ())
    if allowed and held not in allowed and (held or key in stored.POINTERS):
        return f"{held!r} is no value of {key[1]}", words.meant(held, [w for w in allowed if w])
    wrong = tables.FORMATS[key](held) if held and key in tables.FORMATS else ""
    return (f"{held!r} {wrong}", _mended(held, tables.FORMATS[key])) if wrong else None


def _mended(text: str, fault: Callable[[str], str]) -> str:
    """The nearest text that has the form, where it is easy to see."""
    for nearest in (text.strip(), text.strip().lower().replace("_", "-").replace(" ", "-")):
        if nearest and not fault(nearest):
            return f"{nearest!r} would do"
    return ""


def _integer(key: tables.Key, held: object) -> Fault:
    if isinstance(held, bool) or not isinstance(held, int):
        return f"must be a whole number, not {words.kind(held)}", _as_number(held)
    low, high = tables.RANGES.get(key, _INT64 if key in _LONG else _INT32)
    if low <= held <= high:
        return None
    if key[1] in ("mode", "defaultMode"):
        octal = set(str(held)) <= set("01234567")
        advice = f"write 0{held}: a mode is octal" if octal else f"write 0 to 0{high:o}"
        return f"{held} is out of range", advice
    return f"{held} is out of range", f"write {low} to {high}"


# Fields of 64 bits without a range of their own.
_LONG = frozenset({("ObjectMeta", "generation"), ("ObjectMeta", "deletionGracePeriodSeconds")})


def _as_number(held: object) -> str:
    if not isinstance(held, str):
        return ""
    if formats.is_template(held):
        return "a template gives a text, and this field takes none; write the number"
    return f"write it without quotes: {held}" if held.lstrip("-").isdecimal() else ""


def _boolean(_key: tables.Key, held: object) -> Fault:
    if isinstance(held, bool):
        return None
    advice = "write true or false, without quotes"
    if isinstance(held, str) and formats.is_template(held):
        advice = "a template gives a text, and this field takes none; write true or false"
    return f"must be true or false, not {words.kind(held)}", advice


def _quantity(_key: tables.Key, held: object) -> Fault:
    if isinstance(held, str) and formats.is_template(held):
        return None
    if isinstance(held, bool) or not isinstance(held, (str, int, float)):
        return f"must be a quantity, not {words.kind(held)}", "write for example 500m or 128Mi"
    try:
        quantity.parse(held)
    except ValueError as error:
        return str(error), _near_quantity(str(held))
    return None


def _near_quantity(text: str) -> str:
    for old, new in (("KB", "k"), ("MB", "M"), ("GB", "G"), ("TB", "T"), ("B", ""), ("K", "k")):
        near = text.strip().replace(" ", "").removesuffix(old) + new
        if text.upper().rstrip().endswith(old.upper()) and _is_quantity(near):
            return f"did you mean {near}?"
    for suffix in ("Ki", "Mi", "Gi", "Ti"):
        if text.lower().endswith(suffix.lower()) and _is_quantity(text[:-2] + suffix):
            return f"did you mean {text[:-2]}{suffix}?"
    return "write for example 500m, 1, 128Mi or 1Gi"


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def _int_or_string(key: tables.Key, held: object) -> Fault:
    if not isinstance(held, str):
        return _integer(key, held)
    if not held or formats.is_template(held):
        return None if held else ("is empty", "write a port number, or the name of a port")
    if held.isdecimal():
        return "a port in quotes is the name of a port", f"write it without quotes: {held}"
    wrong = formats.port_name(held)
    return (f"{held!r} is no name of a port: it {wrong}", "write its number") if wrong else None


def _any(_key: tables.Key, _held: object) -> Fault:
    return None


_CHECKS: Mapping[shape.Kind, Callable[[tables.Key, object], Fault]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "any": _any,
}


def _unknown(type_name: str, name: str, path: Path) -> Finding:
    fields = shape.types()[type_name]
    holder = _holder(fields, name)
    near = nearest(name, fields)
    if holder is not None and (near is None or near.lower() != name.lower()):
        advice = f"it belongs in {holder}"
    else:
        advice = f"did you mean {near}?" if near else words.meant(name, fields)
    return Finding((*path, name), f"{_called(type_name, path)} has no field {name!r}", advice)


def _called(type_name: str, path: Path) -> str:
    """What holds the field, in the author's words."""
    if not path:
        return f"a {type_name.lower()}"
    return str(path[-1]) if isinstance(path[-1], str) else f"an entry of {path[-2]}"


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


def _as_list(key: tables.Key, held: object) -> str:
    if key == ("Container", "env"):
        return "write a list: - {name: NAME, value: text}"
    if isinstance(held, str) and key[1] in ("command", "args"):
        return f"write a list of words: [{', '.join(repr(word) for word in held.split())}]"
    return "put each entry on a line of its own, with `- ` before it"


def _as_map(type_name: str) -> str:
    return f"write its fields: {', '.join(list(shape.types()[type_name])[:3])}"
