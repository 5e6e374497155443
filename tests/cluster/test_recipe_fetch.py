"""Files that policies fetch, on a node: from servers, repositories, stores, registries, objects."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import images, nodes
from tests.cluster.api import Json
from tests.cluster.nodes import Node
from tests.cluster.programs import Images
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers import files as fileserver
from tests.cluster.servers import objects as objectstore
from tests.cluster.servers import sftp as sftpserver
from tests.cluster.servers import sshkeys
from tests.cluster.servers.files import Files
from tests.cluster.servers.objects import Bucket
from tests.cluster.servers.sftp import Folder
from tests.cluster.test_running import ended, pod, policy, run, states
from tests.runner.archives import link, tar
from webhook import testing
from webhook.policy import load
from webhook.recipes import defaults
from webhook.recipes.defaults import Defaults

COLOUR = b"colour: green\n"
TREE = tar([("app-1/a", "first"), ("app-1/d/b", "second"), link("app-1/l", "a")])
LIST = "cd /etc/app; for one in $(find . | sort); do stat -c '%n %a %u' $one; done"


def fetch(source: Json, **fields: Any) -> Json:
    """A step that fetches, for the application's /etc/app."""
    beside: Json = {key: fields.pop(key) for key in ("timeout", "exitCode") if key in fields}
    return {"name": "files", "fetch": {"from": source, "to": "/etc/app", **fields}, **beside}


def fetched(
    installed: Release, space: str, step: Json, script: str, *, user: int = 1000, **more: Any
) -> Node:
    """Create a pod whose application runs a script as a user, behind a step."""
    wanted = pod(space, script, **more)
    wanted["spec"]["containers"][0]["securityContext"] = {"runAsUser": user, "runAsGroup": user}
    return run(installed, space, [policy(space, "files", step, volumes=[])], wanted)


def held(installed: Release, space: str, kind: str, name: str, **data: str) -> None:
    """A Secret or a ConfigMap in the namespace."""
    field = "stringData" if kind == "Secret" else "data"
    metadata = {"name": name, "namespace": space}
    installed.node.api.ensure({"apiVersion": "v1", "kind": kind, "metadata": metadata, field: data})


def known(installed: Release, space: str, server: Files) -> Json:
    """What a step must know to ask a server that wants to be asked well: CA, login, header."""
    held(installed, space, "ConfigMap", "files-ca", pem=server.ca)
    held(
        installed,
        space,
        "Secret",
        "files-login",
        header=fileserver.AUTHORIZATION,
        password=fileserver.PASSWORD,
    )
    key = {"secret": {"name": "files-login", "key": "password"}}
    return {
        "ca": {"configMap": {"name": "files-ca", "key": "pem"}},
        "login": {"user": fileserver.USER, "password": key},
        "header": {"secret": {"name": "files-login", "key": "header"}},
    }


def lines(node: Node, space: str) -> list[str]:
    """What the application has printed, once it has ended."""
    node.reach(space, "web", nodes.succeeded, seconds=90)
    return node.log(space, "web", "app").splitlines()


def again(node: Node, space: str) -> None:
    """Let the pod's steps run once more, as when a node starts anew."""
    node.begin_again(space, "web")
    node.reach(
        space,
        "web",
        lambda one: states(one)["app"]["restartCount"] == 1 and nodes.ready(one),
        seconds=90,
    )


def prints(node: Node, space: str, *wanted: str) -> None:
    """Return when the application, which goes on running, has printed these lines."""
    node.reach(space, "web", nodes.ready, seconds=90)
    until(
        lambda: list(wanted) == node.log(space, "web", "app").splitlines(),
        f"it prints {wanted}",
        seconds=20,
    )


def end(one: Json, container: str) -> Json:
    """How a container ended."""
    found: Json = states(one)[container]["state"]["terminated"]
    return found


def test_a_file_of_a_server_is_proven_and_the_applications(
    installed: Release, space: str, files: Files
) -> None:
    """With a secret header, by a CA of the company's; its user alone may read it, nobody write."""
    files.start()
    ask = known(installed, space, files)
    source = {
        "url": f"https://{files.named(space)}/app.yaml",
        "sha256": files.put("app.yaml", COLOUR),
        "headers": {"Authorization": ask["header"]},
        "ca": ask["ca"],
    }

    node = fetched(
        installed,
        space,
        fetch({"http": source}, mode="0400", user=1000),
        "cd /etc/app; stat -c '%a %u' app.yaml; cat app.yaml; touch x 2> /dev/null || echo no",
    )

    assert ["400 1000", "colour: green", "no"] == lines(node, space)
    said = end(node.pod(space, "web"), "files")["message"]
    assert "sha256 verified, to /run/initject/files/app.yaml" in said


