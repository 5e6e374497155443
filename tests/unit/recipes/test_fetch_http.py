"""How a file of a server is fetched: the words for the runner, and what is wrong."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.recipes import fetching
from tests.unit.recipes.fetching import container, render, said, words
from webhook.errors import UsageError
from webhook.recipes.rendered import Rendered
from webhook.runner.fetch import orders

SUM = "0123456789abcdef" * 4
FILE = {"url": "https://config.internal:8443/app.yaml?v=2", "sha256": SUM}
TREE = {"url": "http://files/app.tgz", "unverified": True, "unpack": "tar"}


def http(written: dict[str, Any], **more: Any) -> Rendered:
    return render({"http": written}, **more)


def test_a_url_is_handed_on_in_parts() -> None:
    """So that what fills one of them stays in it."""
    assert words(http(FILE)) == [
        "https",
        "host=config.internal",
        "port=8443",
        "path=/app.yaml",
        "query=v=2",
        "to=/run/initject/files/",
        f"sha256={SUM}",
        "max-size=256Mi",
    ]


def test_the_file_lies_in_a_volume_that_the_application_reads() -> None:
    """Of the step's name, bounded, and writable by the step alone."""
    found = http(FILE, sizeLimit="8Mi", into=["app", "log-*"])

    assert found.volumes == (
        {
            "name": "files",
            "emptyDir": {"sizeLimit": "8Mi"},
            "mountInto": [
                {"containers": ["app", "log-*"], "mountPath": "/etc/app", "readOnly": True}
            ],
        },
    )
    assert [{"name": "files", "mountPath": "/run/initject/files"}] == container(found)[
        "volumeMounts"
    ]
    assert "max-size=8Mi" in words(found)


def test_without_a_place_only_later_steps_see_it() -> None:
    """By the name of the step."""
    found = http(FILE, to="/x").volumes, http(FILE, to=None).volumes

    assert ["mountInto" in volume for (volume,) in found] == [True, False]
    assert {"into": "says who sees the files, but not where"} == said(
        {"http": FILE}, to=None, into=["app"]
    )


def test_an_archive_is_unpacked_within_the_size_of_the_volume() -> None:
    """In place of what an earlier run has left."""
    found = http({**TREE, "strip": 1, "maxSize": "1Mi"}, sizeLimit="8Mi", medium="Memory")

    assert words(found)[-5:] == [
        "max-size=1Mi",
        "unpack=tar",
        "max-unpacked=8Mi",
        "replace=true",
        "strip=1",
    ]
    assert {"medium": "Memory", "sizeLimit": "8Mi"} == found.volumes[0]["emptyDir"]


def test_secret_headers_and_a_ca_come_by_reference() -> None:
    """In the order of their names: the API server keeps no order of a map's keys."""
    key = {"name": "token", "key": "value"}
    headers = {"X-Team": {"configMap": key}, "Authorization": {"secret": key}}
    found = http({**FILE, "headers": headers, "ca": {"configMap": {"name": "ca", "key": "pem"}}})

    assert {
        "header-env=Authorization:HEADER_0",
        "header-env=X-Team:HEADER_1",
        "ca=/run/initject/files-ca/value",
    } < set(words(found))
    assert [
        {"name": "HEADER_0", "valueFrom": {"secretKeyRef": key}},
        {"name": "HEADER_1", "valueFrom": {"configMapKeyRef": key}},
    ] == container(found)["env"]
    assert ["files", "files-ca"] == [volume["name"] for volume in found.volumes]


@pytest.mark.parametrize(
    ("mode", "folders"),
    [("0600", "0700"), ("0640", "0750"), ("0444", "0755"), ("644", "0755"), ("0440", "0750")],
)
def test_who_may_read_the_files_may_enter_their_folders(mode: str, folders: str) -> None:
    """And only they, and their owner."""
    assert [f"mode={mode}", f"dir-mode={folders}"] == words(http(FILE, mode=mode))[-2:]


def test_the_step_runs_as_who_owns_the_files() -> None:
    """There is no other way to give a file away without a capability."""
    assert {"runAsUser": 0, "runAsGroup": 2000} == container(http(FILE, user=0, group=2000))[
        "securityContext"
    ]
    assert "securityContext" not in container(http(FILE))


def test_the_time_and_the_status_are_the_steps() -> None:
    """By default as `initject fetch` has them."""
    beside = {"timeout": "9s", "exit_code": 7}

    assert ["--timeout=9s", "--exit-code=7"] == container(http(FILE, beside=beside))["args"][:2]
    assert ["--timeout=5m", "--exit-code=210"] == container(http(FILE))["args"][:2]


