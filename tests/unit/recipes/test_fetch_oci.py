"""How an artifact of a registry is fetched: by the kubelet or by oras, and what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.recipes import fetching
from tests.unit.recipes.fetching import container, render, said, words
from webhook.recipes.defaults import Defaults
from webhook.runner.fetch import orders

NAME = "registry.example.com:5000/team/models:v1"
HELD = {"secret": {"name": "registry", "key": ".dockerconfigjson"}}
VOLUMES = Defaults(image_volumes=True)


def test_an_artifact_is_pulled_and_copied() -> None:
    """With the login and the CA that are held."""
    written = {"reference": NAME, "login": HELD, "ca": HELD, "plainHttp": True}
    found = render({"oci": written}, user=1000)

    one = container(found)
    assert (Defaults().tool("oras"), ["oras"]) == (one["image"], one["command"])
    assert one["args"] == [
        "pull",
        "--no-tty",
        "--output=/run/initject/files-room",
        "--registry-config=/run/initject/files-login/value",
        "--ca-file=/run/initject/files-ca/value",
        "--plain-http",
        NAME,
    ]
    assert {"runAsUser": 1000} == one["securityContext"]
    copied = words(found, "files-copy")
    assert "some=true" in copied
    orders.read(copied, 1.0)
    assert ["files-login", "files-ca"] == [volume["name"] for volume in found.volumes[-2:]]


def test_where_the_kubelet_mounts_artifacts_no_step_is_needed() -> None:
    """What says something to oras only is no fault there: clusters may differ."""
    found = render(
        {"oci": {"reference": NAME}}, defaults=VOLUMES, sizeLimit="1Gi", beside={"timeout": "1m"}
    )

    assert ((), ()) == (found.steps, found.findings)
    assert {"reference": NAME} == found.volumes[0]["image"]
    assert "mountInto" in found.volumes[0]


def test_a_copy_of_what_the_kubelet_mounts_needs_no_tool() -> None:
    """For who asks for mode or owner."""
    found = render({"oci": {"reference": NAME}}, defaults=VOLUMES, mode="0400")

    assert "copy" == words(found)[0]
    assert {"name": "files-source", "image": {"reference": NAME}} == found.volumes[0]


@pytest.mark.parametrize("written", [{"login": HELD}, {"ca": HELD}, {"plainHttp": True}])
def test_what_the_kubelet_cannot_be_told_is_told_to_oras(written: dict[str, Any]) -> None:
    """On every cluster."""
    found = render({"oci": {"reference": NAME, **written}}, defaults=VOLUMES)

    assert ["oras"] == container(found)["command"]


def test_what_the_application_may_write_is_pulled() -> None:
    """The kubelet's volume is read-only."""
    found = render({"oci": {"reference": NAME}}, defaults=VOLUMES, readOnly=False)

    assert ["oras"] == container(found)["command"]


@pytest.mark.parametrize(
    "reference",
    ["models", "${parameters.image}", "registry.example.com/m:${parameters.tag}", "--x"],
)
def test_a_reference_is_written_out(reference: str) -> None:
    """With its registry, and without a template: it may become a volume, which has none."""
    (found,) = fetching.refused({"from": {"oci": {"reference": reference}}, "to": "/x"})

    assert found.startswith(f"from.oci.reference: '{reference}' must be registry/name:tag")


@pytest.mark.parametrize(("beside", "field"), [({"timeout": "1m"}, "timeout"),
                                               ({"exit_code": 3}, "exitCode")])  # fmt: skip
def test_what_oras_cannot_be_told_is_refused(beside: dict[str, Any], field: str) -> None:
    """It has no deadline, and a status of its own."""
    found = said({"oci": {"reference": NAME}}, beside=beside)

    assert {"from.oci": f"is brought by a tool of its own, to which {field} says nothing"} == found