def test_a_file_that_is_another_never_reaches_the_application(
    installed: Release, space: str, files: Files
) -> None:
    """The pod fails, and says why."""
    files.plain()
    files.put("app.yaml", COLOUR)
    source = {"url": f"http://{files.named(space)}/app.yaml", "sha256": "0" * 64}

    node = fetched(installed, space, fetch({"http": source}), "true")
    done = node.reach(space, "web", ended)

    assert "Failed" == done["status"]["phase"]
    assert "the checksum is wrong" in end(done, "files")["message"]
    assert "terminated" not in states(done)["app"]["state"]


def test_what_does_not_come_in_time_ends_with_a_status_of_its_own(
    installed: Release, space: str
) -> None:
    """Nobody listens there."""
    source = {"url": "http://198.18.0.1:9/app.yaml", "unverified": True}

    node = fetched(installed, space, fetch({"http": source}, timeout="2s", exitCode=75), "true")
    done = node.reach(space, "web", ended)

    assert 75 == end(done, "files")["exitCode"]
    assert "gave up" in end(done, "files")["message"]


def test_an_archive_is_unpacked_and_unpacked_again(
    installed: Release, space: str, files: Files
) -> None:
    """A pod whose node starts anew runs its steps again: then what is newest is there, alone."""
    files.plain()
    files.put("app.tar", TREE)
    source = {
        "url": f"http://{files.named(space)}/app.tar",
        "unverified": True,
        "unpack": "tar",
        "strip": 1,
    }
    script = "cd /etc/app; grep -H . $(find . -type f -o -type l | sort); sleep 3600"

    node = fetched(installed, space, fetch({"http": source}), script, restart="Always")
    prints(node, space, "./a:first", "./d/b:second", "./l:first")
    files.put("app.tar", tar([("app-2/a", "newer")]))
    again(node, space)
    prints(node, space, "./a:newer")


def test_memory_that_is_full_is_told(installed: Release, space: str, files: Files) -> None:
    """The step fails before anything else is hurt."""
    files.plain()
    files.put("model", b"x" * 3_000_000)
    source = {
        "url": f"http://{files.named(space)}/model",
        "unverified": True,
        "maxSize": "4Mi",
    }

    step = fetch({"http": source}, medium="Memory", sizeLimit="1Mi")
    node = fetched(installed, space, step, "true")
    done = node.reach(space, "web", ended)

    said = end(done, "files")["message"]
    assert "the volume of /run/initject/files/model is full, after " in said


def test_objects_of_the_namespace_are_mounted(installed: Release, space: str) -> None:
    """Without any init container."""
    held(installed, space, "ConfigMap", "settings", colour="green")
    held(installed, space, "Secret", "token", word="correct-horse")
    steps = [
        {"name": "one", "fetch": {"from": {"configMap": {"name": "settings"}}, "to": "/one"}},
        {"name": "two", "fetch": {"from": {"secret": {"name": "token"}}, "to": "/two"}},
    ]

    node = run(
        installed,
        space,
        [policy(space, "files", *steps, volumes=[])],
        pod(space, "grep . /one/colour /two/word"),
    )

    assert ["/one/colour:green", "/two/word:correct-horse"] == lines(node, space)
    assert [] == node.pod(space, "web")["spec"].get("initContainers", [])


def test_a_secret_is_copied_for_its_owner(installed: Release, space: str) -> None:
    """Who alone may read it, as a key for ssh must be; another container of the pod may not."""
    held(installed, space, "Secret", "key", id="private")
    step = fetch({"secret": {"name": "key"}}, mode="0400", user=1000, group=1000)

    node = fetched(installed, space, step, "stat -c '%a %u %g' /etc/app/id; cat /etc/app/id")
    first = lines(node, space)
    node.api.ask("DELETE", f"/api/v1/namespaces/{space}/pods/web")
    until(lambda: [] == node.pods(space), "the pod is gone", seconds=30)
    other = pod(space, "cat /etc/app/id 2> /dev/null || echo no")
    other["spec"]["containers"][0]["securityContext"] = {"runAsUser": 1001}
    assert 201 == node.api.create(other).code

    assert ["400 1000 1000", "private"] == first
    assert ["no"] == lines(node, space)


