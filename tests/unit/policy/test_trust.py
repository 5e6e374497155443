"""What turns data into code."""

from __future__ import annotations

import pytest

from webhook.policy import trust


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "PATH",
        "BASH_ENV",
        "NODE_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "PYTHONPATH",
        "ld_preload",
        "JAVA_OPTS",
    ],
)
def test_a_variable_that_loads_code_is_known(name: str) -> None:
    """Variables by which a loader, shell or runtime runs their value are told, in any case."""
    assert trust.loads_code(name)


@pytest.mark.parametrize("name", ["DB_HOST", "HOME", "TZ", "PATHS", "OPTIONS_FILE", "LDAP_URL"])
def test_an_ordinary_variable_is_data(name: str) -> None:
    """Variables that only look alike are data."""
    assert not trust.loads_code(name)


@pytest.mark.parametrize(
    ("words", "script"),
    [
        (["sh", "-c", "echo $1", "name", "data"], {0, 1, 2}),
        (["/bin/bash", "-ec", "run", "data"], {0, 1, 2}),
        (["bash", "-e", "-x", "-c", "run", "data"], {0, 1, 2, 3, 4}),
        (["bash", "-o", "pipefail", "-c", "run", "data"], {0, 1, 2, 3, 4}),
        (["sh", "script.sh", "data"], {0, 1}),
        (["env", "A=b", "sh", "-c", "run", "data"], {0, 1, 2, 3, 4}),
        (["timeout", "10", "bash", "-c", "run"], {0, 1, 2, 3, 4}),
        (["busybox", "sh", "-c", "run", "data"], {0, 1, 2, 3}),
        (["busybox", "wget", "http://data"], {0, 1}),
        (["python3.12", "-c", "print()", "data"], {0, 1, 2}),
        (["python", "-m", "module", "data"], {0, 1, 2, 3}),
        (["perl", "-e", "a", "-e", "b", "data"], {0, 1, 2, 3, 4}),
        (["awk", "-v", "x=1", "{print}", "data"], {0, 1, 2, 3}),
        (["node", "-r", "mod", "-e", "run"], {0, 1, 2, 3, 4}),
        (["pwsh", "-Command", "run"], {0, 1, 2}),
        (["cmd", "/c", "run", "data"], {0, 1, 2}),
        (["sh", "-c", "--", "run", "data"], {0, 1, 2, 3}),
        (["sh", "-c", "-e", "run", "data"], {0, 1, 2, 3}),
        (["sed", "-e", "a", "-n", "-e", "b", "data"], {0, 1, 2, 3, 4, 5}),
        (["node", "-p", "run", "data"], {0, 1, 2}),
        (["busybox", "awk", "{print}", "data"], {0, 1, 2}),
        (["wait", "data", "--", "sh", "-c", "run", "data"], {0, 1, 2, 3, 4, 5}),
        (["wait", "sh", "data"], set()),
        (["psql", "-h", "data", "-p", "data", "-Atc", "run", "data"], {0, 6}),
        (["mysql", "--user=data", "--execute=run", "-e", "run", "data"], {0, 2, 4}),
    ],
)
def test_what_an_interpreter_reads_as_its_script(words: list[str], script: set[int]) -> None:
    """Every word up to the script counts as text, what follows is data."""
    assert script == set(trust.script_words(words))


@pytest.mark.parametrize(
    "words", [[], ["nc", "-z", "sh", "5432"], ["/app/run", "-c", "x"], ["curl", "bash"]]
)
def test_no_interpreter_reads_no_script(words: list[str]) -> None:
    """A program that is no interpreter gets its arguments as data, whatever they look like."""
    assert set() == set(trust.script_words(words))
