"""What is wrong with policies beyond their form, as an author reads it."""

from __future__ import annotations

from textwrap import indent

import pytest

from webhook.policy import load

HEAD = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: NAME}
spec:
"""
STEP = "steps: [{name: wait, container: {image: 'registry.example.com/wait:1'}}]\n"


def policy(spec: str, name: str = "p") -> str:
    return HEAD.replace("NAME", name) + indent(spec, "  ")


def told(*policies: str, severity: str | None = None) -> list[str]:
    """Each problem as `field: what`, without its place."""
    found = load.load([("p.yaml", "---\n".join(policies))]).problems
    return [f"{p.field}: {p.what}" for p in found if severity in (None, p.severity)]


def step(container: str, *, parameters: str = "", borrow: str = "") -> str:
    return policy(
        f"{parameters}steps:\n  - name: s\n    {borrow}\n    container:\n      image: {IMAGE}\n"
        + indent(container, "      ")
    )


IMAGE = "registry.example.com/s:1"
POD_PARAMETER = "parameters: [{name: host, pattern: '[a-z]+', default: a, from: [{podLabel: h}]}]\n"
NAMESPACE_PARAMETER = (
    "parameters: [{name: host, default: a, from: [{namespaceAnnotation: example.com/h}]}]\n"
)


@pytest.mark.parametrize(
    "container",
    [
        "args: ['--host', '${parameters.host}']",
        "command: [nc, '${parameters.host}']",
        "env: [{name: HOST, value: '${parameters.host}'}]",
        "workingDir: '/work/${parameters.host}'",
        "command: [sh, -c, 'echo \"$1\"', x, '${parameters.host}']",
        "command: [sh, -c, 'echo $HOST']\nenv: [{name: HOST, value: '${parameters.host}'}]",
        "command: [run, '$(HOST)']\nenv: [{name: HOST, value: '${parameters.host}'}]",
        "command: [sh, -c, 'echo $$(HOST)']\nenv: [{name: HOST, value: '${parameters.host}'}]",
    ],
)
def test_the_author_of_a_pod_may_fill_data(container: str) -> None:
    """Arguments, environment values and paths take what a pod's author says."""
    assert [] == told(step(container, parameters=POD_PARAMETER), severity="error")


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ("image: 'registry.example.com/${parameters.host}:1'", "image"),
        ("command: [sh, -c, 'nc ${parameters.host}']", "command[2]"),
        ("command: [sh, -c]\nargs: ['nc ${parameters.host}']", "args[0]"),
        ("command: ['${parameters.host}']", "command[0]"),
        ("env: [{name: LD_PRELOAD, value: '${parameters.host}'}]", "env[0].value"),
        (
            "command: [sh, -c, 'nc $(HOST)']\nenv: [{name: HOST, value: '${parameters.host}'}]",
            "command[2]",
        ),
        (
            "command: [sh, -c, 'nc $(B)']\n"
            "env: [{name: A, value: '${parameters.host}'}, {name: B, value: 'x$(A)'}]",
            "command[2]",
        ),
        (
            "command: [sh, -c, 'nc $(A)']\n"
            "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['x']\"}}}]",
            "command[2]",
        ),
        ("envFrom: [{secretRef: {name: '${parameters.host}'}}]", "envFrom[0].secretRef.name"),
    ],
)
def test_the_author_of_a_pod_never_writes_code(container: str, field: str) -> None:
    """Images, programs, scripts and references are refused, also by way of `$(NAME)`."""
    image = "" if container.startswith("image") else "image: registry.example.com/s:1\n"
    text = policy(
        POD_PARAMETER
        + f"steps:\n  - name: s\n    container:\n{indent(image + container, '      ')}\n"
    )
    found = [line for line in told(text, severity="error") if "author of a pod" in line]

    assert [f"spec.steps[0].container.{field}"] == [line.split(": ", 1)[0] for line in found]


