"""The chart: what it renders, and that its values, pages and alerts say the same.

`python -m tests.house.test_chart` writes the table of values into the chart's README.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests import helm, needs
from tests.house import test_documentation, tree
from webhook import __version__
from webhook.policy import selector
from webhook.settings import TABLE, resolve
from webhook.telemetry.instruments import INSTRUMENTS

README = "deploy/chart/README.md"
PRACTICES = "docs/explanation/good-practices.md"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"
FLAGS = {setting.flag: setting for setting in TABLE}
INJECT, ENFORCE = "initject.dev/inject", "initject.dev/enforce"
NAME = "kubernetes.io/metadata.name"
DEFAULTS = {setting.name: setting.default for setting in TABLE}
ALL_MONITORED = helm.CHOICES["monitored"]

# What the API server and its clients call their own metrics, by where that is said.
FOREIGN = {
    # k8s.io/apiserver, pkg/admission/metrics/metrics.go
    "apiserver_admission_webhook_admission_duration_seconds",
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_rejection_count",
    # k8s.io/apiserver, pkg/admission/metrics/metrics.go: match conditions
    "apiserver_admission_match_condition_evaluation_errors_total",
    # prometheus_client's ProcessCollector
    "process_resident_memory_bytes",
}


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tree.text("deploy/chart/values.schema.json"))
    return found


def values() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(tree.text("deploy/chart/values.yaml"))
    return found


@pytest.fixture(scope="module", params=helm.CHOICES)
def objects(request: pytest.FixtureRequest) -> list[Any]:
    """What is rendered for each choice of values."""
    return helm.render(*helm.CHOICES[request.param])


@pytest.fixture(scope="module")
def defaults() -> list[Any]:
    """What is rendered without any value."""
    return helm.render()


# ── Values ──


@pytest.mark.parametrize("choice", helm.CHOICES)
def test_lint_has_nothing_to_say(choice: str) -> None:
    """Whatever is chosen, `helm lint --strict` finds no fault."""
    done = helm.run("lint", "--strict", "--quiet", str(helm.CHART), *_set(choice))

    assert (0, "") == (done.returncode, done.stderr)


def _set(choice: str) -> list[str]:
    return helm.flags(helm.CHOICES[choice])


def below(path: str, node: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every value and group of values with its path, in the order of the schema."""
    for name, child in node.get("properties", {}).items():
        inner = f"{path}.{name}" if path else name
        yield inner, child
        yield from below(inner, child)


def test_the_schema_is_one_and_the_defaults_meet_it() -> None:
    """By the draft that the schema names."""
    jsonschema.Draft202012Validator.check_schema(schema())

    assert [] == list(jsonschema.Draft202012Validator(schema()).iter_errors(values()))


def test_every_value_has_a_default_and_words() -> None:
    """What the schema knows stands in values.yaml, and the other way round, in the same order."""
    optional = {"global", "settings", "certificates.certManager.issuerRef"}
    known = [
        p for p, _ in below("", schema()) if not p.startswith(tuple(f"{o}." for o in optional))
    ]
    known.remove("global")

    assert known == list(given("", values()))
    assert [] == [path for path, node in below("", schema()) if not node.get("description")]


def given(path: str, node: Mapping[str, Any]) -> Iterator[str]:
    free = {"excludedNamespaces", "resources", "podSecurityContext", "securityContext"}
    for name, child in node.items():
        inner = f"{path}.{name}" if path else name
        yield inner
        if isinstance(child, Mapping) and inner not in {*free, "dashboard.labels"}:
            yield from given(inner, child)


GROUPS = ["", *(p for p, node in below("", schema()) if "properties" in node)]


@pytest.mark.parametrize("group", GROUPS)
def test_a_misspelt_value_is_refused(group: str) -> None:
    """A value that nobody reads would be a wish that nobody hears."""
    path = f"{group}.misspelt" if group else "misspelt"

    done = helm.run("template", "x", str(helm.CHART), f"--set={path}=1")

    assert 0 != done.returncode
    assert "additional properties 'misspelt' not allowed" in done.stderr


