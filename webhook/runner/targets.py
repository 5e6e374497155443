"""From what is written to what is looked at. A kind is loaded only when a target is of it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook.errors import UsageError
from webhook.runner import address
from webhook.runner.check import Check

# Scheme → module of `webhook.runner.kinds`.
SCHEMES: Mapping[str, str] = {
    "tcp": "tcp",
    "tls": "tls",
    "dns": "dns",
    "http": "http",
    "https": "http",
    "grpc": "grpc",
    "grpcs": "grpc",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "redis": "redis",
    "rediss": "redis",
    "mongodb": "mongodb",
    "rabbitmq": "rabbitmq",
    "amqp": "rabbitmq",
    "amqps": "rabbitmq",
    "kafka": "kafka",
}


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is waited for, and how it is shown."""

    name: str
    check: Check


def read(texts: Sequence[str]) -> list[Target]:
    """Every target; raises UsageError with all that is wrong, a line each."""
    targets: list[Target] = []
    wrong: list[str] = []
    for text in texts:
        try:
            targets.append(_target(text))
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise UsageError("\n".join(wrong))
    return targets


def _target(text: str) -> Target:
    found = address.parse(text)
    if found.scheme not in SCHEMES:
        near = difflib.get_close_matches(found.scheme, SCHEMES, 1)
        advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(SCHEMES)}"
        found.refuse(f"unknown scheme {found.scheme!r}; {advice}")
    kind = importlib.import_module(f"webhook.runner.kinds.{SCHEMES[found.scheme]}")
    check: Check = kind.read(found)
    return Target(str(found), check)
