"""One written policy to one compiled policy, with everything that is wrong in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webhook.document.problem import Finding, Path, field
from webhook.errors import ExpressionError
from webhook.expression import environment, template
from webhook.expression.reads import Reads, join
from webhook.policy import compiled, container, expand, glob, model, parameter, selector
from webhook.policy.parse import Written
from webhook.recipes.defaults import Defaults

Types = Mapping[str, str]
_NAMESPACE = "namespaceObject"
_SOURCES: tuple[tuple[str, compiled.Source], ...] = (
    ("pod_annotation", "podAnnotation"),
    ("pod_label", "podLabel"),
    ("namespace_annotation", "namespaceAnnotation"),
    ("namespace_label", "namespaceLabel"),
)
# Templates here need no check of the filled container: any text will do.
_FREE = frozenset(("command", "args"))


def compile_policy(
    written: Written, defaults: Defaults, *, newer: bool = False
) -> tuple[compiled.Policy | None, list[Finding]]:
    """The policy ready for matching, or None; all findings (also warnings), paths from `spec` on.

    Recipes take from `defaults` what they do not say. With `newer` a field of a container or volume
    that is not known here is a warning (see `container`). Never raises: everything that an author
    can write wrongly is a finding.
    """
    expanded = expand.expand(written.spec, defaults)
    found: list[Finding] = []
    policy = _compile(written, expanded, found, newer)
    findings = [*expanded.findings, *map(expanded.origins.original, found)]
    failed = any(finding.severity == "error" for finding in findings)
    return (None if failed else policy), [finding.under(("spec",)) for finding in findings]


def _compile(
    written: Written, expanded: expand.Expanded, findings: list[Finding], newer: bool
) -> compiled.Policy:
    spec = expanded.spec
    types: Types = {p.name: p.type for p in spec.parameters}
    match = _clauses(spec.match, ("match",), findings)
    exclude = tuple(
        _clauses(entry, ("exclude", i), findings) for i, entry in enumerate(spec.exclude)
    )
    conditions = tuple(_conditions(spec.conditions, types, findings))
    parameters = tuple(_parameters(spec.parameters, findings))
    steps = tuple(_steps(expanded, types, findings, newer))
    volumes = tuple(_volumes(expanded, findings, newer))
    holes = [hole for step in steps for _, hole in step.holes]
    reads = join(
        *(c.expression.reads for c in conditions), *(hole.reads for hole in holes), Reads.none()
    )
    return compiled.Policy(
        name=written.name,
        namespace=written.namespace,
        match=match,
        exclude=exclude,
        conditions=conditions,
        parameters=parameters,
        steps=steps,
        volumes=volumes,
        origins=expanded.origins,
        order=spec.order,
        last=spec.placement.position == "Last",
        before=_globs(spec.placement.before),
        after=_globs(spec.placement.after),
        dns=bool(expanded.dns),
        meshed=bool(expanded.network) and spec.placement.mesh == "Auto",
        reject_conflict=spec.on_conflict == "Reject",
        reject_error=spec.on_error == "Reject",
        forbid_opt_out=spec.opt_out == "Forbid",
        audit=spec.mode == "Audit",
        pulled=expanded.pulled,
        sized=any("resources" in step.container for step in steps),
        reads=reads,
        cost=sum(c.expression.cost for c in conditions) + sum(hole.cost for hole in holes),
        # Whether opting out is forbidden is said by a label of the namespace.
        needs_namespace=spec.opt_out == "Forbid"
        or _needs_namespace((match, *exclude), parameters, reads),
    )


def _globs(texts: Sequence[str]) -> tuple[glob.Glob, ...]:
    return tuple(map(glob.parse, texts))


def _some_globs(texts: Sequence[str] | None) -> tuple[glob.Glob, ...] | None:
    return None if texts is None else _globs(texts)


def _needs_namespace(
    clauses: Sequence[compiled.Clauses], parameters: Sequence[compiled.Parameter], reads: Reads
) -> bool:
    selects = any(c.namespace_selector and c.namespace_selector.requirements for c in clauses)
    asks = any(source.startswith("namespace") for p in parameters for source, _ in p.sources)
    return selects or asks or bool(reads.under(_NAMESPACE))


def _clauses(written: model.Clauses, path: Path, findings: list[Finding]) -> compiled.Clauses:
    annotations = written.annotations
    return compiled.Clauses(
        namespace_selector=_selector(
            written.namespace_selector, (*path, "namespaceSelector"), findings
        ),
        namespaces=_some_globs(written.namespaces),
        pod_selector=_selector(written.pod_selector, (*path, "podSelector"), findings),
        annotations=None
        if annotations is None
        else tuple((k, glob.parse(v)) for k, v in annotations.items()),
        workloads=None if written.workloads is None else tuple(written.workloads),
        service_accounts=_some_globs(written.service_accounts),
        images=_some_globs(written.images),
    )


def _selector(written: Any, path: Path, findings: list[Finding]) -> selector.Selector | None:
    if written is None:
        return None
    found, wrong = selector.parse(written)
    findings += (finding.under(path) for finding in wrong)
    return found


def _conditions(
    written: Sequence[model.Condition], types: Types, findings: list[Finding]
) -> Iterator[compiled.Condition]:
    for index, condition in enumerate(written):
        path = ("conditions", index, "expression")
        try:
            compiled_ = environment.compile(
                condition.expression, environment.Kind.BOOL, parameters=types
            )
        except ExpressionError as error:
            findings.append(_refused(path, error))
            continue
        findings += _suspicions(path, compiled_.suspicions)
        yield compiled.Condition(condition.name, compiled_)


def _refused(path: Path, error: ExpressionError) -> Finding:
    return Finding(path, error.what, error.advice, offset=error.offset)


def _suspicions(path: Path, found: Sequence[tuple[int, str, str]]) -> Iterator[Finding]:
    for offset, what, advice in found:
        yield Finding(path, what, advice, "warning", offset)


def _parameters(
    written: Sequence[model.Parameter], findings: list[Finding]
) -> Iterator[compiled.Parameter]:
    for index, one in enumerate(written):
        wrong: list[Finding] = []
        reader, default = parameter.build(one, wrong)
        findings += (finding.under(("parameters", index)) for finding in wrong)
        if reader is not None:
            yield compiled.Parameter(
                name=one.name,
                type=one.type,
                sources=tuple(_sources(one)),
                default=default,
                bounded=one.pattern is not None or one.enum is not None,
                read=reader,
            )


def _sources(written: model.Parameter) -> Iterator[tuple[compiled.Source, str]]:
    for source in written.from_ or ():
        for attribute, name in _SOURCES:
            key = getattr(source, attribute)
            if key is not None:
                yield name, key


def _steps(
    expanded: expand.Expanded, types: Types, findings: list[Finding], newer: bool
) -> Iterator[compiled.Step]:
    spec, origins = expanded.spec, expanded.origins
    volumes = [volume.name for volume in spec.volumes]
    for index, step in enumerate(spec.steps):
        path = ("steps", index, "container")
        raw = step.container or {}
        findings += (f.under(path) for f in _container_findings(step, volumes, newer))
        holes = tuple(_holes(raw, path, types, findings))
        yield compiled.Step(
            name=step.name,
            os=step.os,
            container=container.stored({k: v for k, v in raw.items() if k != "name"}),
            holes=tuple((hole_path[len(path) :], hole) for hole_path, hole in holes),
            borrow=_borrow(step.borrow),
            sidecar=raw.get("restartPolicy") == "Always",
            guarded=any(_is_guarded(hole_path[len(path) :]) for hole_path, _ in holes),
            network=step.name in expanded.network,
            dns=step.name in expanded.dns,
            place=field(origins.steps[index].path),
            sources=tuple(field(origins.place(hole_path)) for hole_path, _ in holes),
        )


def _container_findings(step: model.Step, volumes: Sequence[str], newer: bool) -> list[Finding]:
    raw = step.container or {}
    borrowed = step.borrow is not None and bool(step.borrow.volume_mounts)
    image = step.borrow is not None and step.borrow.image
    named = {**raw, "name": raw.get("name", step.name)}
    # Borrowed mounts bring volumes of the pod, whose names are not known here.
    known = None if borrowed else volumes
    return container.findings(named, volumes=known, image_borrowed=image, newer=newer)


def _is_guarded(path: Path) -> bool:
    free_value = path[0] == "env" and path[-1] == "value"
    return path[0] not in _FREE and not free_value


def _holes(
    value: Any, path: Path, types: Types, findings: list[Finding]
) -> Iterator[tuple[Path, template.Template]]:
    """Each string with a template, at its place in the written container."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _holes(child, (*path, key), types, findings)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _holes(child, (*path, index), types, findings)
    elif isinstance(value, str) and template.has_holes(value):
        try:
            found = template.parse(value, parameters=types)
        except ExpressionError as error:
            findings.append(_refused(path, error))
            return
        findings += _suspicions(path, found.suspicions)
        yield path, found


