"""What a policy waits for, in the words that the runner takes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.authority import Authority
from webhook.form.form import Reading
from webhook.form.part import fields
from webhook.recipes import asked as asking
from webhook.recipes import reference, targets
from webhook.runner import targets as runner
from webhook.runner.objects import account

CA = {"secret": {"name": "ca", "key": "tls.crt"}}
TLS = {"ca": CA, "name": "other"}
KEY = {"name": "orders", "key": "password"}
LOGIN = {"user": {"value": "app"}, "password": {"secret": KEY}}
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
        "headersFrom": {"configMap": {"name": "headers", "key": "lines"}},
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
    "job": {"name": "load", "namespace": "data"},
    "deployment": {"name": "auth", "namespace": "data"},
    "statefulSet": {"name": "db", "namespace": "data"},
    "pod": {"name": "db-0", "namespace": "data"},
    "object": {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "name": "shop",
        "namespace": "data",
        "condition": {"type": "Ready", "status": "False"},
    },
}
# What stands beside a login, and in place of what it replaces.
LOGINS: Mapping[str, dict[str, Any]] = {
    "postgres": {"host": "db", "port": 1, "database": "a", "login": LOGIN, "tls": TLS},
    "mysql": {"host": "db", "port": 1, "database": "a", "login": LOGIN, "tls": TLS},
    "redis": {"host": "db", "port": 1, "login": LOGIN, "tls": TLS},
}
EXAMPLES = [*EVERY.items(), *LOGINS.items()]


def certificate() -> bytes:
    return Authority.create(datetime.now(UTC)).certificate


def asked(kind: str, target: Mapping[str, Any]) -> asking.Asked:
    reading = Reading()
    written = targets.FORM.read((), [{kind: dict(target)}], reading)
    found = asking.asked("wait", written)
    assert ([], []) == (reading.findings, found.findings)
    return found


def test_there_is_an_example_of_each_kind() -> None:
    """A new kind needs its own here; `urls` is a list of others."""
    assert {*EVERY, "urls"} == set(fields(targets.Target))


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_the_runner_takes_every_field_of_a_kind(
    kind: str, example: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses an option that it does not know, so that a policy could never wait."""
    monkeypatch.setenv(account.HOST, "127.0.0.1")
    found = asked(kind, example)
    for variable in found.env:
        monkeypatch.setenv(variable["name"], "held")
    for one in found.files:
        if one.path == reference.ACCOUNT:
            continue
        path = tmp_path / one.path.removeprefix("/")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"X-C: d" if "headers" in one.path else certificate())

    there = [
        word.replace(reference.MOUNTS, f"{tmp_path}{reference.MOUNTS}") for word in found.words
    ]

    ports = (kind != "dns" and "host" in example) or "url" in example
    assert [ports] == [":1" in target.name for target in runner.read(there)]


@pytest.mark.parametrize("kind", EVERY)
def test_every_field_of_a_kind_is_in_the_example(kind: str) -> None:
    """So that the test above sees all of them."""
    known = set(fields(fields(targets.Target)[kind].part)) - {"verify"}

    assert known == {*EVERY[kind], *LOGINS.get(kind, {})}


@pytest.mark.parametrize("kind", [kind for kind, target in EVERY.items() if "tls" in target])
def test_a_certificate_that_is_not_looked_at_needs_no_authority(kind: str, tmp_path: Path) -> None:
    """`verify: false` reaches the runner, and a CA beside it is a mistake."""
    plain = {**EVERY[kind], "tls": {"verify": False}}
    both = {**plain, "tls": {"verify": False, "ca": CA}}
    wrong = asking.asked("wait", targets.FORM.read((), [{kind: both}], Reading())).findings

    assert "verify=false" in asked(kind, plain).words
    assert [(0, kind, "ca")] == [finding.path for finding in wrong]


@given(st.text(min_size=1, max_size=30))
def test_a_value_has_a_word_of_its_own(value: str) -> None:
    """Whatever fills a template, the words around it stay what they are."""
    template = "${parameters.x}"
    found = asked("http", {"url": f"http://{template}:80/{template}?{template}"})

    filled = [word.replace(template, value) for word in found.words]

    assert filled == ["http", f"host={value}", "port=80", f"path=/{value}", f"query={value}"]


def test_a_login_is_a_reference_and_each_has_its_own_variables() -> None:
    """Neither user nor password stands in an argument; Redis has a user without a name."""
    held = {"configMap": {"name": "orders", "key": "user"}}
    both = [
        {"postgres": {"host": "db", "login": {"user": held, "password": {"secret": KEY}}}},
        {"redis": {"host": "cache", "login": {"password": {"secret": KEY}}}},
    ]
    found = asking.asked("wait", targets.FORM.read((), both, Reading()))

    password = {"secretKeyRef": KEY}
    assert ["login=INITJECT_LOGIN_0", "login=INITJECT_LOGIN_1"] == [
        word for word in found.words if word.startswith("login")
    ]
    assert [
        {"name": "INITJECT_LOGIN_0_USER", "valueFrom": {"configMapKeyRef": held["configMap"]}},
        {"name": "INITJECT_LOGIN_0_PASSWORD", "valueFrom": password},
        {"name": "INITJECT_LOGIN_1_PASSWORD", "valueFrom": password},
    ] == found.env


UNFIT = {
    "user": {"postgres": {"host": "db", "user": "app", "login": LOGIN}},
    "login.user": {"postgres": {"host": "db", "login": {"password": {"secret": KEY}}}},
    "database": {"mysql": {"host": "db", "database": "orders"}},
}


@pytest.mark.parametrize("field", UNFIT)
def test_a_login_that_is_not_whole_is_refused(field: str) -> None:
    """Where the runner would refuse it, or take one of two users."""
    written = targets.FORM.read((), [UNFIT[field]], Reading())
    found = asking.asked("wait", written).findings

    assert [(0, *UNFIT[field], *field.split("."))] == [finding.path for finding in found]
    assert all(finding.advice for finding in found)


def test_an_object_brings_the_account_of_the_pod_and_needs_no_names() -> None:
    """Once for all of them, where every client looks, whatever the pod says of its own token."""
    every = [{kind: EVERY[kind]} for kind in ("job", "pod")]
    found = asking.asked("wait", targets.FORM.read((), every, Reading()))
    (folder,) = found.files

    assert account.FOLDER == folder.path == folder.mount["mountPath"]
    assert ["serviceAccountToken", "configMap", "downwardAPI"] == [
        next(iter(source)) for source in folder.volume["projected"]["sources"]
    ]
    assert (True, False) == (found.account, found.dns)
    assert (False, True) == (asked("tcp", EVERY["tcp"]).account, asked("tcp", EVERY["tcp"]).dns)


@pytest.mark.parametrize(
    "written",
    [
        {"job": {"name": "Load"}},
        {"job": {"name": "load", "namespace": "a.b"}},
        {"object": {**EVERY["object"], "apiVersion": "${object.metadata.name}"}},
        {"object": {**EVERY["object"], "kind": "certificates"}},
        {"object": {**EVERY["object"], "condition": {"type": "Ready", "status": True}}},
    ],
)
def test_an_object_that_cannot_be_is_refused(written: dict[str, Any]) -> None:
    """What kind of object it is no template says: a Role must be able to name it."""
    reading = Reading()
    targets.FORM.read((), [written], reading)

    assert 1 == len(reading.findings)
