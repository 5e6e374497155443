"""The chart, taken to a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import helm, needs
from tests.cluster import registration
from tests.cluster.api import Api, Json
from webhook import testing
from webhook.manifest import workload

DEFINITIONS = needs.CACHE / "tools" / "definitions"


@pytest.fixture(scope="module")
def definitions(api: Api) -> None:
    """The kinds of the Prometheus operator and of cert-manager."""
    folder = needs.file(DEFINITIONS, how="make cluster fetches it")
    for path in sorted(folder.iterdir()):
        definition = next(yaml.safe_load_all(path.read_text()))
        api.ensure(definition)
        name = definition["metadata"]["name"]
        registration.until(lambda n=name: established(api, n), f"{name} is served")


def established(api: Api, name: str) -> bool:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    conditions = api.ask("GET", path).body.get("status", {}).get("conditions") or []
    return any((c["type"], c["status"]) == ("Established", "True") for c in conditions)


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("choice", helm.CHOICES)
def test_the_api_server_takes_every_object(api: Api, choice: str) -> None:
    """With strict validation: no unknown field, no deprecated version, no warning."""
    api.space("initject")

    answers = {
        f"{value['kind']} {value['metadata']['name']}": api.create(value, dry_run=True)
        for value in helm.render(*helm.CHOICES[choice])
    }

    there = {201, 409}  # other tests create the definitions, too
    faults = {name: (a.code, a.message) for name, a in answers.items() if a.code not in there}
    assert {} == faults
    assert [] == [warning for answer in answers.values() for warning in answer.warnings]


@pytest.mark.parametrize("choice", ["defaults", "files-secret", "set"])
def test_our_own_pods_are_accepted_where_pods_are_restricted(api: Api, choice: str) -> None:
    """They meet the Pod Security Standard `restricted`, and their priority class exists."""
    objects = helm.render(*helm.CHOICES[choice], namespace="restricted")
    api.space("restricted", {"pod-security.kubernetes.io/enforce": "restricted"})
    api.ensure(helm.only("ServiceAccount", objects))
    made = workload.pod_of(helm.only("Deployment", objects), namespace="restricted")
    assert isinstance(made, workload.Made)

    answer = api.create(made.pod, dry_run=True)

    assert (201, "", ()) == (answer.code, answer.message, answer.warnings)
    assert 2000000000 == answer.body["spec"]["priority"]
