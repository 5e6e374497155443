"""What is checked in of the schemas is what the model says today."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from tests.house.tree import CHECKOUT, files, text
from webhook.cli.schema import command
from webhook.policy import crd, model, schema

CRDS = "deploy/crds/crds.yaml"
EDITORS = "docs/schema/policy.schema.json"


@pytest.mark.parametrize(("verb", "file"), [("crds", CRDS), ("json", EDITORS)])
def test_what_is_checked_in_is_what_the_model_says(verb: str, file: str) -> None:
    """The files are the output of `initject schema`; a change of the model changes them too."""

    result = CliRunner().invoke(command, [verb])

    assert 0 == result.exit_code, result.output
    assert result.output == text(file), f"run: initject schema {verb} > {file}"


def test_the_crds_are_applied_by_kustomize() -> None:
    """The kustomization beside the CRDs names every file there."""

    listed = yaml.safe_load(text("deploy/crds/kustomization.yaml"))["resources"]
    there = [path.name for path in files("deploy/crds/*.yaml")]

    assert sorted([*listed, "kustomization.yaml"]) == there


def test_the_editors_schema_is_one() -> None:
    """The JSON Schema is valid by its own draft, and every reference in it leads somewhere."""

    value = json.loads(text(EDITORS))

    assert schema.DRAFT == value["$schema"]
    jsonschema.Draft202012Validator.check_schema(value)
    references = {node["$ref"] for node in nodes(value) if isinstance(node.get("$ref"), str)}
    assert references <= {f"#/$defs/{name}" for name in value["$defs"]}


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    for child in value.values() if isinstance(value, Mapping) else value:
        if isinstance(child, (Mapping, list)):
            yield from nodes(child)


def structures(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    version = definition["spec"]["versions"][0]
    yield from below("", version["schema"]["openAPIV3Schema"])


def below(path: str, node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from below(f"{path}.{name}", child)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), Mapping):
            yield from below(f"{path}[]", node[key])


@pytest.mark.parametrize("definition", crd.crds(), ids=lambda one: one["spec"]["names"]["kind"])
def test_every_part_of_a_crd_is_bounded_and_described(definition: dict[str, Any]) -> None:
    """Lists, maps and texts of the spec have a maximum (the cost of rules); fields have words."""

    maxima = {"array": "maxItems", "string": "maxLength"}
    found = list(structures(definition))
    unbounded = [
        path
        for path, node in found
        if path.startswith(".spec")
        and "enum" not in node
        and maxima.get(node.get("type", ""), "type") not in node
        and "x-kubernetes-preserve-unknown-fields" not in node
    ]
    unbounded += [p for p, n in found if "additionalProperties" in n and "maxProperties" not in n]
    wordless = [
        path
        for path, node in found
        if path.startswith((".spec", ".status"))
        and not path.endswith("[]")
        and not node.get("description", "").endswith(".")
    ]
    typeless = [p for p, n in found if "items" in n and "x-kubernetes-list-type" not in n]

    assert ([], [], []) == (unbounded, wordless, typeless)


def test_only_the_cluster_kind_speaks_of_namespaces() -> None:
    """The InitPolicy's schemas leave out what only a ClusterInitPolicy may say."""

    cluster, namespaced = ({p for p, _ in structures(one)} for one in crd.crds())

    assert sorted(cluster - namespaced) == sorted(
        path for path in cluster if set(path.replace("[]", "").split(".")) & set(model.CLUSTER_ONLY)
    )


def test_every_example_and_case_meets_the_editors_schema() -> None:
    """What we show and test as right shows no red line in an editor."""

    validator = jsonschema.Draft202012Validator(schema.editors())
    wrong = []
    for path in files("examples/**/policy.yaml"):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document and document.get("kind") in model.KINDS:
                name = path.relative_to(CHECKOUT)
                wrong += [
                    f"{name}: {e.json_path}: {e.message}" for e in validator.iter_errors(document)
                ]

    assert [] == wrong