def test_each_setting_of_serve_has_its_value() -> None:
    """Either a value of the chart makes it, or it stands under `settings`."""
    passed = set(schema()["properties"]["settings"]["properties"])
    made = {argument.partition("=")[0][2:] for c in helm.CHOICES for argument in arguments(c)}
    # Of the machine that serves, or of another way to live than a pod's.
    senseless = {"namespaces", "kubeconfig", "host", "health-host", "self-signed"}
    environment = {"own-namespace", "replica"}

    assert {setting.key for setting in TABLE} - environment == passed | (
        (made | senseless) & {setting.key for setting in TABLE}
    )


def arguments(choice: str) -> list[str]:
    pod = helm.only("Deployment", helm.render(*helm.CHOICES[choice]))["spec"]["template"]["spec"]
    found: list[str] = pod["containers"][0]["args"][1:]
    return found


def test_numbers_reach_serve_as_they_are_written() -> None:
    """Helm takes 1048576 for a float, and would write it with an exponent."""
    passed = arguments("set")

    assert {"--max-body-bytes=1048576", "--drain-seconds=7.5"} <= {*passed}
    assert ["--keep-first=restore-wait", "--keep-first=first-*", "--mirrors="] == [
        a for a in passed if a.startswith(("--keep-first", "--mirrors"))
    ]


def table() -> str:
    """The values as the README lists them."""
    lines = ["| value | default | what it means |", "| --- | --- | --- |"]
    for path, node in below("", schema()):
        if "properties" in node and path != "certificates.certManager.issuerRef":
            continue
        if path == "global" or path.startswith("certificates.certManager.issuerRef."):
            continue
        lines.append(f"| `{path}` | {shown(path)} | {node['description']}{choices(node)} |")
    return "\n".join(lines) + "\n"


def shown(path: str) -> str:
    value: Any = values()
    for part in path.split("."):
        if part not in value:
            return ""
        value = value[part]
    if value in ("", [], {}):
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def choices(node: Mapping[str, Any]) -> str:
    named = [f"`{one}`" for one in node.get("enum", []) if f"`{one}`" not in node["description"]]
    return f" {', '.join(named)}." if named else ""


def test_the_readme_lists_the_values() -> None:
    """Path, default and words, as the schema and values.yaml have them."""
    found = tree.text(README).partition(BEGIN)[2].partition(END)[0]

    assert table() == found, "run: python -m tests.house.test_chart"


# ── What is rendered ──


def test_the_chart_has_the_version_of_the_program() -> None:
    """Both, for they are released together."""
    chart = yaml.safe_load(tree.text("deploy/chart/Chart.yaml"))

    assert (__version__, __version__) == (chart["version"], chart["appVersion"])


def test_the_definitions_are_those_of_the_model() -> None:
    """deploy/crds, letter for letter, and as they are rendered; they stay after the release."""
    made = [o for o in helm.render() if o["kind"] == "CustomResourceDefinition"]

    assert tree.text("deploy/crds/crds.yaml") == tree.text("deploy/chart/files/crds.yaml")
    assert {"keep"} == {o["metadata"]["annotations"]["helm.sh/resource-policy"] for o in made}
    for one in made:
        one["metadata"] = {"name": one["metadata"]["name"]}
    assert list(yaml.safe_load_all(tree.text("deploy/crds/crds.yaml"))) == made


def test_what_holds_pods_to_an_answer_spares_the_namespaces_that_are_never_asked_about() -> None:
    """Its text is that of kustomize; it binds where the enforcing webhook asks."""
    component = "deploy/kustomize/components/answered/policy.yaml"
    made = helm.render("answered.enabled=true", "fullnameOverride=injector")
    binding = helm.only("ValidatingAdmissionPolicyBinding", made)["spec"]

    assert tree.text(component) == tree.text("deploy/chart/files/answered.yaml")
    assert "injector" == binding["policyName"]
    assert "injector" == helm.only("ValidatingAdmissionPolicy", made)["metadata"]["name"]
    assert hooks(made)[1]["namespaceSelector"] == binding["matchResources"]["namespaceSelector"]


