"""Migrations that an application in Python brings along: Alembic and Django, in its own image.

Neither takes a lock: with several replicas a Job migrates, as the page about it shows.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests import needs
from tests.cluster import nodes, reader
from tests.cluster.api import Json
from tests.cluster.images import TOOLS
from tests.cluster.migrating import cups, running, state, waiting
from tests.cluster.registration import until
from tests.cluster.release import Release
from tests.cluster.servers.database import Database
from tests.cluster.test_running import pod, policy, run
from tests.podman import Podman

PAGE = "docs/how-to/migrate-a-database.md"
PACKAGES = needs.CACHE / "recipes" / "python"
APPLICATION = Path(__file__).parent / "python"
IMAGE = "localhost/application:1"


@pytest.fixture(scope="module")
def application(
    installed: Release, podman: Podman, image: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The image of an application with both tools, on the node; its Python is that of ours."""
    packages = needs.file(PACKAGES, how="make cluster fetches them")
    archive = tmp_path_factory.mktemp("application") / "application.tar"
    podman.must(
        *("build", "--quiet", f"--build-arg=BASE={image}", f"--tag={IMAGE}"),
        *(f"--build-context=packages={packages}", f"--file={APPLICATION}/Containerfile"),
        APPLICATION,
    )
    podman.must("save", "--quiet", "--format=docker-archive", f"--output={archive}", IMAGE)
    installed.node.load(archive)
    return IMAGE


def environment(database: Database, host: str) -> list[Json]:
    url = f"postgresql+pg8000://{database.user}:{database.password}@{host}/{database.name}"
    found = {
        "DATABASE_URL": url,
        "DATABASE_HOST": host,
        "DATABASE_USER": database.user,
        "DATABASE_PASSWORD": database.password,
    }
    return [{"name": name, "value": value} for name, value in found.items()]


@pytest.mark.parametrize("kind", ["alembic", "django"])
def test_an_applications_own_tool_migrates_with_its_own_image_and_environment(
    installed: Release, space: str, postgres: Database, application: str, kind: str
) -> None:
    """It waits for the database, migrates it, and a second pod finds nothing left to do."""
    host = postgres.named(space)
    written = {
        "tool": kind,
        "container": "app",
        "concurrent": True,
        "database": {"postgres": {"host": host, "database": postgres.name}},
    }
    one = policy(space, "shop", {"name": "migrate", "migrate": written}, volumes=[])
    wanted = pod(space, "true")
    wanted["spec"]["containers"][0] |= {"image": application, "env": environment(postgres, host)}

    node = run(installed, space, [one], wanted)
    waiting(node, space)
    postgres.start()
    node.reach(space, "web", nodes.succeeded, seconds=120)
    assert [("7",)] == cups(postgres)

    again = {**wanted, "metadata": {**wanted["metadata"], "name": "again"}}
    assert 201 == node.api.create(again).code
    done = node.reach(space, "again", nodes.succeeded, seconds=120)

    assert 0 == state(done, "migrate")["terminated"]["exitCode"]
    assert [("7",)] == cups(postgres)


def shown(space: str, name: str) -> list[Json]:
    """What a file of the page holds, for a namespace."""
    values = list(yaml.safe_load_all(reader.written(PAGE)[name]))
    for value in values:
        value["metadata"]["namespace"] = space
        value["kind"] = value["kind"].removeprefix("Cluster")
    return values


def test_a_pod_that_does_not_say_which_migration_it_needs_is_refused(
    installed: Release, space: str
) -> None:
    """As the page has it: else it would start without a wait."""
    policies, (shop,) = (shown(space, name) for name in ("policy.yaml", "shop.yaml"))
    template = shop["spec"]["template"]
    del template["metadata"]["labels"]["example.com/schema"]
    template["metadata"]["labels"]["pod-template-hash"] = "7d4b9c5f6d"
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": True}
    metadata = {"name": "shop-7d4b9c5f6d-x2x4z", "namespace": space, **template["metadata"]}
    metadata["ownerReferences"] = [{**owner, "name": "shop-7d4b9c5f6d", "uid": "1"}]
    installed.apply({**account, "metadata": {"name": "shop", "namespace": space}}, *policies)
    installed.caught_up()

    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    answer = installed.node.api.create(pod, dry_run=True)

    assert 403 == answer.code
    assert "shop-after-migration" in answer.message
    assert "no such key: example.com/schema" in answer.message


def test_one_job_migrates_for_all_replicas_which_wait_for_it(
    installed: Release, space: str, postgres: Database, application: str
) -> None:
    """As the page has it: the Job waits for its database, and the Deployment's pods for the Job."""
    policies, (job,), (shop,) = (
        shown(space, name) for name in ("policy.yaml", "job.yaml", "shop.yaml")
    )
    (migration,) = job["spec"]["template"]["spec"]["containers"]
    migration |= {"image": application, "env": environment(postgres, postgres.named(space))}
    (app,) = shop["spec"]["template"]["spec"]["containers"]
    app |= {"image": TOOLS, "command": ["sleep", "3600"]}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}}
    account["metadata"]["namespace"] = space
    node = installed.node
    for name, values in {"policy.yaml": policies, "shop.yaml": [shop]}.items():
        (node.home / name).write_text(yaml.safe_dump_all(values))
    rights = "initject preview -o rights --policies policy.yaml shop.yaml"
    node.run(f"{rights} | kubectl apply -f -")
    installed.apply(account, *policies)
    installed.caught_up()

    installed.apply(shop)
    until(lambda: 3 == len(running(node, space, "wait-for-migration")), "all wait", seconds=90)
    installed.apply(job)
    until(lambda: 1 == len(running(node, space, "wait-for-database")), "it waits", seconds=60)
    postgres.start()
    node.run(f"kubectl -n {space} rollout status deployment/shop --timeout=120s")

    assert [("7",)] == cups(postgres)
    path = f"/apis/batch/v1/namespaces/{space}/jobs/{job['metadata']['name']}"
    done = node.api.ask("GET", path).body["status"]["completionTime"]
    waits = [state(one, "wait-for-migration") for one in node.pods(space)]
    ends = [wait["terminated"]["finishedAt"] for wait in waits if wait]
    assert [True] * 3 == [done <= end for end in ends]
