"""The gallery: every case and every example, through both doors and five checks."""

from __future__ import annotations

import base64
import copy
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import jsonpatch
import pytest

from webhook import testing
from webhook.cli import manifests, preview
from webhook.inject import decide
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.server.mutate import Mutate
from webhook.settings import Settings
from webhook.telemetry import Metrics
from webhook.testing import Case

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / "tests" / "cases", ROOT / "examples"]
CASES = [
    pytest.param(case, id=f"{folder.name}/{case.name}")
    for folder in FOLDERS
    for case in testing.load_cases(folder)
]
# Where a patch may go, and by which operations.
ALLOWED = [
    ("add remove replace", r"/metadata/annotations(/initject\.dev~1(injected|skipped))?"),
    ("add replace", r"/metadata/annotations/cluster-autoscaler\.kubernetes\.io~1safe-to-[a-z-]+"),
    ("add remove replace", r"/spec/initContainers(/.+)?"),
    ("add remove replace", r"/spec/volumes(/.+)?"),
    ("add", r"/spec/containers/\d+/volumeMounts(/(\d+|-))?"),
    ("add", r"/spec/imagePullSecrets(/(\d+|-))?"),
]
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"

# A case is read and decided once; the checks look at the same outcome. (Nothing in it is changed.)
run = functools.cache(testing.run)
ask = functools.cache(testing.ask)

every_case = pytest.mark.parametrize("case", CASES)


@pytest.fixture
def outcome(case: Case) -> testing.Outcome:
    """The case, run; a case that cannot be run fails here with its problems."""
    result = run(case)
    if result.decision is None:
        pytest.fail("\n".join(result.problems), pytrace=False)
    return result


@every_case
def test_as_expected(case: Case, update_cases: bool) -> None:
    """What happens is what the case's expected.yaml says."""
    outcome = testing.run(case)
    if update_cases and testing.update(outcome):
        return
    if not outcome.passed:
        pytest.fail("\n".join([*outcome.problems, outcome.diff]), pytrace=False)


@every_case
def test_applied_by_another_library(outcome: testing.Outcome) -> None:
    """The patch, applied by jsonpatch to what was sent, gives the pod of the decision."""
    assert outcome.decision is not None
    patch = list(outcome.decision.patch)
    if not patch:
        return

    applied = jsonpatch.apply_patch(sent(outcome), patch)

    assert testing.difference(outcome.decision.pod, applied) == ""


@every_case
def test_both_doors(case: Case, outcome: testing.Outcome) -> None:
    """`POST /mutate` answers what `preview` prints."""
    assert outcome.decision is not None

    answered = over_http(ask(case))
    expected = shown(case) if only_a_pod(case) else as_shown(outcome)

    assert expected == answered


@every_case
def test_again(case: Case, outcome: testing.Outcome) -> None:
    """The pod that was returned, admitted again, gets no patch; nor with the server's additions.

    And the audit annotations are those of the first call, which a second one cannot overwrite.
    """
    assert outcome.decision is not None
    if not outcome.decision.patch or outcome.decision.pod is None:
        return
    asked = ask(case)
    before = {c["name"] for c in asked.made.pod["spec"].get("initContainers") or []}

    again = decision(asked, outcome.decision.pod)
    served = decision(asked, with_additions(outcome.decision.pod, before))

    assert [] == list(again.patch)
    assert [] == list(served.patch)
    assert outcome.decision.audit == again.audit


@every_case
def test_only_our_rooms(outcome: testing.Outcome) -> None:
    """Operations go where we may write, and nowhere else."""
    assert outcome.decision is not None

    strangers = [
        operation
        for operation in outcome.decision.patch
        if not any(
            operation["op"] in allowed.split() and re.fullmatch(path, operation["path"])
            for allowed, path in ALLOWED
        )
    ]

    assert [] == strangers


def test_no_orphans() -> None:
    """Every file of the gallery belongs to a case; lessons may have a text and share files."""
    folders = {param.values[0].folder for param in CASES}  # type: ignore[union-attr]

    orphans = [
        str(path.relative_to(ROOT))
        for root in FOLDERS
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not (path.parent in folders and path.name in testing.FILES)
        and not (root.name == "examples" and (path.suffix == ".md" or path.parent == root))
    ]

    assert [] == orphans


