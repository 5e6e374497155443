"""What a policy waits for, in the words that the runner takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.form.form import Reading
from webhook.form.part import fields
from webhook.recipes import targets
from webhook.runner import targets as runner

TLS = {"name": "other", "verify": False}
# Of each kind one target with every field.
EVERY: Mapping[str, dict[str, Any]] = {
    "tcp": {"host": "db", "port": 1},
    "tls": {"host": "db", "port": 1, **TLS},
    "dns": {"host": "db"},
    "http": {
        "url": "https://db:1/a?b",
        "method": "HEAD",
        "status": "200,404",
        "body": "UP",
        "headers": {"X-A": "b"},
        "expect": {"X-B": "c"},
        "tls": TLS,
    },
    "grpc": {"host": "db", "port": 1, "service": "a.B", "tls": TLS},
    "postgres": {"host": "db", "port": 1, "database": "a", "user": "b", "tls": TLS},
    "mysql": {"host": "db", "port": 1, "tls": TLS},
    "redis": {"host": "db", "port": 1, "tls": TLS},
    "mongodb": {"host": "db", "port": 1, "tls": TLS},
    "rabbitmq": {"host": "db", "port": 1, "tls": TLS},
    "kafka": {"host": "db", "port": 1, "tls": TLS},
}


def words(kind: str, target: Mapping[str, Any]) -> list[str]:
    reading = Reading()
    written = targets.FORM.read((), [{kind: dict(target)}], reading)
    found, wrong = targets.words(written)
    assert ([], []) == (reading.findings, wrong)
    return found


def test_there_is_an_example_of_each_kind() -> None:
    """A new kind needs its own here; `urls` is a list of others."""
    assert {*EVERY, "urls"} == set(fields(targets.Target))


@pytest.mark.parametrize("kind", EVERY)
def test_the_runner_takes_every_field_of_a_kind(kind: str) -> None:
    """It refuses an option that it does not know, so that a policy could never wait."""
    assert [kind == "dns"] == [
        "1" not in target.name for target in runner.read(words(kind, EVERY[kind]))
    ]


@pytest.mark.parametrize("kind", EVERY)
def test_every_field_of_a_kind_is_in_the_example(kind: str) -> None:
    """So that the test above sees all of them."""
    assert set(EVERY[kind]) == set(fields(fields(targets.Target)[kind].part))


@given(st.text(min_size=1, max_size=30))
def test_a_value_has_a_word_of_its_own(value: str) -> None:
    """Whatever fills a template, the words around it stay what they are."""
    template = "${parameters.x}"
    found = words("http", {"url": f"http://{template}:80/{template}?{template}"})

    filled = [word.replace(template, value) for word in found]

    assert filled == ["http", f"host={value}", "port=80", f"path=/{value}", f"query={value}"]