@pytest.mark.parametrize(
    "written",
    [
        FILE,
        {**FILE, "file": "settings.yaml", "redirects": "any", "maxSize": "1G"},
        {**TREE, "strip": 2, "redirects": "none"},
        {**TREE, "unpack": "zip"},
        {
            "url": "http://files/a",
            "minisign": "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        },
    ],
)
@pytest.mark.parametrize("fields", [{}, {"mode": "0400", "sizeLimit": "5Gi"}])
def test_the_runner_knows_what_it_is_told(written: dict[str, Any], fields: dict[str, Any]) -> None:
    """Every word of it."""
    orders.read(words(http(written, **fields)), 1.0)


def test_the_runner_refuses_a_host_that_is_none() -> None:
    """Whatever fills the host cannot go on with a path, a user or a port."""
    given = words(http({**FILE, "url": "http://${parameters.host}/x"}))
    filled = [word.replace("${parameters.host}", "evil/x@y:1") for word in given]

    with pytest.raises(UsageError, match="host 'evil/x@y:1' is none"):
        orders.read(filled, 1.0)


@pytest.mark.parametrize(
    ("written", "where", "what"),
    [
        ({"sha256": None}, "from.http", "has none of sha256, minisign and unverified"),
        ({"unverified": True}, "from.http", "has 2 of sha256, minisign and unverified"),
        ({"url": "ftp://a/b"}, "from.http.url", "is of the scheme ftp, not http or https"),
        ({"url": "a/b"}, "from.http.url", "must be a URL"),
        ({"url": "http://me:pw@a/b"}, "from.http.url", "has a user; leave it out"),
        ({"strip": 1}, "from.http.strip", "is for archives"),
        ({"unpack": "tar", "strip": -1}, "from.http.strip", "must be at least 0"),
        ({"unpack": "zip", "file": "x"}, "from.http.file", "is for what is not unpacked"),
    ],
)
def test_what_cannot_be_fetched_is_refused(written: dict[str, Any], where: str, what: str) -> None:
    """At the field that has to be mended."""
    whole = {key: value for key, value in {**FILE, **written}.items() if value is not None}
    found = said({"http": whole})

    assert [where] == list(found)
    assert found[where].startswith(what)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({"from": {}}, "from: is empty, not exactly one of http, "),
        ({"from": {"http": FILE, "secret": {"name": "a"}}}, "from: has 2 of its fields"),
        ({"to": "etc/app"}, "to: 'etc/app' must be an absolute path"),
        ({"to": "/etc/${object.metadata.name}"}, "to: '/etc/${object.metadata.name}' must be"),
        ({"into": ["${parameters.name}"]}, "into.0: '${parameters.name}' must be the name of a c"),
        ({"mode": "0200"}, "mode: '0200' must be such as 0640"),
        ({"mode": 420}, "mode: must be a string, not the number 420"),
        ({"sizeLimit": "1.5Gi"}, "sizeLimit: '1.5Gi' must be a size such as 64Mi"),
        ({"sizeLimit": "0"}, "sizeLimit: '0' must be a size"),
        ({"medium": "memory"}, "medium: 'memory' is not allowed here"),
        ({"from": {"http": {**FILE, "sha256": "abc"}}}, "from.http.sha256: 'abc' must be the 64"),
    ],
)
def test_a_field_of_a_wrong_form_is_refused(written: dict[str, Any], told: str) -> None:
    """What volumes cannot have is told before any pod asks."""
    (found,) = fetching.refused({"from": {"http": FILE}, "to": "/etc/app", **written})

    assert found.startswith(told)


@given(st.text(st.one_of(st.sampled_from("/@:?#&=%.\\ \n'\"$"), st.characters(codec="utf-8"))))
def test_whatever_fills_a_path_the_host_stays(text: str) -> None:
    """And the volume in which the file ends; or the runner refuses it."""
    written = {**FILE, "url": "https://config.internal:8443/${x}?v=${x}", "file": "${x}"}
    filled = [word.replace("${x}", text) for word in words(http(written))]

    try:
        order = orders.read(filled, 1.0)
    except UsageError:
        return
    assert order.name.startswith("https://config.internal:8443/")
    (to,) = (word for word in filled if word.startswith("to="))
    assert os.path.normpath(to[3:]).startswith("/run/initject/files")
