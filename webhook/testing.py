"""The workshop for tests of policies: what our gallery runs on, and `initject test`, and yours.

In Python::

    from webhook import testing

    def test_the_database_is_awaited():
        policies = testing.policies(open("policies.yaml").read())
        decision = testing.admit(policies, testing.pod(labels={"app": "checkout"}))
        assert decision.applied == ("payments-database",)

As folders (`initject test`, or `load_cases` and `run`), a case is:

- `policy.yaml`: the policies (may be left out when they come from elsewhere);
- `pod.yaml`: a Pod, or a workload whose pod is meant;
- `expected.yaml`: a Pod (the pod afterwards; the same pod means "no patch"), a workload (the
  manifest with what was injected into its template) or a Status (a refusal: what it states of
  `message`, `code` and `reason` is compared);
- `namespace.yaml`, if wanted: the Namespace, without which its labels are not known;
- `request.yaml`, if wanted: fields of the AdmissionRequest, such as `operation` or `dryRun`; its
  `options` are Initject's: `inject` (`all`, `opt-in`), `excluded`, `keepFirst`, `mirrors` (globs).
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from webhook.document import read, write
from webhook.document.problem import Finding
from webhook.errors import PatchError, ReviewError
from webhook.inject import decide
from webhook.inject.decision import Decision, Options
from webhook.manifest import workload
from webhook.policy import glob, load
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review import codec
from webhook.review.request import Request
from webhook.settings import Settings

Json = Mapping[str, Any]
Source = tuple[str, str]  # file name, text

POLICY, POD, EXPECTED = "policy.yaml", "pod.yaml", "expected.yaml"
NAMESPACE, REQUEST = "namespace.yaml", "request.yaml"
FILES = (POLICY, POD, EXPECTED, NAMESPACE, REQUEST)


# In Python: a pod, policies, and what happens.


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
        reference = {"kind": owner[0], "name": owner[1], "uid": workload.UID, "controller": True}
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
    return _loaded([(file, text)]).policies


def options(settings: Settings | None = None) -> Options:
    """The options of decisions by these settings; without any, by the product's defaults."""
    chosen = settings or Settings()
    return Options(
        inject=chosen.inject,
        excluded=tuple(map(glob.parse, chosen.excluded)),
        keep_first=tuple(map(glob.parse, chosen.keep_first)),
        mirrors=tuple(map(glob.parse, chosen.mirrors)),
    )


_DEFAULTS = options()


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
    decision = decide.decide(question(asked), policies, namespace, options or _DEFAULTS)
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
    if not same(applied, decision.pod):
        wrong = "the patch does not lead to the planned pod:\n" + difference(applied, decision.pod)
        raise PatchError(wrong)


# As folders: cases.


@dataclass(frozen=True, slots=True)
class Case:
    """One folder; `name` is its path below the folder that was searched."""

    name: str
    folder: Path

    def text(self, file: str) -> str | None:
        """The text of one of its files, None if it has none of that name."""
        try:
            return (self.folder / file).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case. It passed when there is neither a problem nor a difference.

    `after` is what `expected.yaml` should say. `pod` and `review` are what was asked, `decision`
    the answer; they are None when the case could not be run.
    """

    case: Case
    problems: tuple[str, ...] = ()
    diff: str = ""
    after: Json | None = None
    pod: Json | None = None
    review: Json | None = None
    decision: Decision | None = None

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.problems and not self.diff


def load_cases(path: str | Path) -> list[Case]:
    """Every case at or below the folder `path`, by name: the folders that have a `pod.yaml`."""
    root = Path(path)
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if POD in files or EXPECTED in files:
            name = Path(folder).relative_to(root).as_posix()
            found.append(Case(root.name if name == "." else name, Path(folder)))
    return sorted(found, key=lambda case: case.name)


def run(case: Case, *, sources: Sequence[Source] = (), options: Options | None = None) -> Outcome:
    """Puts a case to the test; `sources` are policies from outside the folder."""
    try:
        return _run(case, sources, options)
    except CaseError as error:
        return Outcome(case, problems=error.lines)
    except (PatchError, ReviewError) as error:
        return Outcome(case, problems=(f"{case.folder}: {error}",))


def update(outcome: Outcome) -> bool:
    """Writes what came out into `expected.yaml`, comments at its top kept. False: it stays."""
    if outcome.after is None or (outcome.passed and outcome.case.text(EXPECTED) is not None):
        return False
    comments = _comments(outcome.case.text(EXPECTED) or "")
    text = comments + write.write([outcome.after])
    (outcome.case.folder / EXPECTED).write_text(text, encoding="utf-8")
    return True


@dataclass(frozen=True, slots=True)
class Asked:
    """A case read: everything that the decision is made from, and the manifest it came from."""

    manifest: Json
    made: workload.Made
    review: Json
    policies: PolicySet
    namespace: Namespace | None
    options: Options
    sources: tuple[Source, ...] = field(default=())


def ask(case: Case, *, sources: Sequence[Source] = (), options: Options | None = None) -> Asked:
    """Reads a case. Raises CaseError with every problem."""
    policy = case.text(POLICY)
    here = [*sources, *([(str(case.folder / POLICY), policy)] if policy is not None else [])]
    if not here:
        raise _unusable(case.folder, f"no {POLICY}; write one, or name policies (--policies)")
    space = case.text(NAMESPACE)
    if space is not None:
        here.append((str(case.folder / NAMESPACE), space))
    loaded = _loaded(here)
    request = dict(_mapping(case, REQUEST))
    given = request.pop("options", None) or {}
    manifest, made = _manifest(case, _where(case, space, request))
    asked = review(made.pod, namespace=made.namespace, request=request)
    return Asked(
        manifest=manifest,
        made=made,
        review=asked,
        policies=loaded.policies,
        namespace=(loaded.namespaces or {}).get(asked["request"]["namespace"]),
        options=_options(case, given, options or _DEFAULTS),
        sources=tuple(here),
    )


def _run(case: Case, sources: Sequence[Source], options: Options | None) -> Outcome:
    asked = ask(case, sources=sources, options=options)
    decision = decide.decide(question(asked.review), asked.policies, asked.namespace, asked.options)
    prove(asked.made.pod, decision)
    expected = _only(case, EXPECTED) if case.text(EXPECTED) is not None else None
    actual = after(asked, decision, str((expected or {}).get("kind", "")))
    outcome = Outcome(
        case, after=actual, pod=asked.made.pod, review=asked.review, decision=decision
    )
    if expected is None:
        missing = f"{case.folder}: no {EXPECTED}; write it, or let --update write it"
        return replace(outcome, problems=(missing,))
    if same(expected, _stated(actual, expected)):
        return outcome
    diff = difference(expected, actual, names=(str(case.folder / EXPECTED), "what happens"))
    return replace(outcome, diff=diff)


def after(asked: Asked, decision: Decision, kind: str) -> Json:
    """The world after: a Status, or the manifest, or (`kind` Pod of a workload) its pod."""
    if not decision.allowed:
        return {
            "apiVersion": "v1",
            "kind": "Status",
            "status": "Failure",
            "message": decision.message,
            "reason": "Forbidden",
            "code": 403,
        }
    result = decision.pod if decision.patch and decision.pod is not None else asked.made.pod
    if kind in (asked.made.kind, ""):
        return workload.put_back(asked.manifest, asked.made, result)
    return result


def _stated(actual: Json, expected: Json) -> Json:
    """Of a Status, only what the case states counts."""
    if actual.get("kind") != "Status":
        return actual
    return {key: value for key, value in actual.items() if key in expected or key == "kind"}


class CaseError(ValueError):
    """Policies or a case that cannot be used; `lines` say why, one problem each."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


