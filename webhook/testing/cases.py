"""A case: a folder that says what is asked, and what should come of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from webhook import chosen
from webhook.document import read
from webhook.document.problem import Finding
from webhook.inject.decision import Options
from webhook.manifest import workload
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.settings import DECISION, Settings
from webhook.testing import pods
from webhook.testing.pods import CaseError, Json, Source

POLICY, POD, EXPECTED = "policy.yaml", "pod.yaml", "expected.yaml"
NAMESPACE, REQUEST = "namespace.yaml", "request.yaml"
FILES = (POLICY, POD, EXPECTED, NAMESPACE, REQUEST)


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


@dataclass(frozen=True, slots=True)
class Asked:
    """A case read: everything that the decision is made from, and the manifest it came from."""

    manifest: Json
    made: workload.Made
    review: Json
    policies: PolicySet
    namespace: Namespace | None
    settings: Settings
    options: Options


def ask(case: Case, *, sources: Sequence[Source] = (), settings: Settings = pods.SETTINGS) -> Asked:
    """Reads a case. Raises CaseError with every problem."""
    policy = case.text(POLICY)
    here = [*sources, *([(str(case.folder / POLICY), policy)] if policy is not None else [])]
    if not here:
        raise _unusable(case.folder, f"no {POLICY}; write one, or name policies (--policies)")
    space = case.text(NAMESPACE)
    if space is not None:
        here.append((str(case.folder / NAMESPACE), space))
    request = dict(_mapping(case, REQUEST))
    settings = _settings(case, request.pop("options", None) or {}, settings)
    loaded = pods.loaded(here, settings)
    manifest, made = _manifest(case, _where(case, space, request))
    asked = pods.review(made.pod, namespace=made.namespace, request=request)
    return Asked(
        manifest=manifest,
        made=made,
        review=asked,
        policies=loaded.policies,
        namespace=(loaded.namespaces or {}).get(asked["request"]["namespace"]),
        settings=settings,
        options=chosen.options(settings),
    )


def _unusable(place: Path, what: str) -> CaseError:
    return CaseError([f"{place}: {what}"])


def _where(case: Case, namespace: str | None, request: Json) -> str:
    """The namespace of a manifest that names none."""
    if isinstance(request.get("namespace"), str):
        return str(request["namespace"])
    given = only(case, NAMESPACE) if namespace is not None else {}
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


def only(case: Case, file: str) -> Json:
    """The one object of a file. Raises CaseError."""
    value = _document(case, file).value
    assert isinstance(value, Mapping)
    return value


def _mapping(case: Case, file: str) -> Json:
    return only(case, file) if (case.text(file) or "").strip() else {}


_FILES = ("policies", "namespaces")  # a case has its own
_SETTINGS = {one.key: one for one in DECISION if one.name not in _FILES}


def _settings(case: Case, given: Json, settings: Settings) -> Settings:
    """The settings with those that a case states."""
    changes: dict[str, Any] = {}
    for key, value in given.items():
        setting = _SETTINGS.get(key)
        if setting is None:
            wrong = f"options.{key}: no such setting; write one of {', '.join(_SETTINGS)}"
            raise _unusable(case.folder / REQUEST, wrong)
        texts = value if isinstance(value, list) and setting.many else [value]
        try:
            changes[setting.name] = setting.parse(tuple(map(str, texts)))
        except ValueError as error:
            raise _unusable(case.folder / REQUEST, f"options.{key}: {error}") from None
    return replace(settings, **changes)
