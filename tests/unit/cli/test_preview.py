"""`initject preview`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
import yaml

from tests.unit.cli.conftest import DEPLOYMENT, POD, POLICY, SERVICE, Ran, World

Preview = Callable[..., Ran]


def test_json(preview: Preview) -> None:
    """`-o json` has one entry per pod or template, in order, and no other object."""
    entries = preview(DEPLOYMENT, SERVICE, POD, options=("-o", "json")).json

    first, second = entries
    assert (first["kind"], first["namespace"], first["name"]) == (
        "Deployment",
        "payments",
        "checkout",
    )
    assert first["allowed"] is True
    assert [container["name"] for container in first["pod"]["spec"]["initContainers"]] == ["wait"]
    assert {operation["op"] for operation in first["patch"]} == {"add"}
    assert [reason["code"] for reason in first["reasons"]] == ["applied"]
    assert (second["kind"], second["name"], second["patch"]) == ("Pod", "other", [])
    assert second["pod"] == yaml.safe_load(POD)
    assert "message" not in first


def test_yaml(preview: Preview) -> None:
    """`-o yaml` prints every document in order, injected, with unknown fields kept."""
    ran = preview(SERVICE, DEPLOYMENT, POD, options=("-o", "yaml"))

    service, deployment, pod = yaml.safe_load_all(ran.out)
    assert service == yaml.safe_load(SERVICE)
    assert pod == yaml.safe_load(POD)
    assert deployment["spec"]["futureField"] == {"kept": True}
    template = deployment["spec"]["template"]
    assert [container["name"] for container in template["spec"]["initContainers"]] == ["wait"]
    assert set(template["metadata"]) == {"labels", "annotations"}
    assert template["metadata"]["labels"] == {"app": "checkout"}


def test_diff(preview: Preview) -> None:
    """By default a verdict and a unified diff per manifest, and a summary on standard error."""
    ran = preview(DEPLOYMENT, POD, SERVICE)

    assert "Deployment payments/checkout: injected by database\n" in ran.out
    assert "\n+      - name: wait\n" in ran.out
    assert "Pod payments/other: unchanged, no policy is for it\n" in ran.out
    assert ran.err == "1 injected, 1 unchanged, 1 other object untouched\n"


@pytest.mark.parametrize(
    ("color", "coloured"), [("always", True), ("never", False), ("auto", False)]
)
def test_colours(preview: Preview, color: str, coloured: bool) -> None:
    """Colours come with --color always, and by default only on a terminal."""
    ran = preview(DEPLOYMENT, options=("--color", color))

    assert coloured is ("\x1b[" in ran.out)


def test_a_list(preview: Preview) -> None:
    """A List is opened, and comes out as a List."""
    text = yaml.safe_dump(
        {"apiVersion": "v1", "kind": "List", "items": [*yaml.safe_load_all(DEPLOYMENT)]}
    )
    (printed,) = yaml.safe_load_all(preview(text, options=("-o", "yaml")).out)

    assert printed["kind"] == "List"
    assert "initContainers" in printed["items"][0]["spec"]["template"]["spec"]


def test_the_output_is_stable(preview: Preview, world: World) -> None:
    """Previewing what preview printed changes nothing more."""
    once = preview(DEPLOYMENT, SERVICE, options=("-o", "yaml")).out
    twice = preview(once, options=("-o", "yaml")).out

    assert once == twice


def test_without_policies(world: World) -> None:
    """Without policies there is nothing to preview: wrong usage, and how to name them."""
    ran = world.run("preview", world.write("pod.yaml", POD))

    assert (ran.status, ran.out) == (2, "")
    assert "--policies" in ran.err


def test_broken_policies(world: World) -> None:
    """With an error in the policies nothing is decided; the errors are printed."""
    policy = world.write("p.yaml", POLICY + "  order: soon\n")
    ran = world.run("preview", "--policies", policy, world.write("pod.yaml", POD))

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"{policy}:10:10: ")


def test_a_template_that_cannot_be_read(preview: Preview) -> None:
    """A workload without a readable template is a problem with its place."""
    ran = preview(DEPLOYMENT.replace("containers:\n        - name", "containers:\n          name"))

    assert ran.status == 1
    assert "0.yaml:11:" in ran.err
    assert "spec.template.spec.containers: not a list" in ran.err


def test_unknown_namespaces_are_named(preview: Preview) -> None:
    """Where labels are needed and not known, preview says so; a Namespace among the files helps."""
    options = ("--inject", "opt-in")
    namespace = """\
apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {initject.dev/inject: enabled}}
"""

    without = preview(DEPLOYMENT, options=options)
    beside = preview(DEPLOYMENT, namespace, options=options)

    assert "namespace payments: its labels are not known" in without.err
    assert "unchanged" in without.out
    assert "not known" not in beside.err
    assert "injected by database" in beside.out


def test_a_denied_pod_is_no_error(world: World) -> None:
    """A pod that would be denied is said so, with its message, and the status is 0."""
    policy = POLICY.replace("  steps:", "  onConflict: Reject\n  steps:")
    taken = DEPLOYMENT + "      initContainers: [{name: wait, image: other}]\n"
    arguments = ("--policies", world.write("p.yaml", policy), world.write("d.yaml", taken))

    (entry,) = world.run("preview", "-o", "json", *arguments).json
    ran = world.run("preview", *arguments)

    assert (entry["allowed"], entry["patch"], entry["pod"]) == (False, [], None)
    assert ran.status == 0
    assert f"denied: {entry['message']}" in ran.out


def test_standard_input_and_pipes(world: World) -> None:
    """`-` is standard input, and what a shell makes of `<(command)` is read like a file."""
    policy = world.write("p.yaml", POLICY)
    script = f"{sys.executable} -m webhook preview --policies <(cat {policy}) -o json -"
    ran = subprocess.run(
        ["bash", "-c", script], input=DEPLOYMENT, capture_output=True, text=True, check=True
    )

    (entry,) = json.loads(ran.stdout)
    assert entry["reasons"][0]["policy"] == "database"


def test_problems_in_standard_input(world: World) -> None:
    """A problem in what came through standard input is named so."""
    command = [sys.executable, "-m", "webhook", "check", "-"]
    ran = subprocess.run(command, input=b"kind: \xff", capture_output=True)

    assert ran.stdout.startswith(b"<stdin>:1:7: is no UTF-8 text; save it as UTF-8\n")
    assert ran.returncode == 1
