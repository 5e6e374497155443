from __future__ import annotations

import pytest

from tests.unit.policy.texts import parsed, policy, told

STEPS = "steps: [{name: a, container: {image: x:1}}]"
NAMESPACED = "{name: sample, namespace: team}"


def spec(text: str) -> list[str]:
    """What is told of a spec, without lines and columns."""
    lines = told(parsed(policy(text)).problems)
    return [line.split(": ", 1)[1] for line in lines]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "exclude: [{}]",
            "spec.exclude[0]: has no clause, so it would exclude every pod; write at least one",
        ),
        (
            "match: {annotations: {'a b': x}}",
            "spec.match.annotations[\"a b\"]: the key 'a b' has a name that must consist of le",
        ),
        (
            "match: {namespaces: [a, b, a]}",
            "spec.match.namespaces[2]: 'a' is listed twice; remove one",
        ),
        (
            "placement: {after: [a, a]}",
            "spec.placement.after[1]: 'a' is listed twice; remove one",
        ),
        (
            "match: {workloads: [Jobs]}",
            "spec.match.workloads[0]: 'Jobs' is no kind of Kubernetes; did you mean Job?",
        ),
        (
            "match: {workloads: [Statefulset]}",
            "spec.match.workloads[0]: 'Statefulset' is no kind of Kubernetes; did you mean Sta",
        ),
        (
            "conditions: [{name: a, expression: 'true'}, {name: a, expression: 'true'}]",
            "spec.conditions[1].name: the name 'a' is already that of spec.conditions[0]; name",
        ),
        (
            "parameters: [{name: a}]",
            "spec.parameters[0]: has neither from nor default, so it never has a value; add one of",
        ),
        (
            "parameters: [{name: a, from: [{}]}]",
            "spec.parameters[0].from[0]: has no source, not exactly one of podAnnotation, podL",
        ),
        (
            "parameters: [{name: a, from: [{podLabel: a, podAnnotation: a}]}]",
            "spec.parameters[0].from[0]: has 2 sources, not exactly one of podAnnotation, podL",
        ),
        (
            "parameters: [{name: a, from: [{podLabel: a/b/c}]}]",
            "spec.parameters[0].from[0].podLabel: the key 'a/b/c' has more than one '/'",
        ),
        (
            "parameters: [{name: a, default: x, enum: [x, x]}]",
            "spec.parameters[0].enum[1]: 'x' is listed twice; remove one",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: '/a:b'}]}]",
            "spec.volumes[0].mountInto[0].mountPath: must not contain ':'",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /a, subPath: a/../b}]}]",
            "spec.volumes[0].mountInto[0].subPath: must not contain '..'",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /a, subPathExpr: /b}]}]",
            "spec.volumes[0].mountInto[0].subPathExpr: must be a relative path; remove the '/'",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /a, subPath: b, "
            "subPathExpr: b}]}]",
            "spec.volumes[0].mountInto[0].subPathExpr: stands beside subPath; use only one of them",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /a, "
            "recursiveReadOnly: Enabled}]}]",
            "spec.volumes[0].mountInto[0].recursiveReadOnly: needs a mount that is read-only;",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /a, readOnly: true, "
            "recursiveReadOnly: Enabled, mountPropagation: HostToContainer}]}]",
            "spec.volumes[0].mountInto[0].mountPropagation: must be None with recursiveReadOnly",
        ),
        (
            "volumes: [{name: v, configMap: {name: '${object.metadata.name}'}}]",
            "spec.volumes[0].configMap.name: templates stand only inside a step's container or rec",
        ),
        (
            "match: {namespaces: ['${object.metadata.name}']}",
            "spec.match.namespaces[0]: templates stand only inside a step's container or recipe",
        ),
    ],
)
def test_a_broken_rule_is_told_at_its_field(text: str, expected: str) -> None:
    """What one field cannot say alone is told at the field that is to be changed."""

    [line] = spec(f"{STEPS}\n{text}")

    assert expected == line[: len(expected)]


@pytest.mark.parametrize(
    "text",
    [
        "match: {}",
        "match: {workloads: [Rollout, None, CronJob, AdvancedStatefulSet]}",
        "parameters: [{name: a, default: x}, {name: b, from: [{namespaceLabel: a.b/c}]}]",
        "parameters: [{name: a, type: boolean, default: false, enum: [true, false]}]",
        "parameters: [{name: a, type: integer, default: 1, enum: [1, 0]}]",
        "conditions: [{name: a, expression: \"'${x}' == 'y'\"}]",
        "volumes: [{name: v, emptyDir: {}, mountInto: [{mountPath: /a, subPath: b..c/d}]}]",
    ],
)
def test_what_is_right_is_not_told(text: str) -> None:
    """Rules are silent about what Kubernetes and Initject take."""

    assert [] == spec(f"{STEPS}\n{text}")


def test_a_step_has_one_name() -> None:
    """The container of a step may repeat the step's name, and must not have another."""

    named = "steps: [{name: a, container: {name: NAME, image: x:1}}]"

    assert [
        "spec.steps[0].container.name: differs from the name of the step, which is the "
        "container's; remove it"
    ] == spec(named.replace("NAME", "b"))
    assert [] == spec(named.replace("NAME", "a"))


def test_a_namespaced_policy_says_nothing_of_namespaces_and_opting_out() -> None:
    """An InitPolicy has neither optOut nor clauses about namespaces, in match or exclude."""

    text = f"""\
        optOut: Allow
        match: {{namespaces: [a], namespaceSelector: {{}}}}
        exclude: [{{namespaces: [a]}}]
        {STEPS}
    """
    problems = parsed(policy(text, kind="InitPolicy", metadata=NAMESPACED)).problems

    assert [
        "spec.optOut",
        "spec.match.namespaces",
        "spec.match.namespaceSelector",
        "spec.exclude[0].namespaces",
    ] == [p.field for p in sorted(problems)]
    assert {"only a ClusterInitPolicy may say it; remove it"} == {p.advice for p in problems}
