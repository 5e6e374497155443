"""Parts of a policy: frozen dataclasses whose fields say their form and what they are for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from webhook.document.problem import Path
from webhook.form import words
from webhook.form.form import WRONG, Core, Form, ListOf, MapOf, Node, Reading, present

_NOTHING: Any = dataclasses.MISSING


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a part. `stand_in` takes its place in a draft where it is required and wrong."""

    name: str  # as YAML has it
    attribute: str
    form: Form
    description: str
    default: Any
    stand_in: Any

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is _NOTHING

    @property
    def part(self) -> Any:
        """The part that the field holds: one, or a list or map of it."""
        form = self.form.item if isinstance(self.form, (ListOf, MapOf)) else self.form
        return form.type if isinstance(form, Part) else None

    def schema(self) -> Node:
        """The schema of the field's value, with its description and default."""
        node = {"description": self.description, **self.form.schema()}
        node["description"] = self.description
        if isinstance(self.default, (str, int)):
            node["default"] = self.default
        elif isinstance(self.default, tuple) and self.default:
            node["default"] = list(self.default)
        return node


def told(
    form: Form,
    description: str,
    *,
    default: Any = None,
    name: str = "",
    stand_in: Any = WRONG,
) -> Any:
    """A field of a part that may be left out."""
    metadata = {"form": form, "description": description, "name": name, "stand_in": stand_in}
    return dataclasses.field(default=default, metadata=metadata)


def needed(form: Form, description: str, *, name: str = "", stand_in: Any = WRONG) -> Any:
    """A field of a part that must be there."""
    return told(form, description, default=_NOTHING, name=name, stand_in=stand_in)


@cache
def fields(part: Any) -> Mapping[str, Field]:
    """The fields of a part by the names that YAML has for them, in the order of the model."""
    declared = [one for one in dataclasses.fields(part) if "form" in one.metadata]
    found = [_field(one) for one in declared]
    return {field.name: field for field in found}


def _field(declared: dataclasses.Field[Any]) -> Field:
    told = declared.metadata
    head, *rest = declared.name.split("_")
    name = told["name"] or head + "".join(word.title() for word in rest)
    form, description, default = told["form"], told["description"], declared.default
    return Field(name, declared.name, form, description, default, told["stand_in"])


@dataclass(frozen=True, slots=True)
class Part(Form):
    """A map that becomes a part. What it has no field for is refused, or goes to `rest`."""

    type: Any  # a dataclass
    rest: str = ""  # the attribute for all other fields: they are core/v1's, as those of `core`
    core: str = ""
    some: bool = False  # whether an empty one is no use
    single: bool = False  # whether exactly one of its fields is set

    def read(self, path: Path, value: Any, reading: Reading) -> Any:
        """The part, with stand-ins for what is required and wrong, or WRONG."""
        known = fields(self.type)
        if not isinstance(value, Mapping):
            advice = f"its fields are {', '.join(known)}"
            return reading.refuse(path, f"must be a map, not {words.kind(value)}", advice)
        given: dict[str, Any] = {}
        others = {}
        for key, item in value.items():
            field = known.get(key)
            if field:
                given[field.attribute] = present(field.form, (*path, key), item, reading)
                continue
            others[key] = item
            if not self.rest:
                reading.refuse((*path, key), f"unknown field {key}", meant(self.type, str(key)))
        if self.rest:
            given[self.rest] = others
        if self.single and len(given) != 1:
            return self._refuse_number(path, len(given), bool(others), reading)
        return self._build(path, given, reading)

    def _refuse_number(self, path: Path, given: int, others: bool, reading: Reading) -> Any:
        """Not one field is set. Where there is none but a misspelt one, that is told already."""
        if given or not others:
            have = f"has {given} of its fields" if given else "is empty"
            what = f"{have}, not exactly one of {', '.join(fields(self.type))}"
            listed = bool(path) and isinstance(path[-1], int)
            more = "write an entry of the list for each" if listed else "leave one"
            reading.refuse(path, what, more if given else "")
        return WRONG

    def _build(self, path: Path, given: Mapping[str, Any], reading: Reading) -> Any:
        right = {key: value for key, value in given.items() if value is not WRONG}
        if self.single and not right:
            return WRONG  # what reads it takes for granted that one is there
        for field in fields(self.type).values():
            if not field.required or field.attribute in right:
                continue
            if field.attribute not in given:
                reading.refuse((*path, field.name), "is missing", f"add {field.name}")
            if field.stand_in is WRONG:
                return WRONG
            own = isinstance(field.stand_in, str)
            right[field.attribute] = f"{field.stand_in}{path[-1]}" if own else field.stand_in
        return self.type(**right)

    def schema(self) -> Node:
        """An object with all its fields."""
        known = fields(self.type).values()
        required = [field.name for field in known if field.required]
        return {
            "description": " ".join((self.type.__doc__ or "").split()),
            "type": "object",
            **({"x-core": self.core} if self.core else {}),
            **({"required": required} if required else {}),
            **({"minProperties": 1} if self.some or self.single else {}),
            **({"maxProperties": 1} if self.single else {}),
            "properties": {field.name: field.schema() for field in known},
            "additionalProperties": bool(self.rest),
        }


# Where an author looks for them in vain: beside the container instead of in it.
_IN_CONTAINER = (
    "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe",
    "ports", "readinessProbe", "resources", "restartPolicy", "securityContext", "startupProbe",
    "stdin", "tty", "volumeDevices", "volumeMounts", "workingDir",
)  # fmt: skip


def meant(part: Any, key: str) -> str:
    """The advice for a field that a part does not have: where it belongs, or what is like it."""
    known = fields(part)
    container = known.get("container")
    if key in _IN_CONTAINER and container and container.form == Core("Container"):
        return f"write it inside container: container.{key}"
    for name, field in known.items():
        if field.part and key in fields(field.part):
            return f"write it inside {name}: {name}.{key}"
    return words.meant(key, known)


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string in a value of the model, with its path as YAML has it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))
    elif dataclasses.is_dataclass(value):
        kind: Any = type(value)
        for name, field in fields(kind).items():
            yield from texts(getattr(value, field.attribute), (*path, name))
