"""Documents to policies as they were written, with everything that is wrong with their form."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.document.problem import Finding, Path, Problem
from webhook.document.read import Document
from webhook.form import name, words
from webhook.policy import fields, model, rules
from webhook.policy.fields import Draft
from webhook.policy.namespace import NAME_LABEL, Namespace

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")
_ADVICE = f"write apiVersion: {model.API_VERSION}"


@dataclass(frozen=True, slots=True)
class Written:
    """One policy as its author wrote it; its form is right, its meaning not yet looked at.

    `namespace` is empty for a ClusterInitPolicy. `path` is the place of the object inside its
    document: `()`, or `("items", 3)` in a List.
    """

    kind: str
    name: str
    namespace: str
    spec: model.Spec
    document: Document
    path: Path = ()

    @property
    def key(self) -> str:
        """`name`, or `namespace/name`: how reasons and messages call this policy."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def problem(self, finding: Finding) -> Problem:
        """A finding about this object (its path begins at the object) with its place."""
        return self.document.problem(finding.under(self.path))


@dataclass(frozen=True, slots=True)
class Broken:
    """A policy whose form is wrong: `written` holds what is left of it, to look for more faults."""

    written: Written
    draft: Draft

    def problem(self, finding: Finding) -> Problem:
        """A finding about what is left of this object, with its place."""
        below = Finding(
            finding.path[1:], finding.what, finding.advice, finding.severity, finding.offset
        )
        return self.written.problem(self.draft.original(below).under(finding.path[:1]))


@dataclass(frozen=True, slots=True)
class Parsed:
    """What documents hold: policies and namespaces; `others` counts other Kubernetes objects.

    `broken` are policies with errors, for more findings; they never come in force.
    """

    policies: tuple[Written, ...]
    namespaces: tuple[Namespace, ...]
    others: int
    problems: tuple[Problem, ...]
    broken: tuple[Broken, ...] = ()


def parse(documents: Iterable[Document]) -> Parsed:
    """Sort out what each document is; Lists are opened, documents without a value are nothing.

    Every problem of every document is told. A policy with an error is not among the policies.
    """
    reader = _Reader()
    for document in documents:
        for path, value in _objects((), document.value):
            reader.take(document, path, value)
    return Parsed(
        policies=tuple(reader.policies),
        namespaces=tuple(reader.namespaces),
        others=reader.others,
        problems=tuple(reader.problems),
        broken=tuple(reader.broken),
    )


