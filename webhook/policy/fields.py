"""What is wrong with the fields of a spec by the model, in words for people.

The model finds every fault; here each becomes a finding with the path as it is written in YAML, the
nearest right name and the values that are allowed.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from webhook.document.problem import Finding, Path
from webhook.policy import model, words

# Fields that stay raw: what is below them is core/v1's business.
_RAW = ("container", "podSelector", "namespaceSelector")
# Where an author looks for them in vain: beside `container` instead of in it.
_IN_CONTAINER = (
    "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe",
    "ports", "readinessProbe", "resources", "restartPolicy", "securityContext", "startupProbe",
    "stdin", "tty", "volumeDevices", "volumeMounts", "workingDir",
)  # fmt: skip


def read(value: Mapping[str, Any]) -> tuple[model.Spec | None, list[Finding]]:
    """A spec as it was written, or everything that the model says against it.

    The paths of the findings begin at the spec. With any finding there is no spec.
    """
    findings = list(_nulls((), value))
    try:
        spec = model.Spec.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        findings += [_finding(d) for d in details if d["input"] is not None]
        return None, findings
    return (None if findings else spec), findings


def known(path: Path) -> tuple[str, ...]:
    """The names of the fields of the part of a spec at `path`, none if it is no part of ours."""
    part = _part(path)
    return tuple(children(part)) if part else ()


def children(part: type[model.Model]) -> dict[str, type[model.Model] | None]:
    """The fields of a part by their YAML names, each with the model of what it holds."""
    fields = part.model_fields.items()
    return {field.alias or name: _inner(field.annotation) for name, field in fields}


def _nulls(path: Path, value: Any) -> Iterator[Finding]:
    """Keys without a value: to be told, since leaving a clause empty must not mean "all"."""
    if value is None:
        yield Finding(path, "is empty (null)", "give it a value, or remove it")
    elif isinstance(value, Mapping):
        source = len(path) == 2 and path[0] == "volumes"
        for key, item in value.items():
            if key not in _RAW and (not source or key in ("name", "mountInto")):
                yield from _nulls((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls((*path, index), item)


def _finding(detail: ErrorDetails) -> Finding:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    value, context = detail["input"], detail.get("ctx", {})
    say = _SAYINGS.get(detail["type"])
    what, advice = say(value, context, path) if say else (detail["msg"].lower(), "")
    return Finding(path, what, advice)


Saying = tuple[str, str]


def _missing(_value: Any, _context: dict[str, Any], path: Path) -> Saying:
    return "is missing", f"add {path[-1]}"


def _unknown(_value: Any, _context: dict[str, Any], path: Path) -> Saying:
    key, names = str(path[-1]), known(path[:-1])
    below = _below(path[:-1], key)
    return f"unknown field {key}", below or words.meant(key, names)


def _below(path: Path, key: str) -> str:
    """The advice for a field that belongs one level deeper."""
    part = _part(path)
    if part is None:
        return ""
    if part is model.Step and key in _IN_CONTAINER:
        return f"write it inside container: container.{key}"
    for name, child in children(part).items():
        if child and key in children(child):
            return f"did you mean {name}.{key}?"
    return ""


def _literal(value: Any, context: dict[str, Any], _path: Path) -> Saying:
    allowed = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    if isinstance(value, str):
        return f"{value!r} is not allowed here", words.meant(value, allowed)
    return f"must be one of {', '.join(allowed)}, not {words.kind(value)}", ""


def _string(value: Any, _context: dict[str, Any], _path: Path) -> Saying:
    return f"must be a string, not {words.kind(value)}", words.quoted(value)


def _integer(value: Any, _context: dict[str, Any], _path: Path) -> Saying:
    digits = isinstance(value, str) and value.strip().lstrip("+-").isdecimal()
    advice = f"write it without quotes: {value.strip()}" if digits else ""
    return f"must be an integer, not {words.kind(value)}", advice


def _boolean(value: Any, _context: dict[str, Any], _path: Path) -> Saying:
    word = value.strip().lower() if isinstance(value, str) else ""
    plain = {"true": "true", "yes": "true", "on": "true"}.get(word)
    plain = plain or {"false": "false", "no": "false", "off": "false"}.get(word)
    advice = f"write {plain} without quotes" if plain else ""
    return f"must be true or false, not {words.kind(value)}", advice


def _list(value: Any, _context: dict[str, Any], _path: Path) -> Saying:
    short = isinstance(value, (str, int)) and len(str(value)) <= 60
    if short:
        text = words.yaml(value) if not isinstance(value, str) else f'"{value}"'
        return f"must be a list, not {words.kind(value)}", f"write [{text}]"
    advice = "put '- ' in front of each entry" if isinstance(value, Mapping) else ""
    return f"must be a list, not {words.kind(value)}", advice


def _map(value: Any, _context: dict[str, Any], path: Path) -> Saying:
    names = known(path)
    advice = f"its fields are {', '.join(names)}" if names else ""
    return f"must be a map, not {words.kind(value)}", advice


def _too_short(_value: Any, _context: dict[str, Any], path: Path) -> Saying:
    if path == ("steps",):
        return "is empty", "a policy needs at least one step"
    return "is empty", "give it at least one entry, or leave it out"


def _too_long(value: Any, context: dict[str, Any], _path: Path) -> Saying:
    return f"has {len(value)} entries, {context['max_length']} are allowed", ""


def _long_string(value: Any, context: dict[str, Any], _path: Path) -> Saying:
    return f"is {len(value)} characters long, {context['max_length']} are allowed", ""


def _pattern(value: Any, context: dict[str, Any], _path: Path) -> Saying:
    return f"{value!r} must {model.DEMANDS[context['pattern']]}", _lower(value, context["pattern"])


def _lower(value: str, pattern: str) -> str:
    """The nearest text that the pattern takes, where it is easy to see."""
    if pattern == model.LABEL:
        near = "".join(c if c.isalnum() else "-" for c in value.lower()).strip("-")
    elif pattern == model.KIND:
        near = value[:1].upper() + value[1:]
    else:
        near = "".join(c if c.isalnum() else "_" for c in value)
    return f"for example {near}" if near.isascii() and near not in ("", value) else ""


def _scalar(value: Any, _context: dict[str, Any], _path: Path) -> Saying:
    what = f"must be a string, an integer, true or false, not {words.kind(value)}"
    return what, words.quoted(value)


_SAYINGS: dict[str, Callable[[Any, dict[str, Any], Path], Saying]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _literal,
    "string_type": _string,
    "int_type": _integer,
    "bool_type": _boolean,
    "list_type": _list,
    "dict_type": _map,
    "model_type": _map,
    "too_short": _too_short,
    "too_long": _too_long,
    "string_too_short": lambda _value, _context, _path: ("is empty", "give it a value"),
    "string_too_long": _long_string,
    "string_pattern_mismatch": _pattern,
    "greater_than_equal": lambda _v, context, _path: (f"must be at least {context['ge']}", ""),
    "less_than_equal": lambda _v, context, _path: (f"must be at most {context['le']}", ""),
    "scalar_type": _scalar,
}


def _part(path: Path) -> type[model.Model] | None:
    """The model of the part of a spec at `path`."""
    part: type[model.Model] | None = model.Spec
    for step in path:
        if isinstance(step, str) and part is not None:
            part = children(part).get(step)
    return part


def _inner(annotation: Any) -> type[model.Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, model.Model):
        return annotation
    for argument in typing.get_args(annotation):
        found = _inner(argument)
        if found:
            return found
    return None
