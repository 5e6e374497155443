from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.policy.texts import parsed, policy, told
from webhook.form import form, part
from webhook.policy import model

STEP = "{name: a, container: {image: x:1}}"
STEPS = f"steps: [{STEP}]"


def spec(text: str) -> list[str]:
    """What is told of a spec that has, beside `text`, all that it needs."""
    return told(parsed(policy(f"{STEPS}\n{text}\n")).problems)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("odrer: 1", "spec.odrer: unknown field odrer; did you mean order?"),
        ("onconflict: Skip", "spec.onconflict: unknown field onconflict; did you mean onConflict?"),
        (
            "podSelector: {}",
            "spec.podSelector: unknown field podSelector; write it inside match: match.podSelector",
        ),
        (
            "before: []",
            "spec.before: unknown field before; write it inside placement: placement.before",
        ),
        (
            "zzz: 1",
            "spec.zzz: unknown field zzz; use one of match, exclude, conditions, parameters, steps,"
            " volumes, order, placement, onConflict, onError, optOut, mode",
        ),
        (
            "match: {namespace: [a]}",
            "spec.match.namespace: unknown field namespace; did you mean namespaces?",
        ),
        (
            "match:",
            "spec.match: is empty (null); give it a value, or remove it",
        ),
        (
            "match: {namespaces: [a, ]}\nplacement: {before: [~]}",
            "spec.placement.before[0]: is empty (null); give it a value, or remove it",
        ),
        (
            "match: {namespaces: pay-*}",
            'spec.match.namespaces: must be a list, not a string; write ["pay-*"]',
        ),
        (
            "match: {namespaces: {a: b}}",
            "spec.match.namespaces: must be a list, not a map; put '- ' in front of each entry",
        ),
        (
            "match: {images: []}",
            "spec.match.images: is empty; give it at least one entry, or leave it out",
        ),
        ("match: {images: ['']}", "spec.match.images[0]: is empty; give it a value"),
        (
            "match: {annotations: {}}",
            "spec.match.annotations: is empty; give it at least one entry",
        ),
        (
            "match: {annotations: {a: 1}}",
            'spec.match.annotations.a: must be a string, not the number 1; write it in quotes: "1"',
        ),
        (
            "match: {workloads: [deployment]}",
            "spec.match.workloads[0]: 'deployment' must be a kind as Kubernetes writes it, such as "
            "Deployment; for example Deployment",
        ),
        (
            "exclude: {podSelector: {}}",
            "spec.exclude: must be a list, not a map; put '- ' in front of each entry",
        ),
        (
            "placement: First",
            "spec.placement: must be a map, not a string; its fields are position, before, after",
        ),
        (
            "placement: {position: first}",
            "spec.placement.position: 'first' is not allowed here; did you mean First?",
        ),
        (
            "mode: true",
            "spec.mode: must be one of Enforce, Audit, not the boolean true",
        ),
        ("order: '7'", "spec.order: must be an integer, not a string; write it without quotes: 7"),
        ("order: 1.5", "spec.order: must be an integer, not the number 1.5"),
        ("order: 2147483648", "spec.order: must be at most 2147483647"),
        (
            f"placement: {{before: [{', '.join(f'a{i}' for i in range(65))}]}}",
            "spec.placement.before: has 65 entries, 64 are allowed",
        ),
        (
            f"placement: {{before: [{'a' * 513}]}}",
            "spec.placement.before[0]: is 513 characters long, 512 are allowed",
        ),
        (
            "conditions: [{name: A b, expression: 'true'}]",
            "spec.conditions[0].name: 'A b' must consist of lower-case letters, digits and '-', "
            "beginning and ending with a letter or digit; for example a-b",
        ),
        (
            "conditions: [{name: a, expression: true}]",
            "spec.conditions[0].expression: must be a string, not the boolean true; write it in "
            "quotes (YAML takes yes, no, on, off, y and n for booleans too)",
        ),
        (
            "conditions: [{name: a}]",
            "spec.conditions[0].expression: is missing; add expression",
        ),
        (
            "parameters: [{name: a, default: 1.5}]",
            "spec.parameters[0].default: must be a string, an integer, true or false, not the "
            'number 1.5; write it in quotes: "1.5"',
        ),
        (
            "parameters: [{name: a-b, default: x}]",
            "spec.parameters[0].name: 'a-b' must consist of letters, digits and '_', not beginning "
            "with a digit; for example a_b",
        ),
        (
            "parameters: [{name: a, type: int, default: 1}]",
            "spec.parameters[0].type: 'int' is not allowed here; did you mean integer?",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /v, readOnly: 'yes'}]}]",
            "spec.volumes[0].mountInto[0].readOnly: must be true or false, not a string; write true"
            " without quotes",
        ),
    ],
)
def test_a_wrong_field_is_told_in_words(text: str, expected: str) -> None:
    """Each fault names the field as it is written, what stands there and what should."""

    [line] = spec(text)

    assert line.split(": ", 1)[1][: len(expected)] == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            "{name: a, image: x:1, container: {args: [b]}, borrow: {image: true}}",
            "spec.steps[0].image: unknown field image; write it inside container: container.image",
        ),
        ("{name: a, container: x}", "spec.steps[0].container: must be a map, not a string"),
        ("{name: a, os: mac, container: {image: x:1}}", "spec.steps[0].os: 'mac' is not allowed"),
        ("x", "spec.steps[0]: must be a map, not a string; its fields are name, os, borrow"),
    ],
)
def test_a_wrong_step_is_told_in_words(step: str, expected: str) -> None:
    """A field that belongs into the container is sent there."""

    [line] = told(parsed(policy(f"steps: [{step}]")).problems)

    assert line.split(": ", 1)[1][: len(expected)] == expected


def test_null_inside_a_container_is_for_kubernetes() -> None:
    """Null in a raw container, a selector or a volume's source is no matter of the fields."""

    text = """\
        steps: [{name: a, container: {image: x:1, command: ~}}]
        volumes: [{name: v, emptyDir: ~}]
    """

    assert [] == told(parsed(policy(text)).problems)


def parts(one: type[Any]) -> Iterator[type[Any]]:
    yield one
    for field in part.fields(one).values():
        if field.part:
            yield from parts(field.part)


def test_every_field_is_described() -> None:
    """Each field of each part has a description that ends as a sentence."""

    short = [
        f"{one.__name__}.{name}"
        for one in parts(model.Spec)
        for name, field in part.fields(one).items()
        if not field.description.endswith(".")
    ]

    assert [] == short


def test_the_defaults_of_the_model_have_the_form_of_their_fields() -> None:
    """What is assumed for a field that is left out could have been written."""

    wrong = []
    for one in parts(model.Spec):
        for field in part.fields(one).values():
            schema = field.schema()
            if "default" in schema:
                reading = form.Reading()
                field.form.read((one.__name__, field.name), schema["default"], reading)
                wrong += reading.findings

    assert [] == wrong
