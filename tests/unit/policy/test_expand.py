"""Recipes become steps, and what is found in these is told where the author wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhook.policy import load
from webhook.policy.load import Loaded

HOST = {
    "name": "host",
    "pattern": "[a-z]+",
    "default": "db",
    "from": [{"podAnnotation": "example.com/host"}],
}


def loaded(*steps: dict[str, Any]) -> Loaded:
    policy = {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": "ClusterInitPolicy",
        "metadata": {"name": "p"},
        "spec": {"parameters": [HOST], "steps": list(steps)},
    }
    return load.load([("p.yaml", json.dumps(policy))])


def problems(*steps: dict[str, Any]) -> list[str]:
    found = loaded({"name": "used", "waitFor": [{"dns": {"host": "${parameters.host}"}}]}, *steps)
    return [f"{p.field}: {p.what}; {p.advice}".removesuffix("; ") for p in found.problems]


MOUNTED = {"from": {"configMap": {"name": "settings"}}, "to": "/etc/app"}
RAW = {"name": "raw", "container": {"image": "example.com/a:1", "command": ["true"]}}


def test_a_wait_is_one_container_of_our_own_image() -> None:
    """Each value in a word of its own."""
    step = {
        "name": "wait",
        "waitFor": [
            {"postgres": {"host": "${parameters.host}", "database": "shop", "tls": {}}},
            {"http": {"url": "https://auth:8443/a?b=c", "expect": {"X-A": "^1$"}, "tls": {}}},
            {"kafka": {"host": "queue", "tls": {"name": "q", "verify": False}}},
            {"tcp": {"host": "::1", "port": 80}},
        ],
        "timeout": "90s",
        "mode": "any",
        "exitCode": 7,
        "container": {"env": [{"name": "A", "value": "b"}]},
    }

    (container,) = (dict(s.container) for s in loaded(step).policies.policies[0].steps)

    assert container == {
        "image": "registry.example.com/initject/initject:0.1.0",
        "command": ["initject", "wait"],
        "args": [
            *("--timeout=90s", "--mode=any", "--exit-code=7"),
            *("postgres", "host=${parameters.host}", "port=5432", "database=shop", "tls=true"),
            *("https", "host=auth", "port=8443", "path=/a", "query=b=c", "expect=X-A: ^1$"),
            *("kafka", "host=queue", "tls=true", "name=q", "verify=false"),
            *("tcp", "host=::1", "port=80"),
        ],
        "env": [{"name": "A", "value": "b"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (
            {"waitFor": [{"tcp": {"host": "a", "port": "${parameters.prot}"}}]},
            "waitFor[0].tcp.port: there is no parameter prot; known are host",
        ),
        (
            {"waitFor": [{"dns": {"host": "a"}}], "container": {"image": "${parameters.host}"}},
            "container.image: the author of a pod controls parameters.host, which a pod can set, "
            "which must not decide this field; read it from namespaceObject, or from a parameter "
            "that only the namespace sets",
        ),
        (
            {"waitFor": [{"dns": {"host": "a"}}], "container": {"stdinOnce": 1}},
            "waitFor: must be true or false, not the number 1 "
            "(in what it becomes: container.stdinOnce)",
        ),
        (
            {"waitFor": [{"dns": {"host": "a"}, "tcp": {"host": "a", "port": 1}}]},
            "waitFor[0]: has 2",
        ),
        ({"waitFor": [{}]}, "waitFor[0]: is empty, not exactly one of tcp, tls"),
        ({"waitFor": [{"http": {"url": "db:5432"}}]}, "waitFor[0].http.url: must be a URL"),
        ({"waitFor": [{"http": {"url": "ftp://a"}}]}, "waitFor[0].http.url: is of the scheme ftp"),
        ({"waitFor": [{"dns": {"host": "a"}}], "exitCode": 0}, "exitCode: must be from 1 to 255"),
        ({"waitFor": [{"dns": {"host": "a"}}], "timeout": "5 min"}, "timeout: '5 min' must be a d"),
        (
            {"container": RAW["container"], "timeout": "5m"},
            "timeout: is only for waitFor, migrate, fetch; r",
        ),
        (
            {
                "fetch": {
                    "from": {"http": {"url": "http://${parameters.host}/x", "unverified": True}},
                    "to": "/x",
                }
            },
            "fetch: the author of a pod controls parameters.host, which a pod can set, which must "
            "not choose the host",
        ),
        (
            {"fetch": {"from": {"oci": {"reference": "a"}}, "to": "/x"}},
            "fetch.from.oci.reference: 'a' must be registry/name:tag",
        ),
        (
            {"fetch": MOUNTED, "container": {"env": []}},
            "container: stands beside a fetch that runs no container",
        ),
        (
            {"fetch": MOUNTED, "borrow": {"env": ["*"]}},
            "borrow: stands beside a fetch that runs no container",
        ),
        ({}, "does nothing; add one of container, waitFor, migrate, fetch"),
    ],
)
def test_what_is_wrong_is_told_where_it_is_written(step: dict[str, Any], told: str) -> None:
    """At the field of the recipe, not at one of the container that nobody wrote."""
    found = problems(RAW, {"name": "x", **step})
    place = "spec.steps[2]: " if told.startswith("does") else "spec.steps[2]."

    assert [True] == [one.startswith(place + told) for one in found]


def test_a_place_in_a_template_is_that_of_the_written_text() -> None:
    """The column is that of the expression in the file."""
    text = json.dumps(
        {
            "apiVersion": "initject.dev/v1alpha1",
            "kind": "ClusterInitPolicy",
            "metadata": {"name": "p"},
            "spec": {"steps": [{"name": "a", "waitFor": [{"dns": {"host": "x${nope}"}}]}]},
        }
    )

    (problem,) = load.load([("p.yaml", text)]).problems

    assert text.index("nope") == problem.column - 1


def test_a_name_that_became_too_long_is_told() -> None:
    """Volumes of a recipe are named after its step."""
    ca = {"secret": {"name": "ca", "key": "ca.crt"}}
    step = {"name": "w" * 60, "waitFor": [{"tls": {"host": "vault", "ca": ca}}]}

    (problem,) = loaded(step).errors

    assert problem.field == "spec.steps[0].waitFor"
    assert problem.what.endswith("are allowed (in what it becomes: name)")


def test_what_two_recipes_make_has_two_names() -> None:
    """A pod with two volumes or containers of one name would be refused."""
    database = {"tool": "flyway", "container": "app", "database": {"postgres": {"host": "db"}}}
    steps = [
        {"name": "a-wait", "container": RAW["container"]},
        {"name": "a", "migrate": database},
        {"name": "a-tmp", "fetch": MOUNTED},
    ]

    advice = "rename one of the two"
    assert [
        f"spec.steps[1].migrate: makes the step a-wait, a name that spec.steps[0] has; {advice}",
        f"spec.steps[2].fetch: makes the volume a-tmp, a name that spec.steps[1] has; {advice}",
    ] == [f"{p.field}: {p.what}; {p.advice}" for p in loaded(*steps).errors]
