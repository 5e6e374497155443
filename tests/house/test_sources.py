"""What every file of the tree keeps to."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import tree

# Hosts that may be named: examples, names without a dot, addresses of this machine, of private nets
# and of tests, of clouds' metadata, inside a cluster, placeholders, and identifiers that look like
# addresses. Where packages come from is the machine's own setting, so no such host is among them.
HOSTS = re.compile(
    r"(.*\.)?example(\.(com|org|net))?|.*\.(svc|internal|invalid|test|local)|[a-z0-9-]+|HOST|NAME|NAMESPACE"
    r"|169\.254\.169\.254|100\.100\.100\.200|(127|10)(\.|\\\.)\d+.*|198\.1[89]\..*|0\.0\.0\.0|\[.*|.*[{$…].*"
    r"|initject\.dev|json-schema\.org|www\.apache\.org|kubernetes\.io|no-color\.org"
)
URL = re.compile(r"\b[a-z][a-z0-9+.-]*://([^/\s\"'`)>\]:,;?#\\]+)")
QUOTED = (  # texts of others
    "LICENSE",
    "docs/schema/",
    "tests/cluster/go/",
    "webhook/policy/apiserver/schema.json",
)


def readable() -> list[tuple[str, str]]:
    result = []
    for path in tree.files():
        if not tree.short(path).startswith(QUOTED):
            try:
                result.append((tree.short(path), path.read_text(encoding="utf-8")))
            except UnicodeDecodeError:
                continue
    return result


def test_each_module_has_a_docstring() -> None:
    """Whoever opens a module reads first what it is for."""
    modules = tree.files("webhook/*.py", "certs/*.py", "examples/*.py")
    missing = [tree.short(m) for m in modules if m.stat().st_size and not is_described(m)]

    assert missing == []


def is_described(path: Path) -> bool:
    return bool(ast.get_docstring(tree.parsed(path)))


def test_each_test_is_a_sentence() -> None:
    """Each test's docstring says the behaviour, and ends as a sentence does."""
    silent = [
        f"{tree.short(path)}:{node.lineno} {node.name}"
        for path in tree.files("tests/**/test_*.py", "tests/test_*.py")
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not (ast.get_docstring(node) or "").split("\n\n")[0].endswith((".", "?", "!"))
    ]

    assert silent == []


def test_no_file_names_a_place_of_one_machine() -> None:
    """No path of the machine that a file was written on is left in it."""
    places = re.compile(re.escape(str(tree.CHECKOUT)) + f"|/{'work'}/(main|shared)|/{'root'}/\\.")
    found = [
        f"{name}: {match.group()}" for name, text in readable() for match in places.finditer(text)
    ]

    assert found == []


def test_no_file_names_a_host_outside() -> None:
    """Addresses are examples, this machine or a cluster's own: nothing here needs the internet."""
    found = [
        f"{name}: {match.group()}"
        for name, text in readable()
        for match in URL.finditer(text)
        if not HOSTS.fullmatch(match.group(1).rpartition("@")[2])
    ]

    assert found == []


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]
)
def test_each_locked_package_has_a_hash_and_no_place(name: str) -> None:
    """A lock pins versions and hashes, and leaves to the machine where packages come from."""
    lines = tree.text(name).splitlines()
    starts = [number for number, line in enumerate(lines) if line[:1].isalnum()]
    bare = [lines[n] for n in starts if "--hash=" not in "".join(lines[n + 1 : n + 2])]

    assert starts
    assert bare == []
    assert [line for line in lines if "://" in line or line.startswith("-")] == []


NAMED = {"cel-expr-python": "cel_expr_python", "google-re2": "re2", "pyyaml": "yaml"}
REACHED = ("webhook/*.py", "certs/*.py", "examples/*.py")


def test_each_dependency_is_used() -> None:
    """What users install is imported by the packages or the examples, and declared if it is."""
    project = tomllib.loads(tree.text("pyproject.toml"))["project"]
    declared = {re.split("[^a-z0-9-]", line)[0] for line in project["dependencies"]}
    imported = {
        module.partition(".")[0]
        for path in tree.files(*REACHED)
        for node in ast.walk(tree.parsed(path))
        for module in imports(node)
    }
    outside = imported - sys.stdlib_module_names - {"webhook", "certs"}

    assert {NAMED.get(name, name.replace("-", "_")) for name in declared} == outside


def imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_make_lists_a_dozen_targets_at_most() -> None:
    """Each target of the Makefile has a line of explanation, and there are few."""
    makefile = tree.text("Makefile")
    phony = re.search(r"^\.PHONY: list (.*)$", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z]+):.*?## .+$", makefile, re.MULTILINE)

    assert phony
    assert phony.group(1).split() == explained
    assert len(explained) <= 12