def test_the_policy_of_the_annotation_is_the_one_beside_the_chart() -> None:
    """In cluster mode an object, in file mode a file; with other hosts where values name them."""
    made = helm.only("ClusterInitPolicy", helm.render(*helm.CHOICES["annotation"]))
    files = helm.only("ConfigMap", helm.render(*helm.CHOICES["files-annotation"]))["data"]
    written = yaml.safe_load(tree.text("deploy/policies/wait-for-annotation.yaml"))

    assert written == yaml.safe_load(files["wait-for-annotation.yaml"])
    pattern = written["spec"]["parameters"][0].pop("pattern")
    chosen = made["spec"]["parameters"][0].pop("pattern")
    assert pattern.replace("[a-z0-9.-]*", r"db|[a-z0-9.-]*\.internal") == chosen
    assert written["spec"] == made["spec"]


def test_nothing_is_passed_that_serve_does_not_know(objects: list[Any]) -> None:
    """Arguments and variables are settings, and texts that the settings take."""
    container = helm.only("Deployment", objects)["spec"]["template"]["spec"]["containers"][0]
    verb, *passed = container["args"]

    assert "serve" == verb
    for argument in passed:
        flag, _, text = argument.partition("=")
        FLAGS[flag].parse([text or "true"])  # raises when it does not fit
    variables = {entry["name"] for entry in container["env"] if entry["name"] != "TZ"}
    assert set() == variables - {setting.env for setting in TABLE}


def test_ports_and_mounts_are_those_that_are_used(objects: list[Any]) -> None:
    """Each folder that is read is mounted, and each port that is served is named."""
    pod = helm.only("Deployment", objects)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    passed = dict(a.partition("=")[::2] for a in container["args"][1:])
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    own = [m for m in container.get("volumeMounts", []) if m["name"] != "ca"]

    assert {"webhook": passed["--port"], "health": passed["--health-port"]} == ports
    assert {t for t in passed.values() if t.startswith("/")} == {m["mountPath"] for m in own}
    assert {v["name"] for v in pod.get("volumes", [])} == {
        m["name"] for m in container.get("volumeMounts", [])
    }


def test_a_stopping_pod_has_time_for_all_that_it_does(defaults: list[Any]) -> None:
    """preStop, draining and the last requests fit into the grace period."""
    pod = helm.only("Deployment", defaults)["spec"]["template"]["spec"]
    sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]

    least = sleep + DEFAULTS["drain_seconds"] + DEFAULTS["grace_seconds"]
    assert pod["terminationGracePeriodSeconds"] >= least


def test_the_excluded_namespaces_are_those_of_the_program() -> None:
    """One list, whether somebody runs the chart or the program alone."""
    assert list(DEFAULTS["excluded_namespaces"]) == values()["excludedNamespaces"]


LABELS = [
    {
        "initject.dev/inject": inject,
        "initject.dev/enforce": enforce,
        "kubernetes.io/metadata.name": n,
    }
    for inject, enforce, n in itertools.product(
        (None, "enabled", "true", "disabled", "false", "odd"),
        (None, "true", "false"),
        ("shop", "initject", "kube-system", "istio-system"),
    )
]


def test_no_pod_is_selected_by_both_webhooks(objects: list[Any]) -> None:
    """Whatever the labels of its namespace are: a pod that both selected would cost twice."""
    both = [
        labels for labels in LABELS if 1 < sum(selects(hook, labels) for hook in hooks(objects))
    ]

    assert [] == both


