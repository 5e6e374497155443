"""`migrate`: bring a database to the schema that the application expects, with the team's tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webhook.document.problem import Finding
from webhook.form import label
from webhook.form.form import Boolean, Choice, Filled, ListOf, MapOf, Pattern, Text
from webhook.form.part import Part, fields, needed, told
from webhook.recipes import reference, targets, waiting
from webhook.recipes.defaults import Defaults
from webhook.recipes.reference import VALUE, Value
from webhook.recipes.rendered import Beside, Raw, Rendered
from webhook.recipes.targets import Target
from webhook.recipes.tools import FOLDER, TOOLS, Tool

TMP_SIZE = "128Mi"  # a guess: a JVM's own files are far smaller
BESIDE = ("timeout", "exitCode")
DESCRIPTION = (
    "Migrate a database: wait until it takes connections, then run a tool with the application's "
    "own image and environment, or with the tool's image."
)

_WORD = Filled(Text(4096))
_PATH = Filled(Text(1024, pattern=Pattern("^/[^:]*$", "be an absolute path without ':'", "-")))
# core validation IsEnvVarName
_VARIABLE = Pattern(
    r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", "consist of letters, digits, '_', '-' and '.'", "_"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database, by what it must answer: exactly one of the fields."""

    postgres: targets.Postgres | None = told(
        Part(targets.Postgres), "PostgreSQL, or what speaks like it."
    )
    mysql: targets.Mysql | None = told(Part(targets.Mysql), "MySQL or MariaDB.")
    mongodb: targets.Server | None = told(Part(targets.Server), "MongoDB.")
    tcp: targets.Tcp | None = told(Part(targets.Tcp), "Any other: its port accepts connections.")
    urls: str | None = told(
        fields(Target)["urls"].form, "Targets as URLs, such as `postgres://db`, from a parameter."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """Where the scripts come from: a volume or a ConfigMap."""

    volume: str | None = told(
        label.NAME,
        "A volume of the policy, or of an earlier step that fetches.",
    )
    config_map: str | None = told(
        reference.NAME, "A ConfigMap of the pod's namespace; each key is a file."
    )
    path: str | None = told(_PATH, "The folder where the tool finds them; its own without it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrate:
    """Which tool, where it runs, and what it is given."""

    tool: Literal[
        "flyway", "liquibase", "golang-migrate", "goose", "alembic", "django", "rails", "prisma",
        "atlas", "command",
    ] = needed(Choice(tuple(TOOLS)), "The tool, or `command` for anything else.")  # fmt: skip
    container: str | None = told(
        label.CONTAINERS,
        "The container of the application, by its name or a glob, that lends its image, user, "
        "environment and mounts.",
    )
    env_from: bool = told(
        Boolean(),
        "Take its envFrom, too: every variable of the Secrets and ConfigMaps named there.",
        default=False,
    )
    image: str | None = told(
        Filled(Text(1024)),
        "The image that has the tool, instead of the container's or the tool's own.",
    )
    command: tuple[str, ...] | None = told(
        ListOf(_WORD, least=1, most=64),
        "The program, instead of the tool's; the arguments stay the tool's.",
    )
    args: tuple[str, ...] | None = told(
        ListOf(_WORD, least=1, most=256), "Its arguments, instead of the tool's."
    )
    env: Mapping[str, Value] | None = told(
        MapOf(Text(256, pattern=_VARIABLE), VALUE, most=64),
        "Variables by their names: the database's address and credentials.",
    )
    scripts: Scripts | None = told(
        Part(Scripts), "Where the scripts come from, if not with the image."
    )
    database: Database | None = told(
        Part(Database, single=True),
        "The database to wait for first. Without it nothing is waited for.",
    )
    concurrent: bool = told(
        Boolean(),
        "That it may run several times at once: silences the warning about a tool without a lock.",
        default=False,
    )


FORM = Part(Migrate)


def render(written: Migrate, beside: Beside, defaults: Defaults) -> Rendered:
    """A container that waits for the database, if it is named, and the one that migrates it."""
    tool = TOOLS[written.tool]
    step: dict[str, Any] = {
        "name": beside.name,
        "os": beside.os,
        "container": _container(written, tool, beside.name, defaults),
    }
    if written.container is not None:
        step["borrow"] = {
            "container": written.container,
            "image": written.image is None,
            "env": ["*"],
            "envFrom": written.env_from,
            "volumeMounts": ["*"],
        }
    wait = _wait(written, beside, defaults)
    return Rendered(
        steps=(*wait.steps, step),
        volumes=(*wait.volumes, *_volumes(written, beside.name)),
        findings=(*wait.findings, *_findings(written, tool, beside)),
    )


def _wait(written: Migrate, beside: Beside, defaults: Defaults) -> Rendered:
    if written.database is None:
        return Rendered()
    kinds = {field.attribute: getattr(written.database, field.attribute)
             for field in fields(Database).values()}  # fmt: skip
    named = Beside(f"{beside.name}-wait", beside.os, beside.timeout, exit_code=beside.exit_code)
    found = waiting.rendered((Target(**kinds),), named, defaults)
    # The list of targets is ours; the author wrote the one.
    moved = (Finding(("database", *f.path[1:]), f.what, f.advice) for f in found.findings)
    return Rendered(found.steps, found.volumes, findings=tuple(moved))


def _container(written: Migrate, tool: Tool, name: str, defaults: Defaults) -> dict[str, Any]:
    folder = _folder(written, tool)
    own = written.image is None and written.container is None and bool(tool.image)
    image = defaults.tool(tool.image) if own else written.image
    command = written.command or (() if own else tool.command)
    args = written.args or tool.args
    found: dict[str, Any] = {
        "image": image,
        "command": list(command),
        "args": [word.replace(FOLDER, folder) for word in args],
        "env": list(_env(written, tool)),
        "volumeMounts": list(_mounts(written, tool, name)),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {field: value for field, value in found.items() if value}


def _folder(written: Migrate, tool: Tool) -> str:
    return (written.scripts.path if written.scripts else None) or tool.scripts


def _env(written: Migrate, tool: Tool) -> Iterator[Raw]:
    """The variables of the tool, then the author's, which replace them.

    By their names, for the API server keeps no order of a map's keys; those that refer to another
    come last, for a variable can only refer to one before it (core/v1 EnvVar).
    """
    ours: dict[str, str] = {}
    if written.container is None:
        ours |= tool.settings
    if written.scripts is not None:
        ours |= tool.told
    if written.container is None or written.image is not None:
        ours["HOME"] = "/tmp"  # noqa: S108 - the volume; the user has no home
    folder = _folder(written, tool)
    given = written.env or {}
    for name, text in ours.items():
        if name not in given:
            yield {"name": name, "value": text.replace(FOLDER, folder)}
    for name in sorted(given, key=lambda one: ("$(" in (given[one].value or ""), one)):
        yield reference.variable(name, given[name])


def _mounts(written: Migrate, tool: Tool, name: str) -> Iterator[Raw]:
    yield {"name": f"{name}-tmp", "mountPath": "/tmp"}  # noqa: S108 - the volume
    scripts = written.scripts
    if scripts is not None:
        volume = scripts.volume or f"{name}-scripts"
        yield {"name": volume, "mountPath": _folder(written, tool), "readOnly": True}


def _volumes(written: Migrate, name: str) -> Iterator[Raw]:
    yield {"name": f"{name}-tmp", "emptyDir": {"sizeLimit": TMP_SIZE}}
    if written.scripts is not None and written.scripts.config_map is not None:
        yield {"name": f"{name}-scripts", "configMap": {"name": written.scripts.config_map}}


def _findings(written: Migrate, tool: Tool, beside: Beside) -> Iterator[Finding]:
    yield from _needs(written, tool)
    yield from _scripts(written, tool)
    if written.env_from and written.container is None:
        what = "takes from the application's container, which is not named"
        yield Finding(("envFrom",), what, "add container, or remove it")
    yield from _unawaited(written, beside)
    if not tool.locks and not written.concurrent:
        yield Finding(
            ("tool",),
            f"{_it(written)} takes no lock in the database, so that replicas which start at once "
            "run it at the same time",
            "run it once, in a Job for which the pods wait by waitFor: [{job: {name: …}}], or "
            "write concurrent: true if that is safe",
            "warning",
        )


def _it(written: Migrate) -> str:
    return "a command" if written.tool == "command" else written.tool


def _needs(written: Migrate, tool: Tool) -> Iterator[Finding]:
    """What there is to run, in which image, with which database."""
    somewhere = written.image is not None or written.container is not None
    if not somewhere and not tool.image:
        what = f"{_it(written)} has no image of its own"
        yield Finding(("tool",), what, "add container or image")
    if not (tool.command or written.command or written.args or written.image):
        yield Finding(("tool",), "says nothing to run", "add command")
    lacks = [name for name in tool.asks if name not in (written.env or {})]
    if lacks and written.container is None and written.args is None:
        what = f"{written.tool} gets no {' and no '.join(lacks)}, and so knows no database"
        advice = f"write env: {{{lacks[0]}: {{secret: {{name: …, key: …}}}}}}"
        yield Finding(("env",), what, advice, "warning")


def _scripts(written: Migrate, tool: Tool) -> Iterator[Finding]:
    scripts = written.scripts
    if scripts is None:
        bare = written.image is None and written.container is None and written.args is None
        if bare and tool.image:
            what = f"is missing: the image of {written.tool} has none"
            yield Finding(("scripts",), what, "add scripts, or an image that has them")
    elif (scripts.volume is None) == (scripts.config_map is None):
        yield Finding(("scripts",), "needs exactly one of volume and configMap")


def _unawaited(written: Migrate, beside: Beside) -> Iterator[Finding]:
    if written.database is not None:
        return
    if beside.timeout is not None or beside.exit_code is not None:
        what = "is missing: timeout and exitCode are only for the wait for it"
        yield Finding(("database",), what, "add database, or remove them")
    else:
        what = "is missing, so that nobody waits for the database: the step fails until it is there"
        advice = "add for example database: {postgres: {host: db}}"
        yield Finding(("database",), what, advice, "warning")
