"""How a database is migrated: what is rendered for each tool, and what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.form.form import Reading
from webhook.recipes import defaults, migrate, tools
from webhook.recipes.defaults import Defaults
from webhook.recipes.rendered import Beside, Rendered

SCRIPTS = {"scripts": {"configMap": "schema"}}
DATABASE = {"database": {"postgres": {"host": "db"}}}
URL = {"value": "x"}


def render(written: dict[str, Any], **beside: Any) -> Rendered:
    reading = Reading()
    value = migrate.FORM.read((), written, reading)
    assert [] == reading.findings
    return migrate.render(value, Beside("schema", **beside), Defaults())


def told(written: dict[str, Any], severity: str, **beside: Any) -> dict[str, str]:
    """What is said of a severity, by its field."""
    found = render(written, **beside).findings
    return {".".join(map(str, f.path)): f.what for f in found if f.severity == severity}


def test_without_a_database_nobody_waits() -> None:
    """The shortest form works, and a warning names the field that it lacks."""
    written = {"tool": "flyway", "container": "app"}

    assert ["schema"] == [step["name"] for step in render(written).steps]
    assert ({}, ["database"]) == (told(written, "error"), list(told(written, "warning")))


def test_what_waits_comes_first_and_what_works_has_the_name() -> None:
    """The image of ours, then the tool's."""
    found = render({"tool": "flyway", "container": "app", **DATABASE}, timeout="9s", exit_code=7)

    assert ["schema-wait", "schema"] == [step["name"] for step in found.steps]
    wait = found.steps[0]["container"]
    assert (["initject", "wait"], ["--timeout=9s", "--exit-code=7"]) == (
        wait["command"],
        wait["args"][:2],
    )


def test_what_waits_can_log_in_and_what_works_sees_nothing_of_it() -> None:
    """The user and the password are variables of the wait alone."""
    held = {"secret": {"name": "shop-database", "key": "password"}}
    login = {"login": {"user": {"value": "shop"}, "password": held}}
    written = {"tool": "flyway", "container": "app", "database": {"mysql": {"host": "db", **login}}}
    wait, work = (step["container"] for step in render(written).steps)

    assert "login=INITJECT_LOGIN_0" in wait["args"]
    assert ["INITJECT_LOGIN_0_USER", "INITJECT_LOGIN_0_PASSWORD"] == [
        variable["name"] for variable in wait["env"]
    ]
    assert not [v for v in work.get("env", ()) if v["name"].startswith("INITJECT")]


@pytest.mark.parametrize("tool", [word for word, tool in tools.TOOLS.items() if tool.image])
def test_a_tool_in_its_own_image_is_its_entry_point(tool: str) -> None:
    """It is given arguments only, a home that it can write, and the folder of its scripts."""
    written = {"tool": tool, "env": dict.fromkeys(tools.TOOLS[tool].asks, URL)}
    found = render({**written, **SCRIPTS, **DATABASE})

    container = found.steps[-1]["container"]
    assert Defaults().tool(tool) == container["image"]
    assert "command" not in container
    assert {"name": "HOME", "value": "/tmp"} in container["env"]
    folder = tools.TOOLS[tool].scripts
    assert [("schema-tmp", "/tmp"), ("schema-scripts", folder)] == [
        (mount["name"], mount["mountPath"]) for mount in container["volumeMounts"]
    ]
    said = [*container["args"], *(entry.get("value", "") for entry in container["env"])]
    assert any(folder in word for word in said)
    assert [] == list(found.findings)


def test_the_folder_of_the_scripts_can_be_chosen() -> None:
    """The tool is told; nothing says the old one."""
    scripts = {"scripts": {"volume": "files", "path": "/sql"}}
    container = render({"tool": "flyway", "container": "app", **scripts}).steps[-1]["container"]

    assert [{"name": "FLYWAY_LOCATIONS", "value": "filesystem:/sql"}] == container["env"]
    assert {"name": "files", "mountPath": "/sql", "readOnly": True} in container["volumeMounts"]


def test_variables_come_by_name_and_those_that_refer_to_others_last() -> None:
    """An API server sorts the keys of a map; a reference needs what it names before it."""
    held = {"secret": {"name": "s", "key": "k"}}
    env = {"B": {"value": "b"}, "A": {"value": "$(B)/a"}, "C": held}
    written = {"tool": "goose", "container": "app", "env": env}

    one, other = (
        [entry["name"] for entry in render(asked).steps[-1]["container"]["env"]]
        for asked in (written, {**written, "env": dict(reversed(env.items()))})
    )
    assert ["B", "C", "A"] == one == other