def test_what_only_a_namespace_says_may_choose_the_image() -> None:
    """A parameter read from the namespace is trusted."""
    text = policy(
        NAMESPACE_PARAMETER
        + "steps: [{name: s, container: {image: '${parameters.host}/tool:1'}}]\n"
    )

    assert [] == told(text, severity="error")


def test_borrowed_environment_is_the_authors_word() -> None:
    """A script must not hold `$(NAME)` of a variable that could be borrowed."""
    container = "command: [sh, -c, 'psql $(DB_URL)']"
    found = told(
        step(container, borrow="borrow: {container: app, env: ['DB_*']}"), severity="error"
    )

    assert ["spec.steps[0].container.command[2]"] == [line.split(": ", 1)[0] for line in found]


def test_a_string_from_a_pod_needs_a_rule() -> None:
    """A pattern or an enum is demanded of strings that a pod can set."""
    text = policy(
        "parameters: [{name: host, default: a, from: [{podLabel: h}]}]\n"
        "steps: [{name: s, container: {image: 'a/s:1', args: ['${parameters.host}']}}]\n"
    )

    assert ["spec.parameters[0]: a string that a pod can set needs a pattern or an enum"] == told(
        text, severity="error"
    )


def test_forbidding_to_opt_out_demands_to_reject() -> None:
    """`optOut: Forbid` refuses Skip, which would be a way around it."""
    found = told(policy("optOut: Forbid\n" + STEP), severity="error")

    assert ["spec.onConflict", "spec.onError"] == [line.split(": ", 1)[0] for line in found]


FORBID = "optOut: Forbid\nonConflict: Reject\nonError: Reject\n"


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ("match: {podSelector: {matchLabels: {a: b}}}", "match.podSelector"),
        ("match: {annotations: {a: b}}", "match.annotations"),
        ("match: {images: [a]}", "match.images"),
        ("match: {workloads: [Deployment]}", "match.workloads"),
        ("exclude: [{workloads: [Job]}]", "exclude[0]"),
        (
            "conditions: [{name: c, expression: 'object.spec.?hostNetwork.orValue(false)'}]",
            "conditions[0].expression",
        ),
    ],
)
def test_forbidding_warns_where_an_author_can_avoid_it(spec: str, field: str) -> None:
    """Matching by what a pod's author writes is named under `optOut: Forbid`, and only there."""
    found = told(policy(f"{FORBID}{spec}\n{STEP}"))

    assert [f"spec.{field}"] == [line.split(": ", 1)[0] for line in found]
    assert [] == told(policy(f"{spec}\n{STEP}"))


def test_forbidding_does_not_warn_of_what_brings_its_own_rights() -> None:
    """A namespace or an account is not chosen at will."""
    spec = "match: {namespaces: [a], serviceAccounts: [b], namespaceSelector: {}}\n"

    assert [] == told(policy(FORBID + spec + STEP))


@pytest.mark.parametrize("field", ["image: true", "volumeMounts: ['*']"])
def test_forbidding_warns_of_what_an_author_lends(field: str) -> None:
    """A borrowed image, or mounts over anything, let a pod's author choose what runs."""
    image = "" if field.startswith("image") else f"image: '{IMAGE}', "
    container = f"container: {{{image}args: [x]}}"
    steps = f"steps: [{{name: s, borrow: {{container: app, {field}}}, {container}}}]"
    name = field.partition(":")[0]

    assert [f"spec.steps[0].borrow.{name}"] == [
        line.split(": ", 1)[0] for line in told(policy(f"{FORBID}{steps}\n"))
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "!has(object.spec.initContainers)",
        "size(object.spec.?volumes.orValue([])) < 3",
        "!has(object.metadata.annotations)",
        "size(object.metadata) < 5",
    ],
)
def test_forbidding_warns_of_conditions_that_see_what_we_added(expression: str) -> None:
    """Nothing is hidden from such a policy, so a second look may see more than the first."""
    found = told(policy(f"{FORBID}conditions: [{{name: c, expression: '{expression}'}}]\n{STEP}"))

    assert 1 == len([line for line in found if "also sees what we injected" in line])