def _borrow(written: model.Borrow | None) -> compiled.Borrow | None:
    if written is None:
        return None
    return compiled.Borrow(
        container=glob.parse(written.container),
        image=written.image,
        env=_globs(written.env),
        env_from=written.env_from,
        volume_mounts=_globs(written.volume_mounts),
    )


def _volumes(
    expanded: expand.Expanded, findings: list[Finding], newer: bool
) -> Iterator[compiled.Volume]:
    for index, volume in enumerate(expanded.spec.volumes):
        found = container.volume_findings(volume.raw, newer=newer)
        findings += (finding.under(("volumes", index)) for finding in found)
        mounts = tuple(
            compiled.MountInto(_globs(target.containers), _mount(volume.name, target))
            for target in volume.mount_into
        )
        refilled = bool(expanded.origins.volumes[index].recipe) and "emptyDir" in volume.raw
        yield compiled.Volume(volume.name, container.stored_volume(volume.raw), mounts, refilled)


def _mount(volume: str, target: model.MountInto) -> dict[str, Any]:
    """The raw volumeMount of an application container, in stored form."""
    written = {
        "name": volume,
        "readOnly": target.read_only,
        "mountPath": target.mount_path,
        "subPath": target.sub_path,
        "subPathExpr": target.sub_path_expr,
        "mountPropagation": target.mount_propagation,
        "recursiveReadOnly": target.recursive_read_only,
    }
    return {key: value for key, value in written.items() if value}