def _unusable(place: Path, what: str) -> CaseError:
    return CaseError([f"{place}: {what}"])


def _loaded(sources: Iterable[Source]) -> load.Loaded:
    loaded = load.load(sources)
    errors = [str(problem) for problem in loaded.problems if problem.severity == "error"]
    if errors:
        raise CaseError(errors)
    return loaded


def _where(case: Case, namespace: str | None, request: Json) -> str:
    """The namespace of a manifest that names none."""
    if isinstance(request.get("namespace"), str):
        return str(request["namespace"])
    given = _only(case, NAMESPACE) if namespace is not None else {}
    return str((given.get("metadata") or {}).get("name") or "default")


def _manifest(case: Case, namespace: str) -> tuple[Json, workload.Made]:
    document = _document(case, POD)
    if not workload.makes_pods(document.value):
        raise _unusable(case.folder / POD, "neither a Pod nor a workload that creates pods")
    assert isinstance(document.value, Mapping)
    made = workload.pod_of(document.value, namespace=namespace)
    if isinstance(made, Finding):
        raise CaseError([str(document.problem(made))])
    return document.value, made


def _document(case: Case, file: str) -> read.Document:
    text = case.text(file)
    if text is None:
        raise _unusable(case.folder, f"no {file}")
    documents, problems = read.read(text, file=str(case.folder / file))
    if problems:
        raise CaseError(str(problem) for problem in problems)
    full = [document for document in documents if document.value is not None]
    if len(full) != 1 or not isinstance(full[0].value, Mapping):
        raise _unusable(case.folder / file, "not exactly one object; make a folder for each")
    return full[0]


def _only(case: Case, file: str) -> Json:
    value = _document(case, file).value
    assert isinstance(value, Mapping)
    return value


def _mapping(case: Case, file: str) -> Json:
    return _only(case, file) if (case.text(file) or "").strip() else {}


_GLOBS = {"excluded": "excluded", "keepFirst": "keep_first", "mirrors": "mirrors"}


def _options(case: Case, given: Json, options: Options) -> Options:
    changes: dict[str, Any] = {}
    for key, value in given.items():
        if key == "inject" and value in ("all", "opt-in"):
            changes["inject"] = value
        elif key in _GLOBS and isinstance(value, list):
            changes[_GLOBS[key]] = tuple(glob.parse(str(text)) for text in value)
        else:
            wrong = f"options.{key}: no such option, or not a value of it"
            raise _unusable(case.folder / REQUEST, wrong)
    return replace(options, **changes)


def _comments(text: str) -> str:
    lines = text.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:count])


# Comparing.


def same(one: object, other: object) -> bool:
    """Whether two JSON values are equal; the order of keys does not count, `1` is not `true`."""
    return _canonical(one) == _canonical(other)


def difference(
    expected: object, actual: object, *, names: tuple[str, str] = ("expected", "actual")
) -> str:
    """A unified diff of two JSON values as YAML; the order of keys counts for nothing."""
    before = write.write([expected]).splitlines(keepends=True)
    after = write.write([_ordered(actual, expected)]).splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, *names))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _ordered(value: object, like: object) -> object:
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        keys = [*(key for key in like if key in value), *(key for key in value if key not in like)]
        return {key: _ordered(value[key], like.get(key)) for key in keys}
    if isinstance(value, list) and isinstance(like, list):
        return [
            _ordered(entry, like[index] if index < len(like) else None)
            for index, entry in enumerate(value)
        ]
    return value