def test_a_variable_of_the_author_replaces_the_tools() -> None:
    """Each name once."""
    env = {"FLYWAY_URL": URL, "HOME": {"value": "/home/app"}}
    container = render({"tool": "flyway", "env": env, **SCRIPTS}).steps[-1]["container"]

    names = [entry["name"] for entry in container["env"]]
    assert len(names) == len(set(names))
    assert {"name": "HOME", "value": "/home/app"} in container["env"]


def test_the_home_of_the_applications_image_stays() -> None:
    """A program may have been installed there."""
    found = render({"tool": "alembic", "container": "app"})

    assert "env" not in found.steps[-1]["container"]


@pytest.mark.parametrize("tool", tools.TOOLS)
def test_a_tool_without_a_lock_is_told_of(tool: str) -> None:
    """Unless the author says that it may run several times at once."""
    written = {"tool": tool, "container": "app", "command": ["x"], **DATABASE}

    assert ([] if tools.TOOLS[tool].locks else ["tool"]) == list(told(written, "warning"))
    assert {} == told({**written, "concurrent": True}, "warning")


def test_against_a_tool_without_a_lock_a_job_is_advised_that_the_pods_wait_for() -> None:
    """With the recipe's own words for that, to be found in the reference."""
    (found,) = render({"tool": "alembic", "container": "app", **DATABASE}).findings

    assert "in a Job for which the pods wait by waitFor: [{job: {name: …}}]" in found.advice


@pytest.mark.parametrize(
    ("written", "beside", "where", "what"),
    [
        ({"tool": "alembic"}, {}, "tool", "alembic has no image of its own"),
        ({"tool": "command", "container": "app"}, {}, "tool", "says nothing to run"),
        ({"tool": "flyway"}, {}, "scripts", "is missing: the image of flyway has none"),
        ({"tool": "flyway", "scripts": {}}, {}, "scripts", "needs exactly one of volume"),
        ({"tool": "flyway", **SCRIPTS, "envFrom": True}, {}, "envFrom", "takes from the appl"),
        ({"tool": "flyway", **SCRIPTS}, {"timeout": "1m"}, "database", "is missing: timeout"),
        ({"tool": "flyway", **SCRIPTS}, {"exit_code": 2}, "database", "is missing: timeout"),
    ],
)
def test_what_cannot_run_is_refused(
    written: dict[str, Any], beside: dict[str, Any], where: str, what: str
) -> None:
    """At the field that has to be mended."""
    found = told(written, "error", **beside)

    assert [where] == list(found)
    assert found[where].startswith(what)


@pytest.mark.parametrize("tool", [word for word, tool in tools.TOOLS.items() if tool.asks])
def test_a_tool_that_knows_no_database_is_told_of(tool: str) -> None:
    """Each variable that it lacks."""
    written = {"tool": tool, "image": "example.com/x:1", **SCRIPTS, **DATABASE}

    said = told({**written, "concurrent": True}, "warning")

    assert ["env"] == list(said)
    assert [] == [name for name in tools.TOOLS[tool].asks if name not in said["env"]]
    env = dict.fromkeys(tools.TOOLS[tool].asks, URL)
    assert {} == told({**written, "concurrent": True, "env": env}, "warning")


@pytest.mark.parametrize(
    "written",
    [
        {"tool": "flyway", "container": "${parameters.x}"},
        {"tool": "flyway", "scripts": {"volume": "${parameters.x}"}},
        {"tool": "flyway", "scripts": {"configMap": "${parameters.x}"}},
        {"tool": "flyway", "env": {"A": {"secret": {"name": "${parameters.x}", "key": "a"}}}},
        {"tool": "flyway", "env": {"${parameters.x}": {"value": "a"}}},
    ],
)
def test_what_names_something_is_no_template(written: dict[str, Any]) -> None:
    """Who names a Secret, a volume or a container can have it."""
    reading = Reading()

    migrate.FORM.read((), written, reading)

    assert 1 == len(reading.findings)


def test_every_image_of_a_tool_is_in_the_table() -> None:
    """A word without an image would be found by nobody until a policy uses it."""
    words = {tool.image for tool in tools.TOOLS.values() if tool.image}

    assert set() == words - set(defaults.TOOLS)