def test_an_annotation_of_the_authors_may_be_asked_for() -> None:
    """One annotation by its name is the same in both calls."""
    expression = 'object.metadata.annotations[?"a"].orValue("") == ""'
    found = told(policy(f"{FORBID}conditions: [{{name: c, expression: '{expression}'}}]\n{STEP}"))

    assert [] == [line for line in found if "also sees what we injected" in line]


def test_a_script_for_the_images_own_shell_is_told() -> None:
    """Without a command the image's entrypoint may be a shell, and `-c` looks like it."""
    args = "['-c', '${parameters.host}']"
    (found,) = told(step(f"args: {args}", parameters=POD_PARAMETER))

    assert "spec.steps[0].container.args[1]" == found.split(": ", 1)[0]
    assert [] == told(step(f"command: [/run]\nargs: {args}", parameters=POD_PARAMETER))


def test_two_policies_with_one_step_name_are_told() -> None:
    """Two policies that can match one pod and name a step alike get a warning at the later one."""
    found = told(policy(STEP, "a"), policy(STEP, "b"))

    assert ["spec.steps[0].name: policy a has a step wait too: a conflict in some pods"] == found


def test_policies_that_never_meet_may_share_names() -> None:
    """Selectors that exclude each other keep the warning away."""
    first = policy("match: {podSelector: {matchLabels: {app: a}}}\n" + STEP, "a")
    second = policy("match: {podSelector: {matchLabels: {app: b}}}\n" + STEP, "b")

    assert [] == told(first, second)


def test_placements_that_contradict_each_other_are_told() -> None:
    """An earlier policy after istio-proxy and a later one before it cannot both be met."""
    first = policy("placement: {after: [istio-proxy]}\n" + STEP, "a")
    other = STEP.replace("wait", "other")
    second = policy("placement: {before: ['istio-*']}\n" + other, "b")
    found = told(first, second)

    assert ["spec.placement.before[0]"] == [line.split(": ", 1)[0] for line in found]


def test_before_and_after_the_same_name_is_refused() -> None:
    """No place is both before and after one container."""
    found = told(policy("placement: {before: [x], after: [x]}\n" + STEP), severity="error")

    assert ["spec.placement.before[0]: no place is both before and after x"] == found


def test_linux_fields_on_a_windows_step_are_refused() -> None:
    """The API server forbids Linux security fields on Windows pods; so does check."""
    text = policy(
        "steps: [{name: s, os: windows, container: {image: 'registry.example.com/s:1',"
        " securityContext: {runAsUser: 5}}}]\n"
    )

    assert ["spec.steps[0].container.securityContext.runAsUser"] == [
        line.split(": ", 1)[0] for line in told(text, severity="error")
    ]


def test_reading_the_user_is_told() -> None:
    """An expression that reads request.userInfo is warned about: it is empty offline."""
    text = policy(
        "conditions: [{name: c, expression: \"request.userInfo.username != 'x'\"}]\n" + STEP
    )

    assert ["spec.conditions[0].expression"] == [line.split(": ", 1)[0] for line in told(text)]


def test_a_parameter_that_nothing_reads_is_told() -> None:
    """An unused parameter is probably misspelt somewhere."""
    assert ["spec.parameters[0]: host is never used"] == told(policy(NAMESPACE_PARAMETER + STEP))


def test_ten_thousand_policies_are_checked_in_seconds() -> None:
    """Pairs are only made of policies that share a name or demand a placement."""
    texts = [
        policy(f"match: {{namespaces: [n{i}]}}\n" + STEP.replace("wait", f"wait-{i}"), f"p-{i}")
        for i in range(1000)
    ]

    assert [] == told(*texts)