def test_what_a_cluster_starts_with_is_out_whatever_is_chosen(objects: list[Any]) -> None:
    """No webhook of ours sees our own namespace, or those that a cluster starts with."""
    never = {"initject", "kube-system", "kube-public", "kube-node-lease"}
    seen = {labels[NAME] for labels in LABELS for hook in hooks(objects) if selects(hook, labels)}

    assert set() == seen & never
    assert "shop" in seen


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("defaults", {"enabled", "true"}),
        ("all-namespaces", {"", "enabled", "true", "odd"}),
    ],
)
def test_namespaces_opt_in_or_out(choice: str, expected: set[str]) -> None:
    """By their label `initject.dev/inject`, where they do not enforce."""
    ignoring, enforcing = hooks(helm.render(*helm.CHOICES[choice]))
    shop = [labels for labels in LABELS if labels[NAME] == "shop"]

    assert ("Ignore", "Fail") == (ignoring["failurePolicy"], enforcing["failurePolicy"])
    assert expected == {labels[INJECT] or "" for labels in shop if selects(ignoring, labels)}
    assert {"true"} == {labels[ENFORCE] for labels in shop if selects(enforcing, labels)}


def hooks(objects: list[Any]) -> list[Any]:
    found: list[Any] = helm.only("MutatingWebhookConfiguration", objects)["webhooks"]
    return found


def selects(hook: Any, labels: Mapping[str, str | None]) -> bool:
    parsed, problems = selector.parse(hook["namespaceSelector"])
    assert parsed is not None, problems
    return parsed.matches({key: value for key, value in labels.items() if value is not None})


@pytest.mark.parametrize("choice", ["files-cert-manager", "files-secret", "files-config-map"])
def test_with_files_and_a_certificate_of_others_it_has_no_rights(choice: str) -> None:
    """No role, no binding, no definition, no token, and no way out."""
    made = helm.render(*helm.CHOICES[choice])
    kinds = {value["kind"] for value in made}
    pod = helm.only("Deployment", made)["spec"]["template"]["spec"]

    assert set() == {k for k in kinds if "Role" in k or "Definition" in k or "Validating" in k}
    assert pod["automountServiceAccountToken"] is False
    assert helm.only("ServiceAccount", made)["automountServiceAccountToken"] is False
    assert [] == helm.only("NetworkPolicy", made)["spec"]["egress"]