def test_by_the_command_itself() -> None:
    """A process of its own prints what the function in this process gives."""
    cases = [param.values[0] for param in CASES if only_a_pod(param.values[0])]  # type: ignore[arg-type]

    for case in cases[:: max(1, len(cases) // 3)]:
        assert isinstance(case, Case)
        arguments = ["preview", "-o", "json", "--policies", str(case.folder / testing.POLICY)]
        if case.text(testing.NAMESPACE):
            arguments += ["--namespaces", str(case.folder / testing.NAMESPACE)]
        printed = subprocess.run(
            [sys.executable, "-m", "webhook", *arguments, str(case.folder / testing.POD)],
            capture_output=True,
            check=True,
        )
        entry = json.loads(printed.stdout)[0]
        assert shown(case) == {key: entry.get(key) for key in KEYS}


# Both doors.

KEYS = ("allowed", "message", "patch", "warnings")


def only_a_pod(case: Case) -> bool:
    """Whether the command line can ask what the case asks: it only creates pods."""
    return case.text(testing.REQUEST) is None and case.text(testing.POLICY) is not None


def shown(case: Case) -> dict[str, Any]:
    """What `preview -o json` says of a case."""
    namespaces = [testing.NAMESPACE] if case.text(testing.NAMESPACE) is not None else []
    settings = Settings(
        policies=(str(case.folder / testing.POLICY),),
        namespaces=tuple(str(case.folder / file) for file in namespaces),
    )
    pod = str(case.folder / testing.POD)
    scene = manifests.scene([pod], settings, namespace=ask(case).made.namespace)
    entry = preview.entry(preview.results(scene)[0])
    return json.loads(json.dumps({key: entry.get(key) for key in KEYS}))  # type: ignore[no-any-return]


def as_shown(outcome: testing.Outcome) -> dict[str, Any]:
    decision = outcome.decision
    assert decision is not None
    return {
        "allowed": decision.allowed,
        "message": None if decision.allowed else decision.message,
        "patch": [dict(operation) for operation in decision.patch],
        "warnings": list(decision.warnings),
    }


def over_http(asked: testing.Asked) -> dict[str, Any]:
    """The webhook's answer, in the words of `preview`."""
    application = Mutate(
        decide.decide,
        Policies(asked.policies),
        Namespaces(asked.namespace),
        asked.options,
        metrics=Metrics("test"),
        body_bytes=1 << 22,
    )

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="https://webhook") as client:
            return await client.post("/mutate", json=asked.review)

    response = anyio.run(post)
    assert response.status_code == 200, response.text
    review = response.json()
    assert review["apiVersion"] == "admission.k8s.io/v1"
    assert review["response"]["uid"] == asked.review["request"]["uid"]
    patch = review["response"].get("patch")
    return {
        "allowed": review["response"]["allowed"],
        "message": review["response"].get("status", {}).get("message"),
        "patch": json.loads(base64.b64decode(patch)) if patch else [],
        "warnings": review["response"].get("warnings", []),
    }


@dataclass(frozen=True)
class Policies:
    """A store that never changes."""

    policies: PolicySet

    def get(self) -> PolicySet:
        return self.policies


@dataclass(frozen=True)
class Namespaces:
    """A store that knows at most one namespace."""

    namespace: Namespace | None

    def get(self, name: str) -> Namespace | None:
        return self.namespace if self.namespace and self.namespace.name == name else None


# Again.


def sent(outcome: testing.Outcome) -> Any:
    """The object of the review, which may differ from the manifest's pod (`request.yaml`)."""
    assert outcome.review is not None
    return copy.deepcopy(outcome.review["request"]["object"])


def decision(asked: testing.Asked, pod: Mapping[str, Any]) -> Any:
    request = {**asked.review["request"], "object": pod}
    question = testing.question({**asked.review, "request": request})
    return decide.decide(question, asked.policies, asked.namespace, asked.options)


def with_additions(pod: Mapping[str, Any], authors: set[str]) -> dict[str, Any]:
    """The pod after the API server's defaulting and plugins: additions to what we injected.

    Sources: `SetDefaults_Container`, `SetDefaults_ObjectFieldSelector` (pkg/apis/core/v1), the
    plugins ServiceAccount (token mount) and LimitRanger (a container's defaults).
    """
    result = copy.deepcopy(dict(pod))
    spec = result["spec"]
    token = spec.get("automountServiceAccountToken") is not False
    if token and not any(v["name"].startswith("kube-api-access-") for v in volumes(spec)):
        spec["volumes"] = [*volumes(spec), {"name": "kube-api-access-x", "projected": {}}]
    name = next((v["name"] for v in volumes(spec) if v["name"].startswith("kube-api-access-")), "")
    for container in spec.get("initContainers") or []:
        if container["name"] not in authors:
            default(container)
            limit(container)
            if token:
                mount(container, name)
    annotations = result["metadata"].setdefault("annotations", {})
    annotations["kubernetes.io/limit-ranger"] = "LimitRanger plugin set: cpu request"
    return result


def volumes(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(spec.get("volumes") or [])


def default(container: dict[str, Any]) -> None:
    _, _, tag = container.get("image", "").rpartition(":")
    container.setdefault("imagePullPolicy", "Always" if tag == "latest" else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for reference in field_references(container):
        reference.setdefault("apiVersion", "v1")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            probe(container[name])


def field_references(container: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for variable in container.get("env") or []:
        if "fieldRef" in (variable.get("valueFrom") or {}):
            yield variable["valueFrom"]["fieldRef"]


def probe(value: dict[str, Any]) -> None:
    for key, number in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        value.setdefault(key, number)


def limit(container: dict[str, Any]) -> None:
    resources = container.setdefault("resources", {})
    limits = resources.setdefault("limits", {})
    requests = resources.setdefault("requests", {})
    for name, number in limits.items():
        requests.setdefault(name, number)
    limits.setdefault("cpu", "2")
    limits.setdefault("memory", "1Gi")
    requests.setdefault("cpu", "100m")
    requests.setdefault("memory", "64Mi")


def mount(container: dict[str, Any], name: str) -> None:
    mounts = container.setdefault("volumeMounts", [])
    if not any(entry["mountPath"] == TOKEN for entry in mounts):
        mounts.append({"name": name, "readOnly": True, "mountPath": TOKEN})
