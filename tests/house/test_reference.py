"""The tables of docs/reference say exactly what the code says, in both directions."""

from __future__ import annotations

import functools
import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from tests.house import pages, test_documentation, tree
from webhook import chosen, testing
from webhook.cli import main
from webhook.errors import EvaluationError, ExpressionError
from webhook.expression import bounds, functions, template
from webhook.expression.activation import Scope
from webhook.form import part
from webhook.form.part import Field
from webhook.inject import ours, scope
from webhook.inject.decision import Code
from webhook.policy import index, model, trust
from webhook.recipes import defaults, migrate, reference, targets, tools
from webhook.recipes import objects as awaited
from webhook.recipes.fetch import git, held, objects, oci
from webhook.recipes.fetch import http as files
from webhook.recipes.fetch import recipe as fetch
from webhook.runner import schemes
from webhook.server import record
from webhook.settings.table import RECIPE_IMAGES, TABLE, Setting
from webhook.telemetry import Metrics
from webhook.telemetry.instruments import INSTRUMENTS
from webhook.telemetry.logs import JsonFormatter

# Where the fields of a part of the model stand.
PARTS: Mapping[type[Any], tuple[str, str]] = {
    model.Spec: ("policy", "## spec"),
    model.Clauses: ("policy", "## match and exclude"),
    model.Condition: ("policy", "## conditions"),
    model.Parameter: ("policy", "## parameters"),
    model.Source: ("policy", "### from"),
    model.Step: ("policy", "## steps"),
    model.Borrow: ("policy", "### borrow"),
    model.Volume: ("policy", "## volumes"),
    model.MountInto: ("policy", "### mountInto"),
    model.Placement: ("policy", "## order and placement"),
    targets.Target: ("recipes", "## waitFor"),
    targets.Tcp: ("recipes", "### tcp"),
    targets.TlsServer: ("recipes", "### tls"),
    targets.Dns: ("recipes", "### dns"),
    targets.Http: ("recipes", "### http"),
    targets.Grpc: ("recipes", "### grpc"),
    targets.Postgres: ("recipes", "### postgres"),
    targets.Mysql: ("recipes", "### mysql"),
    targets.Redis: ("recipes", "### redis"),
    targets.Server: ("recipes", "### mongodb, rabbitmq, kafka"),
    targets.DatabaseLogin: ("recipes", "### login of a database"),
    awaited.Named: ("recipes", "### job, deployment, statefulSet, pod"),
    awaited.AnyObject: ("recipes", "### object"),
    awaited.StatusCondition: ("recipes", "### condition"),
    targets.Tls: ("recipes", "### tls of the others"),
    reference.Held: ("recipes", "## From a Secret or ConfigMap"),
    reference.Key: ("recipes", "### key"),
    migrate.Migrate: ("recipes", "## migrate"),
    reference.Value: ("recipes", "### env"),
    migrate.Scripts: ("recipes", "### scripts"),
    migrate.Database: ("recipes", "### database"),
    fetch.Fetch: ("recipes", "## fetch"),
    fetch.From: ("recipes", "### from"),
    files.Download: ("recipes", "### from http"),
    git.Repository: ("recipes", "### from git"),
    git.Login: ("recipes", "### login"),
    git.Ssh: ("recipes", "### ssh"),
    objects.Objects: ("recipes", "### from objects"),
    objects.S3: ("recipes", "### s3"),
    objects.Keys: ("recipes", "### keys"),
    objects.Gcs: ("recipes", "### gcs"),
    objects.Azure: ("recipes", "### azure"),
    objects.Sftp: ("recipes", "### sftp"),
    oci.Artifact: ("recipes", "### from oci"),
    held.Mounted: ("recipes", "### from configMap or secret"),
    held.Item: ("recipes", "### items"),
}
# The pod of the table of functions.
POD = {
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "containers": [
            {"name": "app", "image": "registry.example.com/shop/web:1.2"},
            {"name": "log", "image": "registry.example.com/log:3"},
        ]
    },
}


