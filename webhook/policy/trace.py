"""Where a template's value comes from and where it goes: the author of a pod must not write code.

What such an author controls (`object`, `request`, parameters read from a pod, borrowed
environment) may fill an argument, an environment value, a host or a path. Everything else is
refused, above all images and scripts. `$(NAME)` in a command line is a template too: the kubelet
fills it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.expression.reads import Reads
from webhook.policy import trust
from webhook.policy.compiled import Borrow, Parameter, Policy, Step

_REFERENCE = re.compile(r"\$\$|\$\(([^)]+)\)")  # on an author's policy, never on a pod's data

# Downward API fields (fieldRef) that the author of a pod writes.
_AUTHORED = ("metadata.name", "metadata.generateName", "metadata.labels", "metadata.annotations",
             "spec.serviceAccountName")  # fmt: skip

_DATA_FIELDS = frozenset(("workingDir",))
_MOUNT_FIELDS = frozenset(("mountPath", "subPath", "subPathExpr"))
_HANDLERS = frozenset(("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"))
_HANDLER_FIELDS = frozenset(
    (("httpGet", "path"), ("httpGet", "host"), ("tcpSocket", "host"), ("grpc", "service"))
)

_ENTRYPOINT = "a script, if the image's entrypoint is a shell"
_ADVICE = "read it from namespaceObject, or from a parameter that only the namespace sets"
_SCRIPT_ADVICE = (
    'pass it as data instead: an env value read as "$NAME", or an argument after the script'
)


@dataclass(frozen=True, slots=True)
class _Tainted:
    """Which parameters of a policy and which variables of a step a pod's author fills."""

    parameters: frozenset[str]
    variables: Mapping[str, str]  # name → why, or ""
    borrow: Borrow | None

    def template(self, reads: Reads) -> str:
        """What of the author's a template reads, or an empty string."""
        for path in sorted(reads.paths):
            if path[0] in ("object", "request"):
                return ".".join(path)
            if path[0] == "parameters" and self._may_be_set(path[1:2]):
                return f"{'.'.join(path)}, which a pod can set"
        return ""

    def _may_be_set(self, name: tuple[str, ...]) -> bool:
        return not name or name[0] == "*" or name[0] in self.parameters

    def text(self, value: str) -> str:
        """Which `$(NAME)` of the author's a text holds, or an empty string."""
        for found in _REFERENCE.finditer(value):
            name = found.group(1)
            if name is None:
                continue
            reason = self.variables.get(name, self._unnamed(name))
            if reason:
                return f"$({name}), {reason}"
        return ""

    def _unnamed(self, name: str) -> str:
        """Why a variable that the step does not set itself may be the author's."""
        if self.borrow is not None and any(glob.matches(name) for glob in self.borrow.env):
            return "which is borrowed from the application"
        if self.borrow is not None and self.borrow.env_from:
            return "which envFrom of the application may set"
        return ""


def findings(policy: Policy) -> Iterator[Finding]:
    """Everything that lets a pod's author write code; paths begin at the policy's spec."""
    parameters = frozenset(p.name for p in policy.parameters if _from_pod(p))
    yield from _unbounded(policy)
    for index, step in enumerate(policy.steps):
        tainted = _variables(step, parameters)
        for finding in (*_holes(step, tainted), *_references(step, tainted)):
            yield finding.under(("steps", index, "container"))


def _unbounded(policy: Policy) -> Iterator[Finding]:
    for index, parameter in enumerate(policy.parameters):
        if _from_pod(parameter) and parameter.type == "string" and not parameter.bounded:
            what = "a string that a pod can set needs a pattern or an enum"
            yield Finding(("parameters", index), what, "add for example pattern: '[a-z0-9.-]+'")


def _from_pod(parameter: Parameter) -> bool:
    return any(source.startswith("pod") for source, _ in parameter.sources)


