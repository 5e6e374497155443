"""Ask a running webhook about one pod, as the API server would, and show the pod before and after.

    python examples/send.py [POD.yaml] [--url https://127.0.0.1:8443/mutate] [--ca FILE]

The pod that is shown is the one in the file with the answer's patch applied by another library
than ours: `jsonpatch`. Lines with `+` are what was added.
"""

from __future__ import annotations

import argparse
import base64
import difflib
import json
import ssl
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
import jsonpatch
import yaml

HERE = Path(__file__).resolve().parent
GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def review(pod: dict[str, Any]) -> dict[str, Any]:
    """The AdmissionReview that a 1.37 API server sends when this pod is created."""
    metadata = pod.get("metadata", {})
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "name": metadata.get("name", ""),
        "namespace": metadata.get("namespace", "default"),
        "operation": "CREATE",
        "userInfo": {"username": "example", "groups": ["system:authenticated"]},
        "object": pod,
        "oldObject": None,
        "dryRun": True,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def ask(url: str, ca: Path, pod: dict[str, Any]) -> dict[str, Any]:
    """The `response` of the webhook's answer; its certificate must be signed by `ca`."""
    context = ssl.create_default_context(cafile=str(ca))
    with httpx.Client(verify=context, trust_env=False, timeout=10) as client:
        answer = client.post(url, json=review(pod), params={"timeout": "10s"})
    answer.raise_for_status()
    response: dict[str, Any] = answer.json()["response"]
    return response


def patched(pod: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """The pod after the answer's patch."""
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    after: dict[str, Any] = jsonpatch.apply_patch(pod, patch)
    return after


def text(pod: dict[str, Any]) -> list[str]:
    """A pod as lines of YAML."""
    return yaml.safe_dump(pod, sort_keys=False).splitlines()


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The whole pod, with `+` and `-` where the two differ; coloured on a terminal."""
    lines = list(difflib.unified_diff(text(before), text(after), n=10_000, lineterm=""))[3:]
    if not sys.stdout.isatty():
        return lines or text(before)
    colours = {"+": GREEN, "-": RED}
    return [f"{colours.get(line[:1], PLAIN)}{line}{PLAIN}" for line in lines] or text(before)


def main() -> None:
    """Send one pod; exit 1 when the webhook cannot be asked."""
    parser = argparse.ArgumentParser(description="Ask a running webhook about one pod.")
    parser.add_argument("pod", nargs="?", type=Path, default=HERE / "01-minimal" / "pod.yaml")
    parser.add_argument("--url", default="https://127.0.0.1:8443/mutate")
    parser.add_argument("--ca", type=Path, default=HERE.parent / ".local" / "certs" / "ca.crt")
    arguments = parser.parse_args()
    pod = yaml.safe_load(arguments.pod.read_text(encoding="utf-8"))
    try:
        response = ask(arguments.url, arguments.ca, pod)
    except (OSError, httpx.HTTPError) as error:
        sys.exit(f"{arguments.url} does not answer: {error}. Does `make run` say that it is ready?")
    if not response["allowed"]:
        sys.exit(f"denied: {response['status']['message']}")
    print("\n".join(difference(pod, patched(pod, response))))
    for warning in response.get("warnings", []):
        print(f"warning: {warning}")


if __name__ == "__main__":
    main()
