"""Rules of a spec that one field alone cannot say.

They look at what was written, whatever its types: what has the wrong type is told by `fields`, so
that all that is wrong comes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import name, part
from webhook.policy import model
from webhook.recipes.registry import FIELDS, RECIPES, Recipe

SOURCES = ("podAnnotation", "podLabel", "namespaceAnnotation", "namespaceLabel")
# Kinds whose plural or lower-case form is surely a slip.
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "None")
_PARAMETER = tuple(part.fields(model.Parameter))
_GLOB_LISTS = ("namespaces", "workloads", "serviceAccounts", "images")


def findings(spec: Mapping[str, Any], kind: str) -> list[Finding]:
    """Everything that these rules say against a spec of `kind`; paths begin at the spec."""
    return [finding for rule in _RULES for finding in rule(spec)] + (
        list(_only_cluster(spec)) if kind == model.NAMESPACED_KIND else []
    )


def _only_cluster(spec: Mapping[str, Any]) -> Iterator[Finding]:
    advice = f"only a {model.CLUSTER_KIND} may say it; remove it"
    if "optOut" in spec:
        yield Finding(("optOut",), f"an {model.NAMESPACED_KIND} has no optOut", advice)
    for path, clauses in _clauses(spec):
        for key in model.CLUSTER_ONLY:
            if key in clauses:
                what = f"an {model.NAMESPACED_KIND} applies to its own namespace"
                yield Finding((*path, key), what, advice)


def _unique_names(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("conditions", "parameters", "steps", "volumes"):
        seen: dict[str, int] = {}
        for index, item in _maps(spec, key):
            text = item.get("name")
            if isinstance(text, str) and seen.setdefault(text, index) != index:
                what = f"the name {text!r} is already that of spec.{key}[{seen[text]}]"
                yield Finding((key, index, "name"), what, "names must be unique in a policy")


def _listed_once(spec: Mapping[str, Any]) -> Iterator[Finding]:
    places: list[tuple[Path, Any]] = []
    for path, clauses in _clauses(spec):
        places += [((*path, key), clauses.get(key)) for key in _GLOB_LISTS]
    for index, item in _maps(spec, "parameters"):
        places.append((("parameters", index, "enum"), item.get("enum")))
    for index, item in _maps(spec, "steps"):
        borrow = item.get("borrow")
        if isinstance(borrow, Mapping):
            path = ("steps", index, "borrow")
            places += [((*path, key), borrow.get(key)) for key in ("env", "volumeMounts")]
    placement = spec.get("placement")
    if isinstance(placement, Mapping):
        places += [(("placement", key), placement.get(key)) for key in ("before", "after")]
    for path, mount in _mounts(spec):
        places.append(((*path, "containers"), mount.get("containers")))
    for path, value in places:
        yield from _once(path, value)


def _once(path: Path, value: Any) -> Iterator[Finding]:
    if not isinstance(value, list):
        return
    seen = set()
    for index, item in enumerate(value):
        key = (type(item), item) if isinstance(item, (str, int)) else (list, index)
        if key in seen:
            yield Finding((*path, index), f"{item!r} is listed twice", "remove one")
        seen.add(key)


def _clause_rules(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for path, clauses in _clauses(spec):
        annotations = clauses.get("annotations")
        if isinstance(annotations, Mapping):
            for key in annotations:
                yield from _key((*path, "annotations", key), key)
        workloads = clauses.get("workloads")
        if isinstance(workloads, list):
            for index, text in enumerate(workloads):
                yield from _workload((*path, "workloads", index), text)
        if path[0] == "exclude" and not clauses:
            advice = "write at least one clause, or remove the entry"
            yield Finding(path, "has no clause, so it would exclude every pod", advice)


def _workload(path: Path, text: Any) -> Iterator[Finding]:
    if not isinstance(text, str) or text in _WORKLOADS:
        return
    slips = {slip.lower(): kind for kind in _WORKLOADS for slip in (kind, f"{kind}s")}
    if text.lower() in slips and text[:1].isupper():
        advice = f"did you mean {slips[text.lower()]}?"
        yield Finding(path, f"{text!r} is no kind of Kubernetes", advice, "warning")


def _sources(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for index, item in _maps(spec, "parameters"):
        for place, source in _maps(item, "from"):
            path = ("parameters", index, "from", place)
            keys = [key for key in SOURCES if key in source]
            if len(keys) != 1:
                have = f"has {len(keys)} sources" if keys else "has no source"
                advice = "write one entry of the list for each" if keys else ""
                yield Finding(path, f"{have}, not exactly one of {', '.join(SOURCES)}", advice)
            for key in keys:
                yield from _key((*path, key), source[key])


def _settable(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for index, item in _maps(spec, "parameters"):
        misspelt = any(key not in _PARAMETER for key in item)
        if not misspelt and "from" not in item and "default" not in item:
            what = "has neither from nor default, so it never has a value"
            yield Finding(("parameters", index), what, "add one of them, or remove the parameter")


def _container_names(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for index, item in _maps(spec, "steps"):
        container = item.get("container")
        if isinstance(container, Mapping) and container.get("name", item.get("name")) != item.get(
            "name"
        ):
            what = "differs from the name of the step, which is the container's"
            yield Finding(("steps", index, "container", "name"), what, "remove it")


def _one_recipe(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for index, item in _maps(spec, "steps"):
        path = ("steps", index)
        written = [recipe for recipe in RECIPES.values() if recipe.field in item]
        if not written and "container" not in item:
            ways = ", ".join(("container", *FIELDS))
            if not _misspelt(item):
                yield Finding(path, "does nothing", f"add one of {ways}")
        elif len(written) > 1:
            names = " and ".join(recipe.field for recipe in written)
            yield Finding(path, f"has {names}", "write a step for each")
        yield from (finding.under(path) for finding in _beside(item, written))


def _beside(step: Mapping[str, Any], written: Sequence[Recipe]) -> Iterator[Finding]:
    """Fields that only say something to a recipe which is not there."""
    for key in _BESIDE:
        if key in step and not any(key in recipe.beside for recipe in written):
            users = [recipe.field for recipe in RECIPES.values() if key in recipe.beside]
            yield Finding((key,), f"is only for {', '.join(users)}", "remove it")
    code = step.get("exitCode")
    if isinstance(code, int) and not 1 <= code <= 255:
        yield Finding(("exitCode",), "must be from 1 to 255")


def _misspelt(step: Mapping[str, Any]) -> bool:
    """Whether a field is written that no step has: told already, and maybe what is missing."""
    return any(key not in part.fields(model.Step) for key in step)


_BESIDE = sorted({name for recipe in RECIPES.values() for name in recipe.beside})
_TEMPLATED = ("container", "timeout", *FIELDS)  # fields of a step that may hold templates


def _no_templates(spec: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("match", "exclude", "steps", "volumes", "placement"):
        yield from _holes((key,), spec.get(key))


def _holes(path: Path, value: Any) -> Iterator[Finding]:
    """Strings with a `${` outside of steps' work, where it would be taken as it stands."""
    if isinstance(value, str) and "${" in value:
        advice = "write what you mean without a template, or move it into a step's container"
        yield Finding(path, "templates stand only inside a step's container or recipe", advice)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not (key in _TEMPLATED and len(path) == 2 and path[0] == "steps"):
                yield from _holes((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _holes((*path, index), item)


def _key(path: Path, key: Any) -> Iterator[Finding]:
    fault = name.key(key) if isinstance(key, str) and key else ""
    if fault:
        yield Finding(path, f"the key {key!r} {fault}")


def _mount_rules(spec: Mapping[str, Any]) -> Iterator[Finding]:
    # core/v1: validateMountPath, validateLocalDescendingPath and validateMountRecursiveReadOnly
    for path, mount in _mounts(spec):
        place = mount.get("mountPath")
        if isinstance(place, str) and ":" in place:
            yield Finding((*path, "mountPath"), "must not contain ':'")
        if mount.get("subPath") and mount.get("subPathExpr"):
            yield Finding((*path, "subPathExpr"), "stands beside subPath", "use only one of them")
        for key in ("subPath", "subPathExpr"):
            yield from _descending((*path, key), mount.get(key))
        yield from _recursive(path, mount)


def _descending(path: Path, text: Any) -> Iterator[Finding]:
    if isinstance(text, str) and text.startswith("/"):
        yield Finding(path, "must be a relative path", "remove the '/' at its beginning")
    elif isinstance(text, str) and ".." in text.split("/"):
        yield Finding(path, "must not contain '..'")


def _recursive(path: Path, mount: Mapping[str, Any]) -> Iterator[Finding]:
    if mount.get("recursiveReadOnly") not in ("IfPossible", "Enabled"):
        return
    if mount.get("readOnly") is not True:
        what, advice = "needs a mount that is read-only", "add readOnly: true"
        yield Finding((*path, "recursiveReadOnly"), what, advice)
    if mount.get("mountPropagation", "None") != "None":
        yield Finding((*path, "mountPropagation"), "must be None with recursiveReadOnly")


def _clauses(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    match = spec.get("match")
    if isinstance(match, Mapping):
        yield ("match",), match
    for index, item in _maps(spec, "exclude"):
        yield ("exclude", index), item


def _mounts(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    for index, volume in _maps(spec, "volumes"):
        for place, mount in _maps(volume, "mountInto"):
            yield ("volumes", index, "mountInto", place), mount


def _maps(value: Mapping[str, Any], key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    items = value.get(key)
    if isinstance(items, list):
        yield from ((i, item) for i, item in enumerate(items) if isinstance(item, Mapping))


_RULES: tuple[Callable[[Mapping[str, Any]], Iterator[Finding]], ...] = (
    _unique_names,
    _listed_once,
    _clause_rules,
    _sources,
    _settable,
    _mount_rules,
    _container_names,
    _one_recipe,
    _no_templates,
)
