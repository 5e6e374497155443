"""What Initject is measured against: `python -m bench.contenders floor|two|same|obvious`."""

from __future__ import annotations

import base64
import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

import jsonpatch
import msgspec
import uvicorn
from fastapi import FastAPI

OURS = Path(os.environ.get("BENCH_PATCH", os.devnull)).read_bytes()  # what Initject would answer
ONE = b'[{"op":"add","path":"/spec/initContainers","value":[{"name":"a","image":"b"}]}]'
TWO = (  # as many containers as our own policy adds
    b'[{"op":"add","path":"/spec/initContainers","value":[{"name":"a","image":"b"},'
    b'{"name":"c","image":"d"}]}]'
)

CONSTANT, CONSTANTS, SAME = (base64.b64encode(patch).decode() for patch in (ONE, TWO, OURS))


async def floor(scope: Any, receive: Any, send: Any) -> None:
    """The smallest possible webhook: decode the review, answer a constant patch."""
    await smallest(receive, send, CONSTANT)


async def two(scope: Any, receive: Any, send: Any) -> None:
    """The same for a real API server, which has to store two containers."""
    await smallest(receive, send, CONSTANTS)


async def same(scope: Any, receive: Any, send: Any) -> None:
    """The same with our own patch for that pod, so that the API server has as much to do."""
    await smallest(receive, send, SAME)


async def smallest(receive: Any, send: Any, patch: str) -> None:
    """Decode the review, answer with the patch (base64)."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    review = msgspec.json.decode(body)
    answer = msgspec.json.encode(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": review["request"]["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": patch,
            },
        }
    )
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


obvious = FastAPI()


@obvious.post("/mutate")
async def mutate(review: dict[str, Any]) -> dict[str, Any]:
    """What one writes first: a dict body, a deep copy, `jsonpatch.make_patch`; one policy."""
    pod = review["request"]["object"]
    after = copy.deepcopy(pod)
    if any(e["name"] == "DB_HOST" for c in pod["spec"]["containers"] for e in c.get("env", [])):
        image = "registry.example.com/tools/wait:1.0"
        host = pod["metadata"]["labels"]["app"]
        after["spec"].setdefault("initContainers", []).extend(
            [
                {"name": "wait-for-database", "image": image, "args": ["--host", host]},
                {"name": "warm-up", "image": image, "command": ["/bin/warm-up"]},
            ]
        )
    patch = jsonpatch.make_patch(pod, after)
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(list(patch)).encode()).decode(),
        },
    }


def main(name: str, port: int, folder: str) -> None:
    """Serve one of them on uvicorn as it comes, with uvloop and httptools."""
    uvicorn.run(
        {"floor": floor, "two": two, "same": same, "obvious": obvious}[name],
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=120,
        ssl_certfile=f"{folder}/tls.crt",
        ssl_keyfile=f"{folder}/tls.key",
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
