"""How the verbs print."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import click
import pytest

from webhook.cli.render import diff, github, junit, problems
from webhook.document.problem import Problem

ERROR = Problem("p.yaml", 3, 7, "spec.steps[0].name", "must not be empty", "give the step a name")
WARNING = Problem("q.yaml", 1, 1, "", "no policy here", "", "warning")


def test_an_error_is_one_line() -> None:
    """An error reads `file:line:column: field: what; advice`, as its text does."""
    expected = "p.yaml:3:7: spec.steps[0].name: must not be empty; give the step a name"

    assert expected == str(ERROR) == click.unstyle(problems.line(ERROR))


def test_a_warning_says_so() -> None:
    """A warning is marked after its place, where compilers put it."""
    assert click.unstyle(problems.line(WARNING)) == "q.yaml:1:1: warning: no policy here"


@pytest.mark.parametrize(
    ("policies", "found", "expected"),
    [
        (1, [], "1 policy, no problems"),
        (12, [], "12 policies, no problems"),
        (1, [ERROR], "1 error in 1 file"),
        (1, [WARNING, WARNING], "2 warnings in 1 file"),
        (0, [ERROR, ERROR, WARNING], "2 errors and 1 warning in 2 files"),
    ],
)
def test_the_summary(policies: int, found: list[Problem], expected: str) -> None:
    """The last line counts errors, warnings and files."""
    assert expected == problems.summary(policies, found)


def test_github() -> None:
    """An annotation carries file, line and column, and is escaped."""
    odd = Problem("a,b:c.yaml", 3, 7, "spec", "100% wrong\nreally", "", "warning")

    expected = "::warning file=a%2Cb%3Ac.yaml,line=3,col=7,title=spec::100%25 wrong%0Areally"
    assert expected == github.line(odd)


def test_github_without_a_line() -> None:
    """A problem of a whole file has no line."""
    assert github.line(Problem("a.yaml", 0, 0, "", "empty")) == "::error file=a.yaml::empty"


def test_a_diff_is_coloured() -> None:
    """Added lines are green, removed ones red, and without colours it is a unified diff."""
    shown = diff.unified("a: 1\nb: 1\n", "a: 1\nb: 2\n", names=("old", "new"))

    assert click.style("+b: 2", fg="green") + "\n" in shown
    assert click.style("-b: 1", fg="red") + "\n" in shown
    assert click.unstyle(shown) == "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a: 1\n-b: 1\n+b: 2\n"


def test_equal_texts_have_no_diff() -> None:
    """Nothing is printed where nothing differs."""
    assert diff.unified("a\n", "a\n", names=("a", "b")) == ""


def test_junit() -> None:
    """JUnit XML counts, names and escapes; what XML cannot hold is replaced."""
    results = [
        junit.Result("order/first-runs-first", "order/expected.yaml", ""),
        junit.Result("odd", "odd/expected.yaml", 'differs:\n-"a" & <b>\x1b'),
    ]

    root = ET.fromstring(junit.document("initject", results))

    (suite,) = root
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    passed, failed = suite
    assert passed.attrib == {
        "classname": "initject.order",
        "name": "first-runs-first",
        "file": "order/expected.yaml",
    }
    assert failed[0].attrib == {"message": "differs:"}
    assert failed[0].text == 'differs:\n-"a" & <b>?'


def test_a_problem_of_a_whole_file_has_no_line() -> None:
    """A file that cannot be read has no line to name."""
    unread = Problem("a.yaml", 0, 0, "", "cannot be read", "check the path")

    assert click.unstyle(problems.line(unread)) == "a.yaml: cannot be read; check the path"
