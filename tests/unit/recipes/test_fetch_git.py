"""How a folder of a repository is fetched: what git-sync and the copy are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.recipes.fetching import container, render, said, words
from webhook.recipes.defaults import Defaults
from webhook.recipes.rendered import Rendered
from webhook.runner.fetch import orders

HELD = {"secret": {"name": "git", "key": "token"}}
PUBLIC = {"url": "https://git.example.com/team/settings.git"}
SSH = {
    "url": "ssh://git@git.example.com:2222/team/settings.git",
    "ssh": {"key": HELD, "knownHosts": {"configMap": {"name": "hosts", "key": "known_hosts"}}},
}


def git(written: dict[str, Any], **more: Any) -> Rendered:
    return render({"git": written}, **more)


def test_a_repository_is_cloned_once_and_copied() -> None:
    """Without its history, by the tool's own image, to a room that the application never sees."""
    found = git(PUBLIC)

    assert ["files", "files-copy"] == [step["name"] for step in found.steps]
    one = container(found)
    assert (Defaults().tool("git-sync"), ["/git-sync"]) == (one["image"], one["command"])
    assert one["args"] == [
        "--repo=https://git.example.com/team/settings.git",
        "--root=/run/initject/files-room/git",
        "--link=tree",
        "--depth=1",
        "--one-time",
        "--submodules=off",
        "--sync-timeout=5m",
    ]
    seen = {volume["name"]: "mountInto" in volume for volume in found.volumes}
    assert {"files": True, "files-room": False, "files-tmp": False} == seen
    assert [] == list(found.findings)


def test_the_copy_has_no_metadata_of_git_and_is_bounded() -> None:
    """From the folder that is asked for; the room is read only."""
    found = git({**PUBLIC, "path": "conf/app"}, sizeLimit="8Mi", mode="0400", user=1000)

    assert words(found, "files-copy") == [
        "copy",
        "from=/run/initject/files-room/git/tree",
        "path=conf/app",
        "without=.git",
        "to=/run/initject/files",
        "replace=true",
        "some=true",
        "max-size=8Mi",
        "max-entries=1000000",
        "mode=0400",
        "dir-mode=0700",
    ]
    orders.read(words(found, "files-copy"), 1.0)
    copy = container(found, "files-copy")
    assert {"runAsUser": 1000} == copy["securityContext"]
    room = {"name": "files-room", "mountPath": "/run/initject/files-room", "readOnly": True}
    assert room in copy["volumeMounts"]
    assert {"8Mi"} == {volume["emptyDir"]["sizeLimit"] for volume in found.volumes[:2]}


def test_a_token_and_a_ca_come_by_reference() -> None:
    """As files: the command line of a process is seen by all of its node's administrators."""
    login = {"user": "x", "password": HELD}
    found = git({**PUBLIC, "login": login, "ca": {"configMap": {"name": "ca", "key": "pem"}}})

    one = container(found)
    assert ["--username=x", "--password-file=/run/initject/files-password/value"] == one["args"][
        -2:
    ]
    assert {"name": "GIT_SSL_CAINFO", "value": "/run/initject/files-ca/value"} in one["env"]
    assert {"files-password", "files-ca"} < {mount["name"] for mount in one["volumeMounts"]}
    assert ["files-password", "files-ca"] == [volume["name"] for volume in found.volumes[-2:]]


def test_over_ssh_the_host_is_known_and_the_user_has_a_name() -> None:
    """The image's own user: ssh refuses one who is not in /etc/passwd."""
    found = git({**SSH, "ref": "refs/tags/${parameters.version}", "submodules": True})

    one = container(found)
    assert {
        "--ref=refs/tags/${parameters.version}",
        "--submodules=recursive",
        "--ssh-key-file=/run/initject/files-key/value",
        "--ssh-known-hosts-file=/run/initject/files-hosts/value",
    } < set(one["args"])
    assert {"runAsUser": 65533, "runAsGroup": 65533} == one["securityContext"]
    assert [] == list(found.findings)


@pytest.mark.parametrize(
    ("written", "more", "where", "what"),
    [
        ({"url": "git@github.com:a/b"}, {}, "url", "must be a URL"),
        ({"url": "git://a/b"}, {}, "url", "is of the scheme git, not https, http, ssh"),
        ({"url": "https://${parameters.host}/b"}, {}, "url", "has a template in its host"),
        ({"url": "https://a${parameters.rest}"}, {}, "url", "has a template in its host"),
        ({"url": "https://a:${parameters.port}/b"}, {}, "url", "has a template in its host"),
        ({"url": "https://me:pw@a/b"}, {}, "url", "has a user; leave it out"),
        ({"url": "https://a/"}, {}, "url", "names no repository"),
        ({"ref": "${parameters.ref}"}, {}, "ref", "must not begin with a template or '-'"),
        ({"ref": "$(REF)"}, {}, "ref", "must not begin with a template or '-'"),
        ({"ref": "--upload-pack=x"}, {}, "ref", "must not begin with a template or '-'"),
        ({"url": "ssh://git@a/b"}, {}, "ssh", "is missing: nothing else logs in there"),
        ({"ssh": SSH["ssh"]}, {}, "ssh", "is for ssh://, and the repository is at https://"),
        ({"url": "http://a/b", "ca": HELD}, {}, "ca", "is for https://, and the repository is at"),
        (
            {"url": "http://a/b", "login": {"user": "x", "password": HELD}},
            {},
            "login",
            "is for https://, and the repository is at http://",
        ),
        ({}, {"beside": {"exit_code": 3}}, "", "is brought by a tool of its own, to which exitC"),
    ],
)
def test_what_cannot_be_cloned_is_refused(
    written: dict[str, Any], more: dict[str, Any], where: str, what: str
) -> None:
    """At the field that has to be mended."""
    found = said({"git": {**PUBLIC, **written}}, **more)

    assert [f"from.git.{where}".rstrip(".")] == list(found)
    assert next(iter(found.values())).startswith(what)