def page(name: str) -> str:
    return tree.text(f"docs/reference/{name}.md")


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    _, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"no heading {heading}"
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of tables whose first cell is code."""
    for line in text.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in re.split(r"(?<![^ ])\|(?= |$)", line)[1:-1]]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def first_codes(text: str) -> list[str]:
    return [codes(row[0])[0] for row in rows(text)]


def test_each_setting_has_its_section() -> None:
    """In the order of the table: flag, variable, default."""
    found = re.findall(r"^### (\S+)\n\n(.+?)\n\n", page("settings"), re.MULTILINE | re.DOTALL)

    assert [(s.key, setting_line(s)) for s in TABLE] == [
        (key, " ".join(line.split())) for key, line in found
    ]


def setting_line(setting: Setting) -> str:
    defaults = setting.default if setting.many else (setting.shown_default,)
    shown = ", ".join(f"`{value}`" for value in defaults if value)
    default = f"default {shown}" if shown else "no default"
    return f"`{f'{setting.flag} {setting.metavar}'.strip()}` · `{setting.env}` · {default}"


def test_each_setting_of_decisions_stands_among_them() -> None:
    """The verbs that decide know the settings under that heading, and no others."""
    text = page("settings").split("\n## Decisions\n")[1].split("\n## ")[0]

    assert [s.key for s in TABLE if s.decides] == re.findall(r"^### (\S+)$", text, re.MULTILINE)


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    """Names, kinds and labels; values of labels that the code fixes stand in the help."""
    table = section(page("metrics"), "## Metrics")

    assert sorted((i.name, i.kind, list(i.labels)) for i in INSTRUMENTS) == sorted(
        (codes(row[0])[0], row[1], codes(row[2])) for row in rows(table)
    )


def test_no_page_names_a_metric_that_is_not_there() -> None:
    """A misspelt name in an alert would never fire."""
    known = {i.name for i in INSTRUMENTS}
    named = {
        re.sub(r"_(bucket|sum|count)$", "", word)
        for path in tree.files("docs/*.md", "docs/**/*.md")
        for word in re.findall(
            r"\b(?:initject|controller_runtime|certwatcher)_[a-z_]{4,}\b",
            path.read_text(encoding="utf-8"),
        )
    }

    assert set() == named - known


def test_the_tables_of_reasons_are_those_of_the_code() -> None:
    """Every code once, in the order of the code."""
    text = page("responses").split("\n## Reason codes\n")[1]

    assert [code.value for code in Code] == first_codes(text)


def test_the_labels_and_annotations_are_those_of_the_code() -> None:
    """Every name by which a cluster and Initject speak."""
    names = {scope.INJECT, scope.ENFORCE, *ours.ANNOTATIONS}

    assert names == set(first_codes(section(page("responses"), "## Labels and annotations")))


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_the_fields_of_a_part_are_those_of_the_model(kind: type[Any]) -> None:
    """Names and defaults, in the order of the model."""
    known = [(f.name, shown_default(f)) for f in part.fields(kind).values() if f.name != "source"]
    where, heading = PARTS[kind]

    assert known == [
        (codes(row[0])[0], " ".join(codes(row[1])) or row[1])
        for row in rows(section(page(where), heading))
    ]


def shown_default(field: Field) -> str:
    if field.required:
        return "required"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, tuple):
        return " ".join(field.default)
    return str(field.default) if isinstance(field.default, str | int) else ""


def test_every_part_of_the_model_has_a_table() -> None:
    """A new part of the model needs its place in the reference."""
    assert {where for where, _ in test_documentation.fields()} == {kind.__name__ for kind in PARTS}


def function_rows() -> list[tuple[str, str]]:
    found = rows(section(page("policy"), "### Functions"))
    return [(row[0].strip("`"), row[1].strip("`")) for row in found]


def test_expressions_give_what_the_reference_says() -> None:
    """Each example of a function is compiled and evaluated."""
    assert function_rows() == [(text, evaluated(text)) for text, _ in function_rows()]


def evaluated(text: str) -> str:
    try:
        found = template.parse(f"${{{text}}}", parameters={})
        seen = Scope(object=POD, request={}, namespace=None, reads=found.reads)
        return found.render(seen, {})
    except (ExpressionError, EvaluationError) as error:
        return f"{type(error).__name__}: {error}"


def test_each_function_of_ours_has_an_example() -> None:
    """What a policy can call beyond CEL's own functions is shown."""
    shown = " ".join(text for text, _ in function_rows())
    names = {function.name for function in functions.FUNCTIONS}

    assert set() == {name for name in names if not re.search(rf"\b{re.escape(name)}\(", shown)}


def test_the_variables_that_load_code_are_those_of_the_code() -> None:
    """Prefixes, suffixes and names, each list whole."""
    text = section(page("policy"), "### Variables that load code")
    lists = [codes(line) for line in re.split(r"^- ", text, flags=re.MULTILINE)[1:]]

    assert [list(trust._PREFIXES), list(trust._SUFFIXES)] == lists[:2]
    assert sorted(trust._NAMES) == sorted(lists[2])


def test_the_bounds_are_those_of_the_code() -> None:
    """Numbers of the last table."""
    table = " ".join(section(page("policy"), "## Bounds").split())
    numbers = (
        f"{bounds.MAX_LENGTH} characters, {bounds.MAX_LOOPS} loops",
        f"{bounds.MAX_EXPRESSION_COST // 1000} ms",
        f"{bounds.MAX_REVIEW_COST // 1000} ms",
        f"{bounds.MAX_TEXT // 1024} KiB",
        f"| {index.MAX_PER_NAMESPACE} |",
    )

    assert [] == [number for number in numbers if number not in table]