def test_the_group_of_the_pod_may_read(installed: Release, space: str) -> None:
    """With an fsGroup no user has to be named."""
    held(installed, space, "ConfigMap", "settings", colour="green")
    step = fetch({"configMap": {"name": "settings"}}, mode="0440")

    node = fetched(
        installed,
        space,
        step,
        "stat -c '%a %g' /etc/app/colour; cat /etc/app/colour",
        securityContext={"fsGroup": 3000},
    )

    assert ["440 3000", "green"] == lines(node, space)


def test_a_folder_of_a_repository_is_fetched(
    installed: Release, space: str, files: Files, tool: Images
) -> None:
    """At the tag, with a login, from who has the company's certificate; nothing of git comes."""
    tool("git-sync", defaults.TOOLS["git-sync"])
    files.repository("shop", {"conf/a": "first\n", "conf/d/b": "second\n", "other": ""}, "v1")
    files.start()
    ask = known(installed, space, files)
    source = {
        "url": f"https://{files.named(space)}/git/shop.git",
        "ref": "refs/tags/v1",
        "path": "conf",
        "login": ask["login"],
        "ca": ask["ca"],
    }

    step = fetch({"git": source}, mode="0400", user=1000)
    node = fetched(installed, space, step, f"{LIST}; cat a d/b")

    assert [
        ". 777 0",
        "./a 400 1000",
        "./d 700 1000",
        "./d/b 400 1000",
        "first",
        "second",
    ] == lines(node, space)


def test_a_repository_that_is_not_there_is_told(
    installed: Release, space: str, files: Files, tool: Images
) -> None:
    """By git's own last words."""
    tool("git-sync", defaults.TOOLS["git-sync"])
    files.repository("shop", {"a": ""}, "v1")
    files.plain()
    source = {"url": f"http://{files.named(space)}/git/shop.git", "ref": "refs/tags/v2"}

    node = fetched(installed, space, fetch({"git": source}), "true")
    done = node.reach(space, "web", ended)

    assert "Failed" == done["status"]["phase"]
    assert "v2" in end(done, "files")["message"]


def s3(installed: Release, space: str, bucket: Bucket, **more: Any) -> Json:
    """A source that is a bucket, with its keys in a Secret."""
    held(installed, space, "Secret", "store", id=objectstore.ACCESS, secret=objectstore.SECRET)
    keys = {
        "access": {"secret": {"name": "store", "key": "id"}},
        "secret": {"secret": {"name": "store", "key": "secret"}},
    }
    endpoint = bucket.named(space)
    return {"objects": {"s3": {"bucket": bucket.name, "endpoint": endpoint, "keys": keys, **more}}}


def test_objects_of_a_bucket_come_and_come_again(
    installed: Release, space: str, bucket: Bucket, tool: Images
) -> None:
    """A second run brings what is newest, alone."""
    tool("rclone", defaults.TOOLS["rclone"])
    (bucket.folder / "v1" / "d").mkdir(parents=True)
    (bucket.folder / "v1" / "a").write_text("first")
    (bucket.folder / "v1" / "d" / "b").write_text("second")
    bucket.start()
    source = s3(installed, space, bucket, path="v1")
    script = "cd /etc/app; grep -H . $(find . -type f | sort); sleep 3600"

    step = fetch(source, mode="0400", user=1000)
    node = fetched(installed, space, step, script, restart="Always")
    prints(node, space, "./a:first", "./d/b:second")
    (bucket.folder / "v1" / "d" / "b").unlink()
    again(node, space)
    prints(node, space, "./a:first")


@pytest.mark.parametrize("path", ["nothing", "model"])
def test_a_bucket_without_it_or_with_too_much_fails(
    installed: Release, space: str, bucket: Bucket, tool: Images, path: str
) -> None:
    """The application never starts with a part."""
    tool("rclone", defaults.TOOLS["rclone"])
    (bucket.folder / "model").write_bytes(b"x" * 3_000_000)
    bucket.start()

    step = fetch(s3(installed, space, bucket, path=path), sizeLimit="1Mi")
    node = fetched(installed, space, step, "true")
    done = node.reach(space, "web", ended)

    assert "Failed" == done["status"]["phase"]
    assert 0 != end(done, "files")["exitCode"]


