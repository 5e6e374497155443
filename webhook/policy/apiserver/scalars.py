"""Single values: is this one of the type, form and range that its field takes?"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from webhook.form import words
from webhook.policy import quantity
from webhook.policy.apiserver import formats, shape, stored, tables

_INT64 = (-(2**63), 2**63 - 1)
_INT32 = (-(2**31), 2**31 - 1)

# What is wrong, and what to do about it.
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
        return None  # every such field is required, so that it is empty is said already
    if held.isdecimal():
        return "a port in quotes is the name of a port", f"write it without quotes: {held}"
    wrong = formats.port_name(held)
    return (f"{held!r} is no name of a port: it {wrong}", "write its number") if wrong else None


def _any(_key: tables.Key, _held: object) -> Fault:
    return None


CHECKS: Mapping[shape.Kind, Callable[[tables.Key, object], Fault]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "any": _any,
}


def as_list(key: tables.Key, held: object) -> str:
    """What to write where a list is wanted."""
    if key == ("Container", "env"):
        return "write a list: - {name: NAME, value: text}"
    if isinstance(held, str) and key[1] in ("command", "args"):
        return f"write a list of words: [{', '.join(repr(word) for word in held.split())}]"
    return "put each entry on a line of its own, with `- ` before it"


def as_map(type_name: str) -> str:
    """What to write where a map is wanted."""
    return f"write its fields: {', '.join(list(shape.types()[type_name])[:3])}"
