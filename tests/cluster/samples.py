"""Cases of the gallery that a kubelet can run (samples.yaml).

Their images do not exist. One image stands in for all of them: it has a program for every command
that they name, and each program writes how it was called into its container's termination message.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from tests.cluster import image
from tests.cluster.api import Json

SAMPLES: dict[str, list[tuple[str, str]]] = {
    case: [(name, said) for step in steps for name, said in step.items()]
    for case, steps in yaml.safe_load(
        Path(__file__).with_name("samples.yaml").read_text(encoding="utf-8")
    ).items()
}
PROGRAM = """#!/bin/sh
echo "${0##*/}" "$@" > /dev/termination-log
"""
SHELL = {"sh", "/bin/sh"}


def containers(pod: Json) -> list[Json]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def write_image(pods: Iterable[Json], folder: Path) -> Path:
    """The image that stands in for all that these pods name; as an archive in `folder`."""
    every = [one for pod in pods for one in containers(pod)]
    program = folder / "step"
    program.write_text(PROGRAM)
    commands = {one["command"][0] for one in every if one.get("command")} - SHELL
    places = {one.lstrip("/") if one.startswith("/") else f"bin/{one}" for one in commands}
    entries = {"bin/busybox": "/bin/busybox", "bin/sh": "@busybox", "bin/step": str(program)}
    # A shell script of a policy finds by its name what it calls.
    places |= {f"bin/{name}" for name in ("fetch",)}
    archive = folder / "samples.tar"
    image.write(
        sorted({one["image"] for one in every}),
        archive,
        entries | {place: str(program) for place in places},
        [],
        entrypoint=["step"],
    )
    return archive


def real(pod: Json, number: int) -> Json:
    """The pod under a name of its own, for others of its name may be asked for later.

    Its owner is of an API that there is not: of one that there is, the collector would find that
    he does not exist, and delete the pod.
    """
    result = copy.deepcopy(pod)
    if "name" in result["metadata"]:
        result["metadata"]["name"] += f"-runs-{number}"
    for owner in result["metadata"].get("ownerReferences", []):
        owner["apiVersion"] = "none.example.com/v1"
    result["spec"]["terminationGracePeriodSeconds"] = 0
    return result


def referred(pod: Json) -> Iterator[Json]:
    """The Secrets and ConfigMaps that a pod's environment and volumes name."""
    namespace = pod["metadata"]["namespace"]
    sources = [v.get("valueFrom", {}) for c in containers(pod) for v in c.get("env", [])]
    for kind, reference in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        for one in (source[reference] for source in sources if reference in source):
            yield {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {"name": one["name"], "namespace": namespace},
                "stringData" if kind == "Secret" else "data": {one["key"]: "value"},
            }


def ran(pod: Json) -> list[tuple[str, str]]:
    """The init containers that have ended well, in the order in which they did, and their word."""
    states = {one["name"]: one for one in pod["status"].get("initContainerStatuses", [])}
    ended = [
        (found["startedAt"], found["finishedAt"], position, name, found.get("message", "").strip())
        for position, name in enumerate(
            one["name"] for one in pod["spec"].get("initContainers", [])
        )
        if (found := states.get(name, {}).get("state", {}).get("terminated"))
        and found["exitCode"] == 0
    ]
    return [(name, message) for *_, name, message in sorted(ended)]


def started(pod: Json) -> bool:
    """Whether every application container has been started."""
    states = pod["status"].get("containerStatuses", [])
    every = [one["state"] | one.get("lastState", {}) for one in states]
    return bool(every) and all("running" in one or "terminated" in one for one in every)
