"""The checked-in names of a pod's fields are those of the installed kubernetes package.

`python tests/house/test_pod_fields.py` writes them again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

FIELDS = Path(__file__).parents[2] / "webhook/expression/pod_fields.json"

# In a process of its own: importing the client here would slow down and fatten every other test.
DUMP = """
import json
from kubernetes.client.models.v1_pod import V1Pod
print(json.dumps(V1Pod.model_json_schema()))
"""


def generated() -> dict[str, dict[str, str]]:
    """Type name → field → what it is: a type's name, `[` before a list's, `{` before a map's.

    A scalar is an empty name.
    """
    dump = subprocess.run([sys.executable, "-c", DUMP], check=True, capture_output=True, text=True)
    schema = json.loads(dump.stdout)
    types = {**schema.pop("$defs"), "Pod": schema}
    return {
        renamed(title): {
            field: notation(value) for field, value in sorted(definition["properties"].items())
        }
        for title, definition in sorted(types.items())
        if definition.get("properties")
    }


def notation(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        real = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
        return notation(real[0]) if len(real) == 1 else ""
    if "$ref" in schema:
        return renamed(schema["$ref"].rpartition("/")[2])
    if schema.get("type") == "array":
        return "[" + notation(schema.get("items", {}))
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return "{" + (notation(values) if isinstance(values, dict) else "")
    return ""


def renamed(title: str) -> str:
    return title.removeprefix("Core").removeprefix("V1")


def text(fields: dict[str, dict[str, str]]) -> str:
    return json.dumps(fields, indent=0, separators=(",", ":")) + "\n"


def test_the_names_are_those_of_the_kubernetes_package() -> None:
    """A new kubernetes package brings new fields: regenerate, and look at the difference."""
    assert text(generated()) == FIELDS.read_text(encoding="utf-8")


if __name__ == "__main__":
    FIELDS.write_text(text(generated()), encoding="utf-8")
