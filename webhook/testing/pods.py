"""A pod, policies, and what happens: tests of policies in Python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from webhook import chosen
from webhook.errors import PatchError
from webhook.inject import decide
from webhook.inject.decision import Decision, Options
from webhook.manifest import controllers
from webhook.policy import load
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review import codec
from webhook.review.request import Request
from webhook.settings import Settings
from webhook.testing import compare

Json = Mapping[str, Any]
Source = tuple[str, str]  # file name, text

SETTINGS = Settings()  # nothing set
_OPTIONS = chosen.options(SETTINGS)


class CaseError(ValueError):
    """Policies or a case that cannot be used; `lines` say why, one problem each."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def pod(
    name: str = "app",
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owner: tuple[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A small pod; `owner` is kind and name of its controller, the rest are fields of its spec."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owner:
        reference = {"kind": owner[0], "name": owner[1], "uid": controllers.UID, "controller": True}
        metadata["ownerReferences"] = [reference]
    container = {"name": "app", "image": "registry.example.com/app:1.0"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container], **spec},
    }


def policies(text: str, *, file: str = "policy.yaml") -> PolicySet:
    """The policies of a YAML text. Raises CaseError with all errors; warnings are none."""
    return loaded([(file, text)]).policies


def loaded(sources: Iterable[Source], settings: Settings = SETTINGS) -> load.Loaded:
    """Policies and namespaces of texts. Raises CaseError with all errors; warnings are none."""
    found = load.load(sources, chosen.defaults(settings))
    errors = [str(problem) for problem in found.problems if problem.severity == "error"]
    if errors:
        raise CaseError(errors)
    return found


def review(
    pod: Json, *, namespace: str | None = None, request: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The AdmissionReview v1 with which an API server asks about creating `pod`.

    `namespace` defaults to the pod's own, else `default`; `request` replaces fields of the
    AdmissionRequest. As always offline, `userInfo` is empty.
    """
    metadata = pod.get("metadata") or {}
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    asked: dict[str, Any] = {
        "uid": "00000000-0000-0000-0000-000000000001",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "namespace": namespace or metadata.get("namespace") or "default",
        "operation": "CREATE",
        "userInfo": {},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
    }
    if metadata.get("name"):
        asked["name"] = metadata["name"]
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {**asked, **(request or {})},
    }


def question(review: Json) -> Request:
    """`review` as the webhook reads it from the wire. Raises ReviewError."""
    return codec.decode(msgspec.json.encode(review))


def admit(
    policies: PolicySet,
    pod: Json,
    *,
    namespace: Namespace | None = None,
    options: Options | None = None,
    request: Mapping[str, Any] | None = None,
) -> Decision:
    """What happens to `pod`, its patch proven. Without `namespace` its labels are not known."""
    asked = review(pod, namespace=namespace.name if namespace else None, request=request)
    decision = decide.decide(question(asked), policies, namespace, options or _OPTIONS)
    prove(pod, decision)
    return decision


def prove(pod: Json, decision: Decision) -> None:
    """A second opinion: the patch, applied by another library, must give the decision's pod.

    Raises PatchError if not, which is always a bug of ours.
    """
    if not decision.patch:
        return
    import jsonpatch  # 20 ms, paid only where there is a patch

    try:
        applied = jsonpatch.apply_patch(pod, [dict(operation) for operation in decision.patch])
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        wrong = f"the patch does not apply: {error}"
        raise PatchError(wrong) from error
    if not compare.same(applied, decision.pod):
        wrong = "the patch does not lead to the planned pod:\n" + compare.difference(
            applied, decision.pod
        )
        raise PatchError(wrong)
