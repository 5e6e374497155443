"""How a run of `initject` starts and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import webhook
from webhook.cli import main


def initject(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "webhook", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments, as with --help, the verbs are listed and the status is 0."""
    assert main.run(arguments) == 0
    printed = capsys.readouterr().out
    assert [verb for verb in main.VERBS if f"  {verb} " not in printed] == []


@pytest.mark.parametrize("verb", main.VERBS)
def test_the_list_says_what_the_verb_says(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb exists, and its own help begins with the sentence of the list."""
    assert main.run([verb, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert main.VERBS[verb] in printed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`version` prints name and version."""
    assert main.run(["version"]) == 0
    assert capsys.readouterr().out == f"initject {webhook.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chekc"], "initject: No such command 'chekc'; see initject --help"),
        (["version", "-x"], "initject version: No such option '-x'; see initject version --help"),
    ],
)
def test_wrong_usage(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is one line on standard error and status 2."""
    assert main.run(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", line + "\n")


def test_a_closed_pipe_is_quiet() -> None:
    """`initject … | head -1` says nothing about the pipe."""
    script = f"{sys.executable} -m webhook --help | true; echo ${{PIPESTATUS[0]}}"
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True)

    assert shell.stderr == ""
    assert shell.stdout in ("0\n", f"{main.PIPE_CLOSED}\n")


@pytest.mark.parametrize(
    ("line", "completions"),
    [
        ("initject pre", "plain,preview\n"),
        ("initject preview --inject a", "plain,all\n"),
        ("initject preview --policies p", "file,p\n"),
    ],
)
def test_shell_completion(line: str, completions: str) -> None:
    """The completion that --help names completes verbs, values and paths."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    completed = initject(_INITJECT_COMPLETE="bash_complete", **words)

    assert completed.stdout == completions


def loaded(code: str) -> set[str]:
    """The top-level packages that a run of `code` imports."""
    script = f"{code}; import sys; print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    return {name.partition(".")[0] for name in ran.stderr.split()}


def verb(*arguments: str | Path) -> str:
    return f"from webhook.cli import main; main.run({[*map(str, arguments)]!r})"


# What a verb of the command line never needs: the server, the cluster, keys.
SERVING = {
    *("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools", "anyio"),
    *("asyncio", "ssl", "prometheus_client", "cryptography", "kubernetes", "aiohttp", "httpx"),
    *("opentelemetry", "http", "email", "logging", "socket"),
}
EXAMPLE = Path(__file__).parents[3] / "examples" / "05-templates-and-conditions"


@pytest.mark.parametrize("arguments", [["--help"], ["version"]])
def test_a_light_start(arguments: list[str]) -> None:
    """What starts at once loads nothing that only a verb needs."""
    heavy = {*SERVING, "yaml", "cel_expr_python", "re2", "msgspec", "jsonpatch", "json"}
    assert set() == heavy & loaded(verb(*arguments))


def test_a_check_is_light() -> None:
    """It needs policies and expressions, and no pod."""
    heavy = {*SERVING, "msgspec", "jsonpatch", "tempfile", "subprocess"}
    found = loaded(verb("check", EXAMPLE / "policy.yaml"))
    assert (set(), {"yaml"}) == (heavy & found, found & {"yaml"})


def test_a_preview_is_light() -> None:
    """It needs the decision and a second opinion, and no server."""
    arguments = ("preview", "--policies", EXAMPLE / "policy.yaml", EXAMPLE / "pod.yaml")
    found = loaded(verb(*arguments))
    assert (set(), {"msgspec"}) == (SERVING & found, found & {"msgspec"})


def test_a_server_of_files_is_without_the_cluster() -> None:
    """The Kubernetes client, and what it brings, is for `--source cluster` alone."""
    found = loaded("import webhook.server.run")
    assert (set(), {"uvicorn"}) == (
        {"kubernetes", "aiohttp", "httpx", "jsonpatch"} & found,
        found & {"uvicorn"},
    )
