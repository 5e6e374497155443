"""The model as JSON Schema: one plain tree that the CRDs are made from, and one for editors."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from typing import Any

from webhook.form import label, name
from webhook.policy import fields, model

Node = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_CORE = "core.v1."
_MAX_REQUIREMENTS = 64

SELECTOR: Node = {
    "type": "object",
    "properties": {
        "matchLabels": {
            "description": "Labels that must be there with exactly these values.",
            "type": "object",
            "maxProperties": _MAX_REQUIREMENTS,
            "additionalProperties": {"type": "string", "maxLength": name.MAX_NAME},
        },
        "matchExpressions": {
            "description": "Requirements on labels; all must hold, those of matchLabels too.",
            "type": "array",
            "maxItems": _MAX_REQUIREMENTS,
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": {
                        "description": "The key of the label.",
                        "type": "string",
                        "minLength": 1,
                        "maxLength": name.MAX_SUBDOMAIN + 1 + name.MAX_NAME,
                    },
                    "operator": {
                        "description": "In and NotIn compare the value with values; NotIn also "
                        "holds when the label is missing.",
                        "type": "string",
                        "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                    },
                    "values": {
                        "description": "The values for In and NotIn; empty for the others.",
                        "type": "array",
                        "maxItems": 256,
                        "items": {"type": "string", "maxLength": name.MAX_NAME},
                    },
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def spec(kind: str) -> Node:
    """The schema of a `spec` of `kind`, without references.

    Every field has a description. A core/v1 or meta/v1 object carries `x-core` with its kind, a
    value that may be a string, an integer or a boolean `x-scalar`.
    """
    schema = fields.SPEC.schema()
    return _without(schema, model.CLUSTER_ONLY) if kind == model.NAMESPACED_KIND else schema


def editors() -> Node:
    """JSON Schema (draft 2020-12) of a file with a policy of either kind, for editors."""
    kinds = [
        {"if": _has_kind(kind), "then": {"properties": {"spec": _for_editors(spec(kind))}}}
        for kind in model.KINDS
    ]
    needs_namespace = {
        "if": _has_kind(model.NAMESPACED_KIND),
        "then": {"properties": {"metadata": {"required": ["name", "namespace"]}}},
        "else": {"properties": {"metadata": {"properties": {"namespace": False}}}},
    }
    return {
        "$schema": DRAFT,
        "$id": f"https://{model.GROUP}/schema/{model.VERSION}.json",
        "title": "Initject policy",
        "description": "A ClusterInitPolicy or InitPolicy: init containers for pods, by policy.",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": model.API_VERSION},
            "kind": {
                "enum": list(model.KINDS),
                "description": "ClusterInitPolicy is for pods of all namespaces, InitPolicy for "
                "those of its own.",
            },
            "metadata": _METADATA,
            "spec": {"type": "object"},
            "status": {"type": "object"},
        },
        "additionalProperties": False,
        "allOf": [*kinds, needs_namespace],
        "$defs": _core_definitions(),
    }


_METADATA: Node = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {
            "description": "The name of the policy.",
            "type": "string",
            "maxLength": name.MAX_SUBDOMAIN,
            "pattern": _SUBDOMAIN,
        },
        "namespace": {
            "description": "The namespace that an InitPolicy is for.",
            "type": "string",
            "maxLength": name.MAX_NAME,
            "pattern": label.LABEL.expression,
        },
    },
}


def _has_kind(kind: str) -> Node:
    return {"properties": {"kind": {"const": kind}}, "required": ["kind"]}


def _without(node: Node, names: tuple[str, ...]) -> Node:
    """`node` without the fields of these names, wherever they are."""
    told = dict(node)
    if "properties" in told:
        known = told["properties"].items()
        told["properties"] = {k: _without(v, names) for k, v in known if k not in names}
    if "items" in told:
        told["items"] = _without(told["items"], names)
    return told


def _for_editors(node: Node) -> Node:
    """`node` with core/v1 objects described, for an editor to complete them."""
    core = node.pop("x-core", None)
    if core == "LabelSelector":
        return {**SELECTOR, "description": node["description"]}
    if core == "Container":
        return {"$ref": f"#/$defs/{_CORE}Container", "description": node["description"]}
    if core == "Volume":
        node["properties"] = {**_volume_sources(), **node["properties"]}
        node["additionalProperties"] = False
    if node.pop("x-scalar", False):
        node["type"] = ["string", "integer", "boolean"]
    for key, child in node.get("properties", {}).items():
        node["properties"][key] = _for_editors(child)
    if "items" in node:
        node["items"] = _for_editors(node["items"])
    return node


def _core() -> dict[str, Node]:
    data = pkgutil.get_data("webhook.policy.apiserver", "schema.json") or b""
    definitions: dict[str, Node] = json.loads(data)["$defs"]
    return definitions


def _volume_sources() -> Node:
    fields = _core()["Volume"]["properties"]
    return {key: _core_node(node) for key, node in fields.items() if key != "name"}


def _core_definitions() -> Node:
    """The definitions that a container or a volume's source reaches, a step's name left out."""
    definitions = _core()
    container = definitions["Container"]
    container["properties"].pop("name", None)
    container["required"] = [key for key in container.get("required", ()) if key != "name"]
    wanted, found = ["Container", *_references(definitions["Volume"])], {}
    while wanted:
        kind = wanted.pop()
        if kind not in found:
            found[kind] = _core_node({**definitions[kind], "additionalProperties": False})
            wanted += _references(definitions[kind])
    return {f"{_CORE}{kind}": found[kind] for kind in sorted(found)}


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [kind for item in node for kind in _references(item)]
    if not isinstance(node, Mapping):
        return []
    below = [kind for item in node.values() for kind in _references(item)]
    reference = node.get("$ref")
    return [*below, reference.rpartition("/")[2]] if isinstance(reference, str) else below


def _core_node(node: Any) -> Any:
    """A node of the core definitions in the editors' schema: quantities may be numbers too."""
    if isinstance(node, list):
        return [_core_node(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    told = {key: _core_node(value) for key, value in node.items()}
    if isinstance(told.get("$ref"), str):
        told["$ref"] = f"#/$defs/{_CORE}{told['$ref'].rpartition('/')[2]}"
    if told.get("format") == "quantity":
        del told["format"]
        told["type"] = ["string", "number"]
    return told
