"""Files of git repositories that policies fetch over SSH, on a node."""

from __future__ import annotations

import dataclasses

import pytest

from tests.cluster.api import Json
from tests.cluster.programs import Images
from tests.cluster.release import Release
from tests.cluster.servers import sshkeys
from tests.cluster.servers.ssh import NAME, Repositories
from tests.cluster.test_recipe_fetch import end, fetch, fetched, held, lines
from tests.cluster.test_running import ended, states
from webhook.recipes import defaults

FILES = {"conf/a": "first\n", "conf/d/b": "second\n", "other": ""}


def source(installed: Release, space: str, server: Repositories, tool: Images) -> Json:
    """A folder of a repository at a tag; key and known hosts are in a Secret and a ConfigMap."""
    tool("git-sync", defaults.TOOLS["git-sync"])
    held(installed, space, "Secret", "deploy", key=server.key)
    held(installed, space, "ConfigMap", "hosts", known=server.known)
    return {
        "git": {
            "url": server.url(space, "shop"),
            "ref": "refs/tags/v1",
            "path": "conf",
            "ssh": {
                "key": {"secret": {"name": "deploy", "key": "key"}},
                "knownHosts": {"configMap": {"name": "hosts", "key": "known"}},
            },
        }
    }


def test_a_folder_of_a_repository_comes_over_ssh(
    installed: Release, space: str, ssh: Repositories, tool: Images
) -> None:
    """With a key, from a host that is known; the files are the application's alone."""
    ssh.repository("shop", FILES, "v1")
    ssh.start()

    step = fetch(source(installed, space, ssh, tool), mode="0400", user=1000)
    script = "cd /etc/app; stat -c '%a %u' a d/b; cat a d/b; ls -A; touch a 2> /dev/null || echo no"
    node = fetched(installed, space, step, script)

    assert ["400 1000", "400 1000", "first", "second", "a", "d", "no"] == lines(node, space)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [("known", "Host key verification failed"), ("key", "Permission denied (publickey)")],
)
def test_nothing_comes_over_ssh_when_either_side_is_another(
    installed: Release, space: str, ssh: Repositories, tool: Images, wrong: str, said: str
) -> None:
    """The host has not the key that is known, or we have not the key that it wants."""
    ssh.repository("shop", FILES, "v1")
    ssh.start()
    other = sshkeys.new()
    words = {"known": f"{NAME} {sshkeys.public(other)}\n", "key": sshkeys.private(other)}
    told = dataclasses.replace(ssh, **{wrong: words[wrong]})

    node = fetched(installed, space, fetch(source(installed, space, told, tool)), "true")
    done = node.reach(space, "web", ended)

    assert "Failed" == done["status"]["phase"]
    assert said in node.log(space, "web", "files")
    assert said in end(done, "files")["message"]
    assert {"waiting"} == set(states(done)["app"]["state"])
