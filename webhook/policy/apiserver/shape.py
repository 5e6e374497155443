"""Which fields a core/v1 Container or Volume has, and of which type: from a checked-in schema.

`schema.json` is made from the models of the `kubernetes` package (which takes 340 ms to import);
a test of the house makes it again and refuses a difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

Kind = Literal["string", "integer", "boolean", "quantity", "int-or-string", "any", "struct"]
Many = Literal["", "list", "map"]


_SCHEMA = Path(__file__).with_name("schema.json")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `many` says whether it holds one value, a list or a map of `kind`.

    `of` is the name of the type where `kind` is `struct`.
    """

    kind: Kind
    many: Many
    of: str
    required: bool


@cache
def types() -> Mapping[str, Mapping[str, Field]]:
    """Every type by its Kubernetes name, each a mapping from field name to `Field`."""
    schema = json.loads(_SCHEMA.read_bytes())
    return {name: _fields(definition) for name, definition in schema["$defs"].items()}


def _fields(definition: Mapping[str, Any]) -> dict[str, Field]:
    required = definition.get("required", ())
    return {
        name: _field(schema, required=name in required)
        for name, schema in definition["properties"].items()
    }


def _field(schema: Mapping[str, Any], *, required: bool) -> Field:
    many: Many = ""
    if "items" in schema:
        schema, many = schema["items"], "list"
    elif isinstance(schema.get("additionalProperties"), dict):
        schema, many = schema["additionalProperties"], "map"
    of = schema.get("$ref", "").rpartition("/")[2]
    return Field("struct" if of else _kind(schema), many, of, required)


def _kind(schema: Mapping[str, Any]) -> Kind:
    if schema.get("format") == "quantity":
        return "quantity"
    if "anyOf" in schema:
        return "int-or-string"
    kinds: dict[str, Kind] = {"string": "string", "integer": "integer", "boolean": "boolean"}
    return kinds.get(schema["type"], "any")
