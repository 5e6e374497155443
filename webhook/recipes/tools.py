"""The tools that migrate a database: how each is called, and what keeps two runs of it apart.

Sources: each project's own documentation, named in docs/how-to/migrate-a-database.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FOLDER = "{scripts}"  # in a command line: where the scripts are
PATIENCE = 300  # seconds for which a tool waits for its lock: as long as a wait; a guess


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool migrates.

    `command` and `args` are its command line, `image` is the word of its own image in
    `defaults.TOOLS`, if its project publishes one: of that the entry point is the tool, and
    `command` is not needed. `scripts` is the folder for its scripts, and `told` the variables that
    say so. `settings` are further variables, for when it does not run in the application's
    environment. `asks` are those without which it knows no database. `locks` says whether it takes
    a lock in the database.
    """

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    image: str = ""
    scripts: str = "/migrations"
    told: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
    locks: bool = False


TOOLS: Mapping[str, Tool] = {
    "flyway": Tool(
        command=("flyway",),
        args=("migrate",),
        image="flyway",
        scripts="/flyway/sql",
        told={"FLYWAY_LOCATIONS": f"filesystem:{FOLDER}"},
        settings={
            "FLYWAY_LOCK_RETRY_COUNT": str(PATIENCE),
            "REDGATE_DISABLE_TELEMETRY": "true",
        },
        asks=("FLYWAY_URL",),
        locks=True,
    ),
    "liquibase": Tool(
        command=("liquibase",),
        args=("update",),
        image="liquibase",
        scripts="/liquibase/changelog",
        told={"LIQUIBASE_SEARCH_PATH": FOLDER},
        settings={"LIQUIBASE_ANALYTICS_ENABLED": "false"},
        asks=("LIQUIBASE_COMMAND_URL", "LIQUIBASE_COMMAND_CHANGELOG_FILE"),
        locks=True,
    ),
    "golang-migrate": Tool(
        command=("migrate",),
        args=(
            f"-source=file://{FOLDER}",
            "-database=$(DATABASE_URL)",
            f"-lock-timeout={PATIENCE}",
            "up",
        ),
        image="golang-migrate",
        asks=("DATABASE_URL",),
        locks=True,
    ),
    "goose": Tool(
        command=("goose",),
        args=("up",),
        told={"GOOSE_MIGRATION_DIR": FOLDER},
        asks=("GOOSE_DRIVER", "GOOSE_DBSTRING"),
    ),
    "alembic": Tool(command=("alembic",), args=("upgrade", "head")),
    "django": Tool(command=("python", "manage.py"), args=("migrate", "--noinput")),
    "rails": Tool(command=("bin/rails",), args=("db:migrate",), locks=True),
    "prisma": Tool(command=("node_modules/.bin/prisma",), args=("migrate", "deploy"), locks=True),
    "atlas": Tool(
        command=("atlas",),
        args=(
            "migrate",
            "apply",
            "--url=$(DATABASE_URL)",
            f"--dir=file://{FOLDER}",
            f"--lock-timeout={PATIENCE}s",
        ),
        image="atlas",
        asks=("DATABASE_URL",),
        locks=True,
    ),
    "command": Tool(),
}