def over_sftp(installed: Release, space: str, server: Folder, known: str) -> Json:
    """A source that is a folder of an SFTP server, whose host has these keys."""
    held(installed, space, "Secret", "sftp", key=server.key)
    held(installed, space, "ConfigMap", "sftp-hosts", known=known)
    return {
        "objects": {
            "sftp": {
                "host": server.named(space),
                "port": sftpserver.PORT,
                "user": sftpserver.USER,
                "path": "v1",
                "key": {"secret": {"name": "sftp", "key": "key"}},
                "knownHosts": {"configMap": {"name": "sftp-hosts", "key": "known"}},
            }
        }
    }


def test_a_folder_comes_over_sftp(
    installed: Release, space: str, sftp: Folder, tool: Images
) -> None:
    """With a key, from a host that is known."""
    tool("rclone", defaults.TOOLS["rclone"])
    (sftp.folder / "v1").mkdir()
    (sftp.folder / "v1" / "a").write_text("first\n")
    sftp.start()

    step = fetch(over_sftp(installed, space, sftp, sftp.known))
    node = fetched(installed, space, step, "cat /etc/app/a")

    assert ["first"] == lines(node, space)


def test_a_host_that_is_another_is_not_asked(
    installed: Release, space: str, sftp: Folder, tool: Images
) -> None:
    """Its key is not the one that is known."""
    tool("rclone", defaults.TOOLS["rclone"])
    (sftp.folder / "v1").mkdir()
    (sftp.folder / "v1" / "a").write_text("first\n")
    sftp.start()
    host = sftp.known.partition(" ")[0]
    known = f"{host} {sshkeys.public(sshkeys.new())}\n"

    node = fetched(installed, space, fetch(over_sftp(installed, space, sftp, known)), "true")
    done = node.reach(space, "web", ended)

    assert "Failed" == done["status"]["phase"]
    assert "knownhosts: key mismatch" in end(done, "files")["message"]


def test_an_artifact_is_pulled(installed: Release, space: str, files: Files, tool: Images) -> None:
    """Each layer under its title."""
    tool("oras", defaults.TOOLS["oras"])
    files.artifact("shop/model", "v1", {"a": b"first\n", "d/b": b"second\n"})
    files.plain()
    reference = f"{files.named(space)}/shop/model:v1"

    step = fetch({"oci": {"reference": reference, "plainHttp": True}}, mode="0444", user=1000)
    node = fetched(installed, space, step, "cat /etc/app/a /etc/app/d/b")

    assert ["first", "second"] == lines(node, space)


def test_an_artifact_without_files_fails(
    installed: Release, space: str, files: Files, tool: Images
) -> None:
    """oras leaves out what has no title, and says that all is well."""
    tool("oras", defaults.TOOLS["oras"])
    files.artifact("shop/model", "v1", {})
    files.plain()
    reference = f"{files.named(space)}/shop/model:v1"

    step = fetch({"oci": {"reference": reference, "plainHttp": True}})
    node = fetched(installed, space, step, "true")
    done = node.reach(space, "web", ended)

    assert "has no file in it" in end(done, "files-copy")["message"]


@pytest.mark.parametrize("fields", [{}, {"mode": "0400", "user": 1000}], ids=["mounted", "copied"])
def test_what_the_kubelet_mounts_of_a_registry_is_seen(node: Node, fields: Json) -> None:
    """Where a cluster has image volumes; the pod is what `decide` makes of it."""
    with node.space({}) as space:
        one = policy(
            space, "files", fetch({"oci": {"reference": images.TOOLS}}, **fields), volumes=[]
        )
        policies = load.one(one, Defaults(image_volumes=True)).policies
        wanted = pod(space, "ls -l /etc/app/bin/busybox")
        wanted["spec"]["containers"][0]["securityContext"] = {"runAsUser": 1000}
        decision = testing.admit(policies, wanted)
        answer = node.api.create(dict(decision.pod or {}))
        assert 201 == answer.code, answer.message

        assert lines(node, space)[0].endswith("/etc/app/bin/busybox")