def _variables(step: Step, parameters: frozenset[str]) -> _Tainted:
    """Trace the step's environment, in order: a value may refer to those before it."""
    variables: dict[str, str] = {}
    holes = dict(step.holes)
    tainted = _Tainted(parameters, variables, step.borrow)
    for index, entry in enumerate(_dicts(step.container.get("env"))):
        hole = holes.get(("env", index, "value"))
        read = tainted.template(hole.reads) if hole is not None else ""
        filled = f"filled from {read}" if read else tainted.text(str(entry.get("value", "")))
        variables[str(entry.get("name"))] = filled or _field_reference(entry)
    return tainted


def _field_reference(entry: Mapping[str, Any]) -> str:
    reference = (entry.get("valueFrom") or {}).get("fieldRef") or {}
    path = str(reference.get("fieldPath", ""))
    return f"a fieldRef to {path}" if path.startswith(_AUTHORED) else ""


def _holes(step: Step, tainted: _Tainted) -> Iterator[Finding]:
    for path, hole in step.holes:
        source = tainted.template(hole.reads)
        if source:
            yield from _refused(step, path, source)


def _references(step: Step, tainted: _Tainted) -> Iterator[Finding]:
    """`$(NAME)` in command lines and environment values."""
    for path, text in _command_lines(step.container):
        source = tainted.text(text)
        if source:
            yield from _refused(step, path, source)
    for index, entry in enumerate(_dicts(step.container.get("env"))):
        source = tainted.text(str(entry.get("value", "")))
        if source:
            yield from _refused(step, ("env", index, "value"), source)


def _command_lines(container: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for field in ("command", "args"):
        for index, word in enumerate(container.get(field) or ()):
            yield (field, index), str(word)


def _refused(step: Step, path: Path, source: str) -> Iterator[Finding]:
    """Why a value of the author's must not stand at `path`, if it must not."""
    head, container = path[0], step.container
    if head in ("command", "args"):
        yield from _in_command(container, path, source)
    elif head == "env" and path[-1] == "value":
        name = str(_dicts(container.get("env"))[int(path[1])].get("name"))
        if trust.loads_code(name):
            what = f"{name} decides what code runs, and the author of a pod controls {source}"
            yield Finding(path, what, "use another variable")
    elif head in _HANDLERS:
        yield from _in_handler(container, path, source)
    elif not (head in _DATA_FIELDS or (head == "volumeMounts" and path[-1] in _MOUNT_FIELDS)):
        what = f"the author of a pod controls {source}, which must not decide this field"
        yield Finding(path, what, _ADVICE)


def _in_command(container: Mapping[str, Any], path: Path, source: str) -> Iterator[Finding]:
    command = [str(word) for word in container.get("command") or ()]
    words = [*command, *(str(word) for word in container.get("args") or ())]
    index = int(path[1]) + (len(command) if path[0] == "args" else 0)
    if index == 0 and command:
        what = f"the author of a pod controls {source}, which must not choose the program"
        yield Finding(path, what, _ADVICE)
    elif index in trust.script_words(words):
        what = f"the author of a pod controls {source}, which must not become part of a script"
        yield Finding(path, what, _SCRIPT_ADVICE)
    elif trust.chooses_host(words, index):
        what = f"the author of a pod controls {source}, which must not choose the host"
        yield Finding(path, what, _ADVICE)
    elif not command and (index == 0 or trust.looks_like_a_shells(words[index - 1])):
        part = "the program, if the image has no entrypoint" if index == 0 else _ENTRYPOINT
        what = f"the author of a pod controls {source}: {part}"
        yield Finding(path, what, "write command, so that this is surely an argument", "warning")


def _in_handler(container: Mapping[str, Any], path: Path, source: str) -> Iterator[Finding]:
    if path[-2:] in _HANDLER_FIELDS or "httpHeaders" in path:
        return
    what = f"the author of a pod controls {source}, which must not decide this field"
    if "command" in path:
        words: Any = container
        for part in path[:-1]:
            words = words[part]
        index = int(path[-1])
        if index and index not in trust.script_words([str(word) for word in words]):
            return
        what = f"the author of a pod controls {source}, which must not become part of a script"
    yield Finding(path, what, _ADVICE)


def _dicts(value: object) -> Sequence[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
