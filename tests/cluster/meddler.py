"""Another webhook, which does to our containers what meshes, mirrors and tuners do.

What it does is said by the pod's annotation `meddler`, so that one webhook serves all tests.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec

from tests.cluster.api import Json

PROXY = {"name": "proxy", "image": "registry.example.com/mesh/proxy:1.0"}


def add_label(pod: Json) -> None:
    pod["metadata"].setdefault("labels", {})["meddler"] = "was-here"


def put_proxy_in_front(pod: Json) -> None:
    containers = pod["spec"].setdefault("initContainers", [])
    if all(container["name"] != "proxy" for container in containers):
        containers.insert(0, {**PROXY})


def put_proxy_behind(pod: Json) -> None:
    containers = pod["spec"].setdefault("initContainers", [])
    if all(container["name"] != "proxy" for container in containers):
        containers.append({**PROXY})


def mirror(pod: Json) -> None:
    """Takes every image from another registry."""
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
        image = container["image"].removeprefix("registry.example.com/")
        if not image.startswith("mirror."):
            container["image"] = f"mirror.example.com/{image}"


def turn_around(pod: Json) -> None:
    """Turns the order of all init containers around, once."""
    if "turned" not in pod["metadata"].setdefault("labels", {}):
        pod["spec"].get("initContainers", []).reverse()
        pod["metadata"]["labels"]["turned"] = "yes"


def forget(pod: Json) -> None:
    """Takes our marker away."""
    pod["metadata"].get("annotations", {}).pop("initject.dev/injected", None)


DEEDS: dict[str, Callable[[Json], None]] = {
    "add-label": add_label,
    "proxy-in-front": put_proxy_in_front,
    "proxy-behind": put_proxy_behind,
    "mirror": mirror,
    "turn-around": turn_around,
    "forget": forget,
}


def mesh(redirect: str, proxy: str, *, native: bool) -> Callable[[Json], None]:
    """What a mesh's injector adds to a pod of a namespace that is labelled for it, once.

    First the container that redirects, then the proxy: among the init containers too where sidecars
    are native, else as an application container.
    """

    def inject(pod: Json) -> None:
        spec = pod["spec"]
        inits = spec.setdefault("initContainers", [])
        if any(container["name"] == redirect for container in inits):
            return
        image = PROXY["image"]
        added = [{"name": redirect, "image": image}]
        if native:
            added.append({"name": proxy, "image": image, "restartPolicy": "Always"})
        else:
            spec["containers"].insert(0, {"name": proxy, "image": image})
        inits[:0] = added

    return inject


MESHES: dict[str, Callable[[Json], None]] = {
    "istio": mesh("istio-init", "istio-proxy", native=True),
    "istio-classic": mesh("istio-init", "istio-proxy", native=False),
    "linkerd": mesh("linkerd-init", "linkerd-proxy", native=True),
    "linkerd-classic": mesh("linkerd-init", "linkerd-proxy", native=False),
}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer a review with a patch that replaces the pod's metadata and spec."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message["body"]
        more = message["more_body"]
    request = msgspec.json.decode(body)["request"]
    pod = request["object"]
    deed = pod["metadata"].get("annotations", {}).get("meddler")
    if deed:
        (DEEDS | MESHES)[deed](pod)
    patch = [
        {"op": "replace", "path": f"/{part}", "value": pod[part]} for part in ("metadata", "spec")
    ]
    response = {
        "uid": request["uid"],
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(msgspec.json.encode(patch)).decode(),
    }
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": response,
    }
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": msgspec.json.encode(review)})