READING = ["get", "list", "watch"]
POLICIES = {
    ("initject.dev", "clusterinitpolicies", ""): READING,
    ("initject.dev", "initpolicies", ""): READING,
    ("initject.dev", "clusterinitpolicies/status", ""): ["patch"],
    ("initject.dev", "initpolicies/status", ""): ["patch"],
    ("", "namespaces", ""): READING,
    ("events.k8s.io", "events", ""): ["create", "patch"],
}
KEYS = {
    (
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "initject",
    ): [*READING, "patch"],
    (
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "initject",
    ): [*READING, "patch"],
    ("", "secrets", "initject-certificates"): [*READING, "patch"],
}
LEASES = {
    ("coordination.k8s.io", "leases", ""): [*READING, "create", "update", "patch", "delete"],
}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("defaults", {**POLICIES, **KEYS, **LEASES}),
        ("cert-manager", {**POLICIES, **LEASES}),
        ("files-own", KEYS),
    ],
)
def test_the_rights_are_the_least(choice: str, expected: Any) -> None:
    """By group, resource and name; no pods, and no Secret but one by name."""
    rules = {
        (group, resource, name): rule["verbs"]
        for value in helm.render(*helm.CHOICES[choice])
        if value["kind"] in {"ClusterRole", "Role"}
        for rule in value["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }

    assert expected == rules


def test_an_upgrade_says_nothing_of_what_the_webhook_writes(defaults: list[Any]) -> None:
    """The data of its Secret and the `caBundle` are its own: rendered, they would be reset."""
    secret = helm.only("Secret", defaults)
    configured = [
        hook["clientConfig"]
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        for hook in helm.only(kind, defaults)["webhooks"]
    ]

    assert {"apiVersion", "kind", "metadata", "type"} == set(secret)
    assert [{"service"}] * 3 == [set(client) for client in configured]


@pytest.mark.parametrize("release", ["initject", "team"])
def test_every_name_follows_from_that_of_the_release(release: str) -> None:
    """Two releases in two namespaces share no object of the cluster."""
    name = release if "initject" in release else f"{release}-initject"
    made = helm.render(release=release, namespace="elsewhere")
    wide = {o["metadata"]["name"] for o in made if not o["kind"].startswith("CustomResource")}
    passed = helm.only("Deployment", made)["spec"]["template"]["spec"]["containers"][0]["args"]

    assert {name, f"{name}-certificates"} == wide
    for flag in ("--service", "--webhook-configuration", "--lease"):
        assert f"{flag}={name}" in passed
    assert f"--certificate-secret={name}-certificates" in passed


NEXT = {
    "defaults": ("initject check policy.yaml", "kubectl label namespace NAME"),
    "secret": ("kubectl apply -f policy.yaml",),
    "files-secret": ("--set-file certificates.secret.caBundle=ca.crt", "initject-policies"),
    "all-namespaces": ("Every namespace is injected but",),
    "answered": ("kubectl delete validatingadmissionpolicybinding initject",),
    "bare": ("WARNING: with one replica",),
    "named": ("rollout status deployment/injector", "mutatingwebhookconfiguration injector"),
}


@pytest.mark.parametrize("choice", NEXT)
def test_the_notes_say_the_next_step(choice: str) -> None:
    """What has to be done for what was chosen, in words that can be pasted."""
    where = ("initject", str(helm.CHART), "--namespace=initject", "--dry-run=client")
    done = helm.run("install", *where, *_set(choice))
    notes = done.stdout.partition("\nNOTES:\n")[2]

    assert 0 == done.returncode, done.stderr
    assert [] == [step for step in NEXT[choice] if step not in notes]
    assert [] == re.findall(r"<no value>|%!|\{\{", notes)
    for line in test_documentation.shown(notes):
        assert [] == test_documentation.mistaken(words(line))


def words(line: str) -> list[str]:
    split = test_documentation.split(line)
    return split if split[:1] == ["initject"] else []


# ── Beside kustomize ──

# What one has and the other has not, meant so: helm makes the namespace itself, and a NetworkPolicy
# depends on the cluster more than anything else here.
ONLY_CHART, ONLY_KUSTOMIZE = {"NetworkPolicy"}, {"Namespace"}
RIGHTS = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


@pytest.mark.parametrize(
    ("overlay", "choice"),
    [
        ("cluster-mode", ()),
        ("file-mode", (*helm.FILES, *helm.SECRET[:1], "certificates.secret.name=initject-tls")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_kustomize_installs_the_same(overlay: str, choice: tuple[str, ...]) -> None:
    """The same objects with the same content, but for labels; and the same rights in all."""
    chart, manifests = helm.render(*choice), kustomized(overlay)

    assert ONLY_CHART == kinds(chart) - kinds(manifests)
    assert ONLY_KUSTOMIZE == kinds(manifests) - kinds(chart)
    assert rights(chart) == rights(manifests)
    for kind in kinds(chart) - ONLY_CHART - {"ConfigMap", "CustomResourceDefinition"}:
        assert alike(kind, chart) == alike(kind, manifests)


def kustomized(overlay: str) -> list[Any]:
    folder = tree.CHECKOUT / "deploy" / "kustomize" / "overlays" / overlay
    command = [tree.BIN / "kubectl", "kustomize", folder]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


def kinds(objects: list[Any]) -> set[str]:
    return {value["kind"] for value in objects if value["kind"] not in RIGHTS}


def rights(objects: list[Any]) -> set[tuple[str, ...]]:
    return {
        (value["kind"], group, resource, *sorted(rule.get("resourceNames", [])), ":", verb)
        for value in objects
        if value["kind"] in {"ClusterRole", "Role"}
        for rule in value["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def alike(kind: str, objects: list[Any]) -> dict[str, Any]:
    """An object without labels by which it is only found; arguments and variables as settings."""
    value = helm.only(kind, objects)
    value["metadata"].pop("labels", None)
    for found in nodes(value):
        found.pop("app.kubernetes.io/instance", None)
    if kind == "Deployment":
        template = value["spec"]["template"]
        del template["metadata"]
        (container,) = template["spec"]["containers"]
        container["args"], container["env"] = settings(container), []
        container.setdefault("imagePullPolicy", "IfNotPresent")
    return dict(value)


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value:
        if isinstance(child, dict | list):
            yield from nodes(child)


def settings(container: Any) -> Any:
    """What `serve` makes of a container's arguments and variables."""
    given: dict[str, Any] = {}
    for argument in container["args"][1:]:
        flag, _, text = argument.partition("=")
        given.setdefault(FLAGS[flag].name, []).append(text)
    variables = {entry["name"]: entry.get("value", "of the pod") for entry in container["env"]}
    single = {k: v if DEFAULTS_MANY[k] else v[-1] for k, v in given.items()}
    return resolve(single, variables)


DEFAULTS_MANY = {setting.name: setting.many for setting in TABLE}


# ── Good practices ──


def test_only_creations_of_pods_are_registered(objects: list[Any]) -> None:
    """No update, no subresource, no other kind; in whatever version somebody writes them."""
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "scope": "Namespaced"}
    for hook in hooks(objects):
        assert [{**pods, "operations": ["CREATE"]}] == hook["rules"]
        assert ("Equivalent", "IfNeeded", "None", ["v1"]) == (
            hook["matchPolicy"],
            hook["reinvocationPolicy"],
            hook["sideEffects"],
            hook["admissionReviewVersions"],
        )


def test_the_deadline_is_short(defaults: list[Any]) -> None:
    """A pod waits five seconds at most for somebody who does not answer."""
    assert [5, 5] == [hook["timeoutSeconds"] for hook in hooks(defaults)]


def test_replicas_stand_behind_a_service_and_apart(defaults: list[Any]) -> None:
    """Two, over nodes and zones, of which one may be evicted at a time and none is missing."""
    deployment = helm.only("Deployment", defaults)["spec"]
    pod = deployment["template"]
    spread = {c["topologyKey"] for c in pod["spec"]["topologySpreadConstraints"]}
    selected = [
        helm.only("Service", defaults)["spec"]["selector"],
        helm.only("PodDisruptionBudget", defaults)["spec"]["selector"]["matchLabels"],
        helm.only("NetworkPolicy", defaults)["spec"]["podSelector"]["matchLabels"],
        deployment["selector"]["matchLabels"],
    ]

    assert 2 == deployment["replicas"]
    assert {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} == spread
    assert 1 == helm.only("PodDisruptionBudget", defaults)["spec"]["maxUnavailable"]
    assert {"maxSurge": 1, "maxUnavailable": 0} == deployment["strategy"]["rollingUpdate"]
    assert "clusterIP" not in helm.only("Service", defaults)["spec"]  # headless cannot be called
    assert [True] * 4 == [
        labels.items() <= pod["metadata"]["labels"].items() for labels in selected
    ]


def test_no_role_is_for_people(objects: list[Any]) -> None:
    """None is bound to anybody but our ServiceAccount, and none adds itself to a built-in role."""
    bound = [
        (subject["kind"], subject["namespace"])
        for value in objects
        for subject in value.get("subjects", [])
    ]
    labels = [o["metadata"]["labels"] for o in objects if o["kind"] == "ClusterRole"]

    assert {("ServiceAccount", "initject")} >= {*bound}
    assert [] == [key for one in labels for key in one if "aggregate" in key]


def test_each_good_practice_is_held_by_a_test_or_said_to_be_a_choice() -> None:
    """All 25, in order; each names a test that exists, or links to what says why."""
    rows = re.findall(r"^\| (\d+) \|.*\| (.+) \|$", tree.text(PRACTICES), re.MULTILINE)
    tests = {
        f"{path.name}::{name}"
        for path in tree.files("tests/**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert [str(number) for number in range(1, 26)] == [number for number, _ in rows]
    for _, held in rows:
        named = re.fullmatch(r"`(test_\w+\.py::test_\w+)`", held)
        assert held.startswith("[") or (named and named[1] in tests), held


# ── Alerts and dashboard ──


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules as Prometheus reads them."""
    rule = helm.only("PrometheusRule", helm.render(*ALL_MONITORED))
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    return path


def alerts(*values: str) -> dict[str, Any]:
    rule = helm.only("PrometheusRule", helm.render(*ALL_MONITORED, *values))
    return {one["alert"]: one for group in rule["spec"]["groups"] for one in group["rules"]}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [needs.tool("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prometheus_takes_the_rules(rules: Path) -> None:
    """`promtool check rules` finds no fault, lint included."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", rules)

    assert (0, "") == (done.returncode, done.stderr)


def test_each_alert_fires_when_it_should_and_is_silent_else(rules: Path) -> None:
    """Series of a good hour and of bad ones, evaluated by Prometheus itself."""
    tests = rules.with_name("tests.yaml")
    source = tree.CHECKOUT / "tests" / "house" / "alerts.yaml"
    tests.write_text(source.read_text())

    done = promtool("test", "rules", tests)

    assert (0, "") == (done.returncode, done.stdout.replace("SUCCESS", "").partition("FAILED")[2])


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ((), 7 * 24 * 3600),
        (("settings.leaf-days=0.5",), 2 * 3600),
        (("certificates.source=cert-manager", "certificates.certManager.duration=24h"), 4 * 3600),
        (helm.SECRET, 7 * 24 * 3600),
    ],
)
def test_a_certificate_that_lasts_hours_is_no_alert_all_day(
    values: tuple[str, ...], seconds: int
) -> None:
    """The alert comes with a sixth of its life left, and for long ones with a week."""
    assert f"- time() < {seconds}" in alerts(*values)["InitjectCertificateExpires"]["expr"]


def test_every_alert_is_tried(rules: Path) -> None:
    """Each has a case in which it fires."""
    cases = yaml.safe_load(tree.text("tests/house/alerts.yaml"))["tests"]
    fired = {
        one["alertname"]
        for case in cases
        for one in case["alert_rule_test"]
        if one.get("exp_alerts")
    }

    assert set(alerts()) == fired


def test_metrics_tells_what_to_do_about_each_alert() -> None:
    """The table under *Alerts* has each alert once."""
    section = tree.text("docs/reference/metrics.md").partition("\n## Alerts\n")[2]
    told = re.findall(r"^\| `(\w+)` \|", section.partition("\n## ")[0], re.MULTILINE)

    assert list(alerts()) == told


def expressions() -> list[str]:
    made = helm.render(*ALL_MONITORED)
    (board,) = (o for o in made if o["metadata"]["name"].endswith("-dashboard"))
    panels = json.loads(board["data"]["initject.json"])["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    return shown + [alert["expr"] for alert in alerts().values()]


def test_every_metric_that_is_drawn_or_watched_exists() -> None:
    """With the labels that it is asked for; a misspelt one would never be seen."""
    known = {i.name: {*i.labels, "le", "instance"} for i in INSTRUMENTS}
    for expression in expressions():
        for name, labels in re.findall(r"([a-z]+(?:_[a-z]+)+)\b(?:\{([^}]*)\})?", expression):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            metric = name if name in {*known, *FOREIGN} else base
            if metric in FOREIGN or name in {"group_left", "histogram_quantile", *LABEL_NAMES}:
                continue
            assert metric in known, expression
            assert set() == set(re.findall(r"(\w+)(?:=|!)", labels)) - known[metric], expression


LABEL_NAMES = {label for i in INSTRUMENTS for label in i.labels} | {"error_type"}


def test_the_dashboards_panels_are_a_readers() -> None:
    """Each has a title of its own, and none hides another."""
    made = helm.render(*ALL_MONITORED)
    (board,) = (o for o in made if o["metadata"]["name"].endswith("-dashboard"))
    panels = json.loads(board["data"]["initject.json"])["panels"]

    assert len(panels) == len({panel["title"] for panel in panels})
    assert len(panels) == len({(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels})


def write_readme() -> None:
    path = tree.CHECKOUT / README
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    write_readme()
