from __future__ import annotations

from tests.unit.policy.texts import FILE, MINIMAL, policy
from webhook.document import read
from webhook.policy import index
from webhook.policy.load import Loaded, load, one

STEPS = "steps: [{name: a, container: {image: x:1}}]"


def loaded(*texts: str) -> Loaded:
    return load([(FILE, "\n---\n".join(texts))])


def lines(result: Loaded) -> list[str]:
    return [f"{p.line}:{p.column}: {p.field}: {p.what}" for p in result.problems]


def test_policies_of_several_files_come_in_planning_order() -> None:
    """All sources make one set: cluster policies first, then by order and name."""

    mine = policy(f"{STEPS}\norder: 1", kind="InitPolicy", metadata="{name: a, namespace: team}")
    late = policy(f"{STEPS.replace('name: a', 'name: b')}\norder: 200", metadata="{name: late}")

    result = load([("a.yaml", mine), ("b.yaml", late), ("c.yaml", MINIMAL)])

    assert ["minimal", "late", "team/a"] == [p.key for p in result.policies.policies]
    assert () == result.problems


def test_namespaces_are_unknown_until_one_is_given() -> None:
    """Without any Namespace nothing is known of any; with one, of that one."""

    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}"

    assert loaded(MINIMAL).namespaces is None
    assert ["team"] == list(loaded(MINIMAL, namespace).namespaces or ())


def test_syntax_form_and_meaning_are_told_together() -> None:
    """A misspelt field does not hide what is wrong in expressions, selectors and containers."""

    text = policy(
        """\
        matsch: {}
        match: {podSelector: {matchLabels: {app: 1}}}
        conditions:
          - {name: A, expression: "true &&"}
          - {expression: "true"}
          - {name: b, expression: "objekt.spec == null"}
        steps:
          - 3
          - {name: one, container: {image: x:1, imgae: y}}
        """
    )

    assert [
        "5:11: spec.matsch: unknown field matsch",
        "6:44: spec.match.podSelector.matchLabels.app: must be a string, not the number 1",
        "8:14: spec.conditions[0].name: 'A' must consist of lower-case letters, digits and '-', "
        "beginning and ending with a letter or digit",
        "8:37: spec.conditions[0].expression: the expression ends too early",
        "9:7: spec.conditions[1].name: is missing",
        "10:29: spec.conditions[2].expression: there is no variable objekt",
        "12:7: spec.steps[0]: must be a map, not the number 3",
        "13:50: spec.steps[1].container.imgae: unknown field imgae",
    ] == lines(loaded(text))


def test_a_cut_does_not_make_innocent_parts_look_wrong() -> None:
    """Where a parameter or a borrowing is wrong, what depends on it is not blamed."""

    parameters = policy(
        """\
        parameters: [{name: host, typ: string, default: x}]
        conditions: [{name: a, expression: parameters.host == 'x'}]
        steps: [{name: a, container: {image: x:1}}]
        """
    )
    borrowing = policy("steps: [{name: a, borrow: {image: 'yes'}, container: {args: [a]}}]")

    assert [["spec.parameters[0].typ"], ["spec.steps[0].borrow.image"]] == [
        [p.field for p in loaded(text).problems] for text in (parameters, borrowing)
    ]


def test_a_policy_with_an_error_is_not_in_force() -> None:
    """One wrong policy leaves the others alone."""

    wrong = policy(f"{STEPS}\nconditions: [{{name: a, expression: 'x'}}]")

    result = loaded(wrong, MINIMAL)

    assert ["minimal"] == [p.key for p in result.policies.policies]
    assert ["spec.conditions[0].expression"] == [p.field for p in result.errors]


def test_too_many_policies_of_one_namespace_are_not_in_force() -> None:
    """The last policies of a namespace, in planning order, exceed the bound and say so."""

    many = [
        policy(
            f"steps: [{{name: s{i}, container: {{image: x:1}}}}]",
            kind="InitPolicy",
            metadata=f"{{name: p{i:02}, namespace: team}}",
        )
        for i in range(index.MAX_PER_NAMESPACE + 2)
    ]

    result = loaded(*reversed(many))

    assert index.MAX_PER_NAMESPACE == len(result.policies.policies)
    assert [("metadata.name", "error")] * 2 == [(p.field, p.severity) for p in result.problems]
    assert all(p.what.startswith("is not in force: namespace team") for p in result.problems)


def test_unreadable_text_is_a_problem_among_others() -> None:
    """A file that is no YAML is told, and the others are read all the same."""

    result = load([("bad.yaml", "a: ["), ("good.yaml", MINIMAL)])

    assert {"bad.yaml"} == {p.file for p in result.problems}
    assert ["minimal"] == [p.key for p in result.policies.policies]


def test_an_object_is_judged_as_the_same_one_in_a_file() -> None:
    """Problems of values have a field and a cause, as in a file, and no place."""
    steps = "steps: [{name: a, container: {image: x, stdin: 1}}]"
    text = policy(f"{steps}\nconditions: [{{name: b, expression: '1 +'}}]")
    (document,), _ = read.read(text, file=FILE)

    result = one(document.value)

    written = loaded(text).problems
    assert {(p.field, p.what, p.advice, p.severity) for p in written} == {
        (p.field, p.what, p.advice, p.severity) for p in result.problems
    }
    assert {("", 0, 0)} == {(p.file, p.line, p.column) for p in result.problems}
    assert len(written) >= 2


def test_a_field_of_a_newer_cluster_is_a_warning_in_an_object_only() -> None:
    """An API server keeps unknown fields of containers and volumes; our own fields are ours."""
    text = policy(
        "steps: [{name: a, container: {image: 'x:1', brandNew: 1}}]\n"
        "volumes: [{name: v, brandNew: {}, emptyDir: {sizeLimit: 1Mi}}]"
    )
    (document,), _ = read.read(text, file=FILE)

    result = one(document.value)

    fields = {"spec.steps[0].container.brandNew", "spec.volumes[0].brandNew"}
    assert fields == {p.field for p in loaded(text).errors}
    assert ((), fields) == (result.errors, {p.field for p in result.problems})
    (compiled,) = result.policies.policies
    assert 1 == compiled.steps[0].container["brandNew"]


def test_a_field_of_ours_that_is_unknown_is_an_error_in_an_object_too() -> None:
    """The CRD knows them all."""
    (document,), _ = read.read(policy("steps: [{name: a, containr: {}}]"), file=FILE)

    assert "spec.steps[0].containr" in {p.field for p in one(document.value).errors}