def _objects(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    """The objects of a document. Items of a typed list may leave out what the list says."""
    if value is None:
        return
    items = value.get("items") if isinstance(value, Mapping) else None
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield path, value
        return
    typed = {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
    for index, item in enumerate(items):
        if isinstance(item, Mapping) and typed["kind"]:
            item = {**typed, **item}
        yield from _objects((*path, "items", index), item)


@dataclass(slots=True)
class _Reader:
    """Gathers what `parse` returns."""

    policies: list[Written] = field(default_factory=list)
    namespaces: list[Namespace] = field(default_factory=list)
    others: int = 0
    problems: list[Problem] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    _first: dict[tuple[str, str, str], tuple[Document, Path]] = field(default_factory=dict)

    def take(self, document: Document, path: Path, value: Any) -> None:
        findings = self._sort_out(document, path, value)
        self.problems += [document.problem(f.under(path)) for f in findings]

    def _sort_out(self, document: Document, path: Path, value: Any) -> list[Finding]:
        findings = _no_object(value)
        if findings:
            return findings
        version, kind = value["apiVersion"], value["kind"]
        if version == model.API_VERSION and kind in model.KINDS:
            return self._policy(document, path, value)
        if (version, kind) == ("v1", "Namespace"):
            return self._namespace(value)
        findings = _nearly_ours(version, kind)
        self.others += not findings
        return findings

    def _namespace(self, value: Mapping[str, Any]) -> list[Finding]:
        metadata, findings = _metadata(value, namespaced=False, needs=name.label)
        if not findings:
            labels = {**(metadata.get("labels") or {}), NAME_LABEL: metadata["name"]}
            annotations = metadata.get("annotations") or {}
            self.namespaces.append(Namespace(metadata["name"], labels, annotations))
        return findings

    def _policy(self, document: Document, path: Path, value: Mapping[str, Any]) -> list[Finding]:
        kind = value["kind"]
        unknown = [key for key in value if key not in _TOP]
        findings = [Finding((key,), f"unknown field {key}", _top_advice(key)) for key in unknown]
        namespaced = kind == model.NAMESPACED_KIND
        metadata, wrong = _metadata(value, namespaced=namespaced, needs=name.subdomain)
        findings += wrong or self._twice(document, path, kind, metadata)
        draft, wrong = _spec(value, kind)
        findings += wrong
        if draft:
            form = Written(
                kind=kind,
                name=str(metadata.get("name", "")),
                namespace=str(metadata.get("namespace", "")) if namespaced else "",
                spec=draft.spec,
                document=document,
                path=path,
            )
            if not any(finding.severity == "error" for finding in findings):
                self.policies.append(form)
            else:
                self.broken.append(Broken(form, draft))
        return findings

    def _twice(
        self, document: Document, path: Path, kind: str, metadata: Mapping[str, Any]
    ) -> list[Finding]:
        key = (kind, metadata.get("namespace", ""), metadata["name"])
        own = document, path
        first = self._first.setdefault(key, own)
        if first is own or _place(*first) == _place(*own):
            return []
        what = f"{kind} {'/'.join(filter(None, key[1:]))} is already at {_place(*first)}"
        return [Finding(("metadata", "name"), what, "rename or remove one of them")]


def _place(document: Document, path: Path) -> str:
    mark = document.mark((*path, "metadata", "name"))
    return f"{document.file}:{mark.line}:{mark.column}"


def _no_object(value: Any) -> list[Finding]:
    if not isinstance(value, Mapping):
        what = f"must be a Kubernetes object, not {words.kind(value)}"
        return [Finding((), what, "begin with apiVersion, kind, metadata and spec")]
    findings = []
    for key, example in (("apiVersion", model.API_VERSION), ("kind", model.CLUSTER_KIND)):
        text = value.get(key)
        if key not in value:
            near = words.nearest(key, [str(k) for k in value if k not in _TOP])
            advice = f"did you mean it by {near}?" if near else f"add for example {key}: {example}"
            findings.append(Finding((key,), "is missing", advice))
        elif not isinstance(text, str) or not text:
            what = "is empty" if text == "" else f"must be a string, not {words.kind(text)}"
            findings.append(Finding((key,), what, f"write for example {example}"))
    return findings


def _nearly_ours(version: str, kind: str) -> list[Finding]:
    """Something that was surely meant to be a policy, but would be taken for another kind."""
    group, _, _ = version.rpartition("/")
    if version == model.API_VERSION:
        return [Finding(("kind",), f"there is no kind {kind} in {version}", _kind_advice(kind))]
    if group == model.GROUP or version == model.GROUP:
        return [Finding(("apiVersion",), f"there is no version {version}", _ADVICE)]
    if kind in model.KINDS:
        return [Finding(("apiVersion",), f"{version} is not that of {kind}", _ADVICE)]
    if "/" in version and difflib.SequenceMatcher(None, group, model.GROUP).ratio() > _CLOSE:
        return [Finding(("apiVersion",), f"there is no group {group}", _ADVICE)]
    return []


_CLOSE = 0.85  # one or two letters of the ten of our group


def _kind_advice(kind: str) -> str:
    return words.meant(kind, model.KINDS)


def _top_advice(key: str) -> str:
    for place in ((), ("match",), ("placement",)):
        if key in fields.known(place):
            return f"write it inside spec: {'.'.join(('spec', *place, key))}"
    return words.meant(key, _TOP)


def _metadata(
    value: Mapping[str, Any], *, namespaced: bool, needs: Any
) -> tuple[Mapping[str, Any], list[Finding]]:
    """The metadata, and what is wrong with name, namespace, labels and annotations in it."""
    metadata = value.get("metadata")
    path: Path = ("metadata",)
    if metadata is None:
        return {}, [
            Finding(path, "is missing", f"add metadata: {{name: …}} to the {value['kind']}")
        ]
    if not isinstance(metadata, Mapping):
        return {}, [Finding(path, f"must be a map, not {words.kind(metadata)}", "write {name: …}")]
    findings = _name((*path, "name"), metadata, needs)
    if value["kind"] in model.KINDS:
        findings += _namespace((*path, "namespace"), metadata, namespaced=namespaced)
    for key in ("labels", "annotations"):
        findings += _texts((*path, key), metadata.get(key))
    return metadata, findings


def _name(path: Path, metadata: Mapping[str, Any], needs: Any) -> list[Finding]:
    text = metadata.get("name")
    if text is None:
        generated = "generateName" in metadata
        advice = "generateName does not do: a policy is known by its name" if generated else ""
        return [Finding(path, "is missing", advice or "add a name")]
    if not isinstance(text, str):
        return [Finding(path, f"must be a string, not {words.kind(text)}", words.quoted(text))]
    fault = needs(text)
    return [Finding(path, f"the name {text!r} {fault}")] if fault else []


def _namespace(path: Path, metadata: Mapping[str, Any], *, namespaced: bool) -> list[Finding]:
    text = metadata.get("namespace")
    if not namespaced:
        if "namespace" not in metadata:
            return []
        what = f"a {model.CLUSTER_KIND} has no namespace"
        advice = f"remove it and use match.namespaces, or write kind: {model.NAMESPACED_KIND}"
        return [Finding(path, what, advice)]
    if text is None:
        what = "is missing: in files it must say which namespace the policy is for"
        return [Finding(path, what, f"add it, or write kind: {model.CLUSTER_KIND}")]
    if not isinstance(text, str):
        return [Finding(path, f"must be a string, not {words.kind(text)}", words.quoted(text))]
    fault = name.label(text)
    return [Finding(path, f"the namespace {text!r} {fault}")] if fault else []


def _texts(path: Path, value: Any) -> list[Finding]:
    if value is None:
        return []
    if not isinstance(value, Mapping):
        return [Finding(path, f"must be a map, not {words.kind(value)}")]
    return [
        Finding((*path, key), f"must be a string, not {words.kind(text)}", words.quoted(text))
        for key, text in value.items()
        if not isinstance(text, str)
    ]


def _spec(value: Mapping[str, Any], kind: str) -> tuple[Draft | None, list[Finding]]:
    spec, path = value.get("spec"), ("spec",)
    if "spec" not in value:
        return None, [Finding(path, "is missing", "add it, with match and steps")]
    if not isinstance(spec, Mapping):
        return None, [Finding(path, f"must be a map, not {words.kind(spec)}")]
    draft, findings = fields.read(spec)
    findings += rules.findings(spec, kind)
    return draft, [finding.under(path) for finding in findings]