@pytest.mark.parametrize("verb", sorted(test_documentation.commands()))
def test_the_options_of_a_verb_are_those_of_the_code(verb: str) -> None:
    """Under a verb's heading stands each option of its own, and none that it has not."""
    text = section(page("cli"), f"## initject {verb}")
    known = test_documentation.options(test_documentation.commands()[verb]) - {"--help", "-h"}
    if verb in ("preview", "explain", "test", "serve"):
        known -= {"--config", *(s.flag for s in TABLE)}  # docs/reference/settings.md has them

    assert known == {word for row in rows(text) for word in codes(row[0]) if word.startswith("-")}


def test_the_kinds_of_targets_are_those_of_the_code() -> None:
    """Each scheme that `wait` knows stands in its table, and no other."""
    text = section(page("cli"), "## initject wait")
    told = {
        word.partition("://")[0] for row in rows(text) for word in codes(row[0]) if "://" in word
    }

    assert set(schemes.SCHEMES) == told


def test_the_tools_of_migrate_are_those_of_the_code() -> None:
    """Command line, image and variables of each, and the folder where its scripts are."""
    lines = {
        word: " ".join((*tool.command, *tool.args)).replace(tools.FOLDER, tool.scripts)
        for word, tool in tools.TOOLS.items()
    }
    table = section(page("recipes"), "### tools")

    assert [
        [[word], [lines[word]] if tool.command else ["command", "args"], [tool.image], [*tool.asks]]
        for word, tool in tools.TOOLS.items()
    ] == [
        [codes(row[0]), codes(row[1]), codes(row[2]) or [""], codes(row[3])] for row in rows(table)
    ]


@pytest.mark.parametrize("verb", ["preview", "explain"])
def test_the_fields_of_json_are_those_that_are_printed(verb: str) -> None:
    """Every field of an entry is told, and no other."""
    folder = tree.CHECKOUT / "examples/01-minimal"
    call = [verb, "-o", "json", "--policies", str(folder / "policy.yaml"), str(folder / "pod.yaml")]
    printed = json.loads(CliRunner().invoke(main.command, call).output)[0]
    text = section(page("cli"), f"## initject {verb}")
    told = {word for row in rows(text) for word in codes(row[0]) if not word.startswith("-")}
    if verb == "explain":  # its text refers to the table of `preview` for these
        told |= {"kind", "namespace", "name", "allowed", "message", "warnings", "reasons"}

    assert {*printed, "message"} == told


@functools.cache
def sources() -> str:
    """All of the code, in which each text stands on one line."""
    files = tree.files("webhook/*.py", "certs/*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return re.sub(r'"\s*\n\s*f?"', "", text)


@pytest.mark.parametrize(
    "heading",
    [
        "## A policy is refused",
        "## initject serve does not start",
        "## A change is not in force",
    ],
)
def test_messages_that_are_explained_are_said(heading: str) -> None:
    """A message of ours in docs/troubleshooting.md stands in the code, but for what varies."""
    text = section(tree.text("docs/troubleshooting.md"), heading)
    cells = [row[0] for row in rows(text)] + re.findall(r"the log says (`[^`]+`)", text)
    messages = [message for cell in cells for message in codes(cell)]
    pieces = {
        piece.strip()
        for message in messages
        for piece in re.split(r"…|\bNAME\b|(?<=--policies): |(?<=--cert-dir): ", message)
        if len(piece.strip()) > 3
    }

    assert pieces
    assert set() == {piece for piece in pieces if piece not in sources()}


def test_the_table_of_log_lines_is_that_of_the_code() -> None:
    """Every message that the code logs is told, and no other."""
    logged = set(re.findall(r'\n *log\.\w+\(\s*(?:level, )?"([^"]+)"', sources()))

    assert logged == set(first_codes(section(page("metrics"), "## Log lines")))


def test_the_line_of_a_review_is_one_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """All but its time, for the pod that it names and the policy of the first lesson."""
    (block,) = (one for one in pages.blocks(page("metrics")) if one.kind == "json")
    shown = json.loads(block.text)
    pod = testing.pod(namespace=shown["namespace"], labels={"app": "shop"})
    del pod["metadata"]["name"]
    pod["metadata"]["generateName"] = shown["pod"].removesuffix("*")
    policies = testing.policies(tree.text("examples/01-minimal/policy.yaml"))
    asked = {"uid": shown["uid"], "name": ""}

    with caplog.at_level(logging.INFO, "webhook.review"):
        request = testing.question(testing.review(pod, request=asked))
        record.record(Metrics("test"), request, testing.admit(policies, pod, request=asked))
    (line,) = (JsonFormatter().format(one) for one in caplog.records)

    assert [*shown] == [*json.loads(line)]
    assert shown == {**json.loads(line), "time": shown["time"]}


def test_images_of_recipes() -> None:
    """The table is the code's; the setting knows the same words."""
    words = {chosen.OURS: defaults.RUNNER, **defaults.TOOLS}
    found = rows(section(page("recipes"), "## Images"))
    table = dict(codes(row[0]) + codes(row[1]) for row in found)

    assert words == table
    assert tuple(words) == RECIPE_IMAGES
