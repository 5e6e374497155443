"""The two CustomResourceDefinitions, made from the model.

What the structural schema of an API server cannot say is left out (property names, unions) or said
by CEL rules. The rules hold on Kubernetes 1.29 and later; their cost is bounded by the maxima of
the model. Objects of core/v1 keep unknown fields, so that those of a newer cluster are not lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.policy import model, schema
from webhook.recipes.registry import FIELDS

Node = dict[str, Any]
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
_SOURCES = ("podAnnotation", "podLabel", "namespaceAnnotation", "namespaceLabel")
_RELATIVE = "must be a relative path without '..'"


def crds() -> list[Node]:
    """Both CustomResourceDefinitions, as plain values in the order in which they are written."""
    return [
        _definition(
            model.CLUSTER_KIND,
            plural="clusterinitpolicies",
            short="cinitp",
            scope="Cluster",
            purpose="adds init containers to the pods of all namespaces that it matches",
        ),
        _definition(
            model.NAMESPACED_KIND,
            plural="initpolicies",
            short="initp",
            scope="Namespaced",
            purpose="adds init containers to the pods of its own namespace that it matches",
        ),
    ]


def _definition(kind: str, *, plural: str, short: str, scope: str, purpose: str) -> Node:
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["initject"],
    }
    version = {
        "name": model.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": _COLUMNS,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": _object(kind, purpose)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{model.GROUP}"},
        "spec": {"group": model.GROUP, "names": names, "scope": scope, "versions": [version]},
    }


_COLUMNS: list[Node] = [
    {
        "name": "Ready",
        "type": "string",
        "description": "Whether the policy is in force on every replica of Initject.",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
    },
    {
        "name": "Steps",
        "type": "integer",
        "description": "How many steps the policy has.",
        "jsonPath": ".status.steps",
    },
    {
        "name": "Mode",
        "type": "string",
        "description": "Enforce, or Audit for a policy that only reports.",
        "jsonPath": ".spec.mode",
    },
    {
        "name": "Order",
        "type": "integer",
        "description": "Policies with a smaller number run earlier.",
        "priority": 1,
        "jsonPath": ".spec.order",
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def _object(kind: str, purpose: str) -> Node:
    article = "An" if kind[0] in "AEIOU" else "A"
    return {
        "description": f"{article} {kind} {purpose}.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(schema.spec(kind)),
            "status": _STATUS,
        },
    }


Place = tuple[str, ...]  # names of fields below spec, `[]` for the items of a list

# What the API server takes over as it stands; an order that reads well.
_KEPT = (
    "description", "type", "format", "default", "enum", "pattern", "minLength", "maxLength",
    "minItems", "maxItems", "minProperties", "maxProperties", "required",
)  # fmt: skip


def structural(node: Mapping[str, Any], place: Place = ()) -> Node:
    """A node of `schema.spec` as an API server takes it; `place` is where it stands."""
    core = node.get("x-core")
    if core == "LabelSelector":
        node = {**schema.SELECTOR, "description": node["description"]}
    told = {key: node[key] for key in _KEPT if key in node}
    if core == "LabelSelector":
        told["x-kubernetes-map-type"] = "atomic"
    elif core or "x-scalar" in node:
        told[_PRESERVE] = True
    told |= _below(node, place)
    rules = _rules(place, node)
    return {**told, "x-kubernetes-validations": rules} if rules else told


def _below(node: Mapping[str, Any], place: Place) -> Node:
    told: Node = {}
    if "items" in node:
        told["items"] = structural(node["items"], (*place, "[]"))
        told |= _list_type(node["items"], place)
    if isinstance(node.get("additionalProperties"), Mapping):
        told["additionalProperties"] = structural(node["additionalProperties"], (*place, "{}"))
    if "properties" in node:
        fields = node["properties"].items()
        told["properties"] = {key: structural(child, (*place, key)) for key, child in fields}
    return told


def _list_type(items: Mapping[str, Any], place: Place) -> Node:
    """How server-side apply merges a list: by name, as a set, or as a whole."""
    if "name" in items.get("required", ()):
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    # Kubernetes itself takes repeated values in a selector.
    plain = items.get("type") == "string" and "matchExpressions" not in place
    return {"x-kubernetes-list-type": "set" if plain else "atomic"}


def _rules(place: Place, node: Mapping[str, Any]) -> list[Node]:
    if not place:
        return [_FORBID] if "optOut" in node.get("properties", ()) else []
    if place == ("steps", "[]"):
        return [_WORK, _ONE_RECIPE]
    return next((rules for end, rules in _RULES.items() if place[-len(end) :] == end), [])


def _rule(rule: str, message: str, field: str = "") -> Node:
    return {"rule": rule, "message": message, **({"fieldPath": field} if field else {})}


def _descending(field: str) -> str:
    path = f"self.{field}"
    return f"!has({path}) || !({path}.startsWith('/') || {path}.split('/').exists(p, p == '..'))"


_FORBID = _rule(
    "self.optOut != 'Forbid' || (self.onConflict == 'Reject' && self.onError == 'Reject')",
    "optOut: Forbid needs onConflict: Reject and onError: Reject",
    ".optOut",
)
_WORK = _rule(
    " || ".join(f"has(self.{name})" for name in ("container", *FIELDS)),
    f"a step needs one of {', '.join(('container', *FIELDS))}",
)
_ONE_RECIPE = _rule(
    f"[{', '.join(f'has(self.{name})' for name in FIELDS)}].filter(set, set).size() <= 1",
    f"only one of {', '.join(FIELDS)} may be set",
)
_RULES: dict[Place, list[Node]] = {
    ("annotations",): [
        _rule(f"self.all(key, key.matches('{_KEY}'))", "every key must be that of an annotation")
    ],
    ("matchExpressions", "[]"): [
        _rule(
            "self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) || "
            "self.values.size() == 0 : has(self.values) && self.values.size() > 0",
            "In and NotIn need at least one value; Exists and DoesNotExist take none",
        )
    ],
    ("migrate", "scripts"): [
        _rule(
            "has(self.volume) != has(self.configMap)",
            "exactly one of volume and configMap must be set",
        )
    ],
    ("from", "[]"): [
        _rule(
            f"[{', '.join(f'has(self.{key})' for key in _SOURCES)}].filter(set, set).size() == 1",
            f"exactly one of {', '.join(_SOURCES)} must be set",
        )
    ],
    ("parameters", "[]"): [
        _rule(
            "self.type == 'integer' || !(has(self.minimum) || has(self.maximum))",
            "minimum and maximum are for integers",
        ),
        _rule(
            "!has(self.minimum) || !has(self.maximum) || self.minimum <= self.maximum",
            "minimum must not be larger than maximum",
            ".minimum",
        ),
    ],
    ("mountInto", "[]"): [
        _rule("!self.mountPath.contains(':')", "mountPath must not contain ':'", ".mountPath"),
        _rule(
            "!has(self.subPath) || !has(self.subPathExpr)",
            "only one of subPath and subPathExpr may be set",
        ),
        _rule(_descending("subPath"), _RELATIVE, ".subPath"),
        _rule(_descending("subPathExpr"), _RELATIVE, ".subPathExpr"),
        _rule(
            "!has(self.recursiveReadOnly) || self.recursiveReadOnly == 'Disabled' || "
            "(self.readOnly && (!has(self.mountPropagation) || self.mountPropagation == 'None'))",
            "recursiveReadOnly needs readOnly: true and no mountPropagation but None",
        ),
    ],
}

_STATUS: Node = {
    "description": "What Initject says about the policy; written by Initject only.",
    "type": "object",
    "properties": {
        "observedGeneration": {
            "description": "The generation of the policy that this status is about.",
            "type": "integer",
            "format": "int64",
        },
        "steps": {
            "description": "How many steps the policy has.",
            "type": "integer",
            "format": "int32",
        },
        "conditions": {
            "description": "Ready is True when the policy is in force on every live replica.",
            "type": "array",
            "maxItems": 8,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "description": "A condition as in meta/v1.",
                "type": "object",
                "required": ["type", "status", "reason", "message", "lastTransitionTime"],
                "properties": {
                    "type": {
                        "description": "The type of the condition.",
                        "type": "string",
                        "maxLength": 316,
                    },
                    "status": {
                        "description": "Whether it holds.",
                        "type": "string",
                        "enum": ["True", "False", "Unknown"],
                    },
                    "observedGeneration": {
                        "description": "The generation that the condition is about.",
                        "type": "integer",
                        "format": "int64",
                        "minimum": 0,
                    },
                    "lastTransitionTime": {
                        "description": "When the status changed last.",
                        "type": "string",
                        "format": "date-time",
                    },
                    "reason": {
                        "description": "The cause in one word, for programs.",
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 1024,
                        "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    },
                    "message": {
                        "description": "The cause in a sentence, for people.",
                        "type": "string",
                        "maxLength": 32768,
                    },
                },
            },
        },
        "problems": {
            "description": "What is wrong with the policy; with an error it is not in force.",
            "type": "array",
            "maxItems": 64,
            "x-kubernetes-list-type": "atomic",
            "items": {
                "description": "One problem.",
                "type": "object",
                "required": ["what", "severity"],
                "properties": {
                    "field": {
                        "description": "The field that it is about, such as spec.steps[0].name.",
                        "type": "string",
                        "maxLength": 1024,
                    },
                    "what": {
                        "description": "What is wrong.",
                        "type": "string",
                        "maxLength": 4096,
                    },
                    "advice": {
                        "description": "What to do about it.",
                        "type": "string",
                        "maxLength": 4096,
                    },
                    "severity": {
                        "description": "An error keeps the policy out of force, a warning does "
                        "not.",
                        "type": "string",
                        "enum": ["error", "warning"],
                    },
                },
            },
        },
    },
}
