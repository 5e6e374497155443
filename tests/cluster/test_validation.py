"""Policies as API objects, checked by our own webhook when a real API server is given them."""

from __future__ import annotations

import base64
import copy
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.cluster import machine, registration, serving
from tests.cluster.api import Answer, Api, Json, collection
from tests.house.tree import BIN, CHECKOUT
from webhook.policy import load

COMPONENT = CHECKOUT / "deploy" / "kustomize" / "components" / "validation"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POLICIES = sorted(
    [*CHECKOUT.glob("tests/cases/**/policy.yaml"), *CHECKOUT.glob("examples/**/policy.yaml")]
)
GOOD = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: good}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  steps: [{name: wait, container: {image: "registry.example.com/tools/wait:1.0"}}]
"""
# Three errors and two warnings that no schema can say.
WRONG = """\
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: wrong}
spec:
  match: {podSelector: {matchLabels: {app: shop}}}
  conditions: [{name: named, expression: "object.metadata.name =="}]
  parameters: [{name: host, type: string, default: postgres}]
  steps:
    - name: wait
      container:
        image: registry.example.com/tools/wait
        livenessProbe: {httpGet: {port: 80}}
        args: ["${parameters.hots}"]
"""


def policy(text: str, name: str = "", **spec: Any) -> Json:
    """A policy of this module, by another name, with other fields in its spec."""
    value: Json = yaml.safe_load(text)
    value["metadata"]["name"] = name or value["metadata"]["name"]
    return {**value, "spec": {**value["spec"], **spec}}


def found(value: Json, severity: str) -> set[str]:
    """What `initject check` says of it: `field: what; advice`."""
    problems = load.load([("policy.yaml", yaml.safe_dump(value))]).problems
    return {f"{p.field}: {p.cause}" for p in problems if p.severity == severity}


def path(value: Json) -> str:
    return f"{collection(value)}/{value['metadata']['name']}"


@pytest.fixture(scope="module", autouse=True)
def crds(api: Api) -> Iterator[None]:
    """Both CRDs, served."""
    text = (CHECKOUT / "deploy/crds/crds.yaml").read_text(encoding="utf-8")
    definitions = list(yaml.safe_load_all(text))
    for one in definitions:  # another module's may still be on their way out
        until_answered(201, lambda one=one: api.create(one))  # type: ignore[misc]
    for kind in ("ClusterInitPolicy", "InitPolicy"):
        served = collection({**policy(GOOD), "kind": kind})
        until_answered(200, lambda served=served: api.ask("GET", served))  # type: ignore[misc]
    yield
    for one in definitions:
        name = f"{CRDS}/{one['metadata']['name']}"
        api.ask("DELETE", name)
        until_answered(404, lambda name=name: api.ask("GET", name))  # type: ignore[misc]


def until_answered(code: int, ask: Callable[[], Answer]) -> None:
    registration.until(lambda: ask().code == code, f"an answer {code}")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The configuration as an overlay with the component has it."""
    folder = tmp_path_factory.mktemp("overlay")
    component = os.path.relpath(COMPONENT, folder)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"components": [component]}))
    command = [str(BIN / "kubectl"), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    value: Json = yaml.safe_load(done.stdout)
    return value


@pytest.fixture(scope="module")
def served(
    cluster: Path, api: Api, ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[serving.Served]:
    """Our server, with a policy of no matter."""
    folder = tmp_path_factory.mktemp("validation")
    (folder / "policies").mkdir()
    (folder / "policies" / "good.yaml").write_text(GOOD)
    with serving.serve(cluster, folder, ca) as running:
        yield running


@pytest.fixture(scope="module")
def webhook(api: Api, ca: trustme.CA, manifest: Json, served: serving.Served) -> Iterator[None]:
    """The configuration in force; only where it finds us is the test's own."""
    register(api, manifest, served.url.replace("/mutate", "/validate"), ca)
    registration.until(lambda: refused(api), "policies are checked")
    yield
    unregister(api, manifest)


def register(api: Api, manifest: Json, url: str, ca: trustme.CA) -> None:
    value = copy.deepcopy(manifest)
    bundle = base64.b64encode(ca.cert_pem.bytes()).decode()
    value["webhooks"][0]["clientConfig"] = {"url": url, "caBundle": bundle}
    api.ensure(value)


def unregister(api: Api, manifest: Json) -> None:
    api.ask("DELETE", f"{WEBHOOKS}/{manifest['metadata']['name']}")
    registration.until(lambda: not refused(api), "policies are checked no more")


def refused(api: Api) -> bool:
    return "denied the request" in api.create(policy(WRONG), dry_run=True).message


def test_the_api_server_takes_the_configuration(api: Api, manifest: Json) -> None:
    """With strict validation and without a warning; it never keeps a policy out by itself."""
    answer = api.create({**manifest, "metadata": {"name": "alone"}}, dry_run=True)

    assert (201, "", ()) == (answer.code, answer.message, answer.warnings)
    (hook,) = answer.body["webhooks"]
    assert ("Ignore", "None", 5) == (
        hook["failurePolicy"],
        hook["sideEffects"],
        hook["timeoutSeconds"],
    )


@pytest.mark.usefixtures("webhook")
def test_a_wrong_policy_is_refused_with_every_problem(api: Api) -> None:
    """All that `initject check` finds, each with its field; warnings are warnings."""
    value = policy(WRONG)

    answer = api.create(value)

    errors = found(value, "error")
    assert len(errors) >= 3
    assert (422, "Invalid") == (answer.code, answer.body["reason"])
    assert [] == [error for error in errors if error not in answer.message]
    causes = {f"{c['field']}: {c['message']}" for c in answer.body["details"]["causes"]}
    assert errors == causes
    assert found(value, "warning") == set(answer.warnings) != set()
    assert 404 == api.ask("GET", path(value)).code


@pytest.mark.usefixtures("webhook")
def test_kubectl_shows_each_problem_in_a_line_of_its_own(cluster: Path, tmp_path: Path) -> None:
    """As it shows what the API server itself finds."""
    (tmp_path / "wrong.yaml").write_text(WRONG)
    config = f"--kubeconfig={cluster / 'kubeconfig'}"
    command = [str(BIN / "kubectl"), config, "apply", "-f", str(tmp_path / "wrong.yaml")]

    done = subprocess.run(machine.inside(cluster, *command), capture_output=True, text=True)

    value = policy(WRONG)
    lines = done.stderr.splitlines()
    assert 1 == done.returncode
    assert [] == [error for error in found(value, "error") if f"* {error}" not in lines], lines
    warnings = [f"Warning: {warning}" for warning in found(value, "warning")]
    assert [] == [warning for warning in warnings if warning not in lines], lines


@pytest.mark.usefixtures("webhook")
def test_a_right_policy_is_stored_and_its_warnings_come_back(api: Api) -> None:
    """Stored as it is written; what is probably wrong is told all the same."""
    value = policy(GOOD, "warned", parameters=[{"name": "host", "type": "string", "default": "x"}])

    answer = api.create(value)

    assert (201, found(value, "warning")) == (answer.code, set(answer.warnings)), answer.message
    assert len(answer.warnings) == 1
    api.ask("DELETE", path(value))


@pytest.mark.usefixtures("webhook")
def test_what_the_schema_refuses_is_refused_by_the_schema(api: Api) -> None:
    """The API server looks first: a policy of another form never reaches us."""
    answer = api.create(policy(GOOD, steps=[]))

    assert 422 == answer.code
    assert "denied the request" not in answer.message
    assert "spec.steps" in answer.message


@pytest.mark.usefixtures("webhook")
def test_an_update_that_makes_a_policy_wrong_is_refused(api: Api) -> None:
    """What is stored stays."""
    value = policy(GOOD, "changing")
    stored = api.create(value).body
    stored["spec"]["conditions"] = [{"name": "a", "expression": "1 +"}]

    answer = api.ask("PUT", path(value), stored)

    assert (422, True) == (answer.code, "spec.conditions[0].expression: " in answer.message)
    assert "conditions" not in api.ask("GET", path(value)).body["spec"]
    api.ask("DELETE", path(value))


def test_a_policy_that_became_wrong_can_be_labelled_finished_and_deleted(
    api: Api, webhook: None, manifest: Json, ca: trustme.CA, served: serving.Served
) -> None:
    """Without the webhook it is stored; with it, what leaves the spec alone goes through."""
    unregister(api, manifest)
    value = policy(WRONG, "old")
    value["metadata"]["finalizers"] = ["example.com/wait"]
    stored = api.create(value)
    register(api, manifest, served.url.replace("/mutate", "/validate"), ca)
    registration.until(lambda: refused(api), "policies are checked")

    labelled = changed_metadata(api, value, labels={"team": "a"})
    status = api.ask("PUT", f"{path(value)}/status", {**labelled.body, "status": {"steps": 1}})
    deleted = api.ask("DELETE", path(value))
    finished = changed_metadata(api, value, finalizers=[])

    assert [201, 200, 200, 200, 200] == [
        each.code for each in (stored, labelled, status, deleted, finished)
    ]
    assert 404 == api.ask("GET", path(value)).code


def changed_metadata(api: Api, value: Json, **metadata: Any) -> Answer:
    stored = api.ask("GET", path(value)).body
    return api.ask("PUT", path(value), {**stored, "metadata": {**stored["metadata"], **metadata}})


@pytest.mark.usefixtures("webhook")
def test_every_policy_of_the_cases_and_examples_is_accepted(api: Api) -> None:
    """With all that the API server fills in, a policy is as right as in its file."""
    texts = [text for file in POLICIES for text in yaml.safe_load_all(file.read_text("utf-8"))]
    items = [item for value in texts if value for item in value.get("items", [value])]
    ours = [item for item in items if item["apiVersion"] == "initject.dev/v1alpha1"]
    for item in ours:
        if "namespace" in item["metadata"]:
            api.space(item["metadata"]["namespace"])

    answers = [api.create(item, dry_run=True) for item in ours]

    assert len(ours) > 50
    assert [] == [(a.code, a.message) for a in answers if a.code != 201]


@pytest.mark.parametrize("fault", ["nobody-listens", "wrong-path"])
def test_without_an_answer_policies_are_stored(
    api: Api, webhook: None, manifest: Json, ca: trustme.CA, served: serving.Served, fault: str
) -> None:
    """The check is a convenience: where it is away, a wrong policy goes in, and nothing waits."""
    urls = {
        "nobody-listens": "https://127.0.0.1:1/validate",
        "wrong-path": served.url.replace("/mutate", "/nowhere"),
    }
    unregister(api, manifest)
    register(api, manifest, urls[fault], ca)
    before = failed_open(api)
    registration.until(lambda: tried(api) > before, "the webhook is called")

    began = time.monotonic()
    answer = api.create(policy(WRONG, fault))
    took = time.monotonic() - began

    assert 201 == answer.code, answer.message
    assert took < manifest["webhooks"][0]["timeoutSeconds"]
    api.ask("DELETE", path(policy(WRONG, fault)))
    unregister(api, manifest)
    register(api, manifest, served.url.replace("/mutate", "/validate"), ca)
    registration.until(lambda: refused(api), "policies are checked")


def tried(api: Api) -> int:
    """As `failed_open`, after one more policy."""
    api.create(policy(GOOD), dry_run=True)
    return failed_open(api)


def failed_open(api: Api) -> int:
    """How often the API server went on without us."""
    text = api.ask("GET", "/metrics").message
    name = 'apiserver_admission_webhook_fail_open_count{name="validate.initject.dev"'
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)
