"""What all tests share: the switch that rewrites cases, and the line on what was left out."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.needs", "tests.podman", "tests.cluster.servers.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-cases` writes what happens into each case's expected.yaml; read the diff."""
    parser.addoption("--update-cases", action="store_true", help="rewrite expected.yaml of cases")


def pytest_configure(config: pytest.Config) -> None:
    """In CI a case that changed is a failure, never an update."""
    if config.getoption("--update-cases") and os.environ.get("CI"):
        wrong = "--update-cases is for a person who reads the diff, not for CI"
        raise pytest.UsageError(wrong)


@pytest.fixture(scope="session")
def update_cases(request: pytest.FixtureRequest) -> bool:
    """Whether cases are to be rewritten."""
    return bool(request.config.getoption("--update-cases"))
