"""How objects of a store are fetched: what rclone is told of each kind, and what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.recipes import fetching
from tests.unit.recipes.fetching import container, render, said, words
from webhook.recipes.defaults import Defaults
from webhook.runner.fetch import orders

KEY = {"name": "store", "key": "k"}
HELD = {"secret": KEY}
BY_SECRET = {"valueFrom": {"secretKeyRef": KEY}}
S3 = {"bucket": "models", "path": "v1/${parameters.model}"}


def options(store: dict[str, Any], **more: Any) -> tuple[dict[str, Any], str]:
    """The options of the source, by rclone's names, and where in it."""
    one = container(render({"objects": store}, **more))
    prefix = "RCLONE_CONFIG_SOURCE_"
    found = {
        entry["name"].removeprefix(prefix): entry.get("value", entry.get("valueFrom"))
        for entry in one["env"]
    }
    assert all(entry["name"].startswith(prefix) for entry in one["env"])
    return found, one["args"][-2]


def test_objects_are_brought_whole_and_copied() -> None:
    """To a room of the tool's own; one who finds nothing, or too much, fails."""
    found = render({"objects": {"s3": S3}}, sizeLimit="2Gi", user=1000, beside={"timeout": "9s"})

    assert ["files", "files-copy"] == [step["name"] for step in found.steps]
    one = container(found)
    assert (Defaults().tool("rclone"), ["rclone"]) == (one["image"], one["command"])
    assert one["args"] == [
        "sync",
        "--ignore-times",
        "--error-on-no-transfer",
        "--inplace",
        "--config=",
        "--max-transfer=2Gi",
        "--max-duration=9s",
        "--cutoff-mode=hard",
        "source:models/v1/${parameters.model}",
        "/run/initject/files-room",
    ]
    assert {"runAsUser": 1000} == one["securityContext"]
    copied = words(found, "files-copy")
    assert ["copy", "from=/run/initject/files-room", "to=/run/initject/files"] == copied[:3]
    orders.read(copied, 1.0)


@pytest.mark.parametrize(
    ("store", "wanted", "where"),
    [
        (
            {"s3": S3},
            {"TYPE": "s3", "PROVIDER": "AWS", "ENV_AUTH": "true"},
            "source:models/v1/${parameters.model}",
        ),
        (
            {
                "s3": {
                    "bucket": "models",
                    "endpoint": "https://minio:9000",
                    "region": "eu",
                    "keys": {"access": HELD, "secret": HELD},
                }
            },
            {
                "TYPE": "s3",
                "PROVIDER": "Other",
                "ENDPOINT": "https://minio:9000",
                "REGION": "eu",
                "ACCESS_KEY_ID": BY_SECRET["valueFrom"],
                "SECRET_ACCESS_KEY": BY_SECRET["valueFrom"],
            },
            "source:models",
        ),
        (
            {"gcs": {"bucket": "models", "path": "/v1"}},
            {"TYPE": "google cloud storage", "ENV_AUTH": "true"},
            "source:models/v1",
        ),
        (
            {"gcs": {"bucket": "models", "serviceAccount": HELD}},
            {
                "TYPE": "google cloud storage",
                "SERVICE_ACCOUNT_FILE": "/run/initject/files-account/value",
            },
            "source:models",
        ),
        (
            {"azure": {"account": "shop", "container": "models"}},
            {"TYPE": "azureblob", "ACCOUNT": "shop", "ENV_AUTH": "true"},
            "source:models",
        ),
        (
            {"azure": {"account": "shop", "container": "models", "path": "v1", "key": HELD}},
            {"TYPE": "azureblob", "ACCOUNT": "shop", "KEY": BY_SECRET["valueFrom"]},
            "source:models/v1",
        ),
        (
            {
                "sftp": {
                    "host": "files.internal",
                    "port": 2222,
                    "user": "shop",
                    "path": "/srv/models",
                    "key": HELD,
                    "knownHosts": HELD,
                }
            },
            {
                "TYPE": "sftp",
                "HOST": "files.internal",
                "PORT": "2222",
                "USER": "shop",
                "KEY_FILE": "/run/initject/files-key/value",
                "KNOWN_HOSTS_FILE": "/run/initject/files-hosts/value",
                "SHELL_TYPE": "none",
            },
            "source:/srv/models",
        ),
    ],
)
def test_a_store_is_told_to_rclone(
    store: dict[str, Any], wanted: dict[str, Any], where: str
) -> None:
    """In variables, without a file; keys by reference, or else the pod's identity."""
    assert (wanted, where) == options(store)


def test_the_files_that_rclone_reads_are_mounted() -> None:
    """And only in its own step."""
    found = render({"objects": {"s3": {**S3, "ca": HELD}}})

    assert "--ca-cert=/run/initject/files-ca/value" in container(found)["args"]
    assert "files-ca" in {mount["name"] for mount in container(found)["volumeMounts"]}
    assert "files-ca" not in {m["name"] for m in container(found, "files-copy")["volumeMounts"]}
    assert "files-ca" == found.volumes[-1]["name"]


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ({}, "from.objects: is empty, not exactly one of s3, gcs, azure, sftp"),
        (
            {"s3": {**S3, "endpoint": "https://${parameters.host}"}},
            "from.objects.s3.endpoint: 'https://${parameters.host}' must be a URL",
        ),
        (
            {"s3": {**S3, "endpoint": "https://me:pw@minio"}},
            "from.objects.s3.endpoint: 'https://me:pw@minio' must be a URL",
        ),
        (
            {
                "sftp": {
                    "host": "${parameters.host}",
                    "user": "a",
                    "path": "x",
                    "key": HELD,
                    "knownHosts": HELD,
                }
            },
            "from.objects.sftp.host: '${parameters.host}' must be the name or address",
        ),
        (
            {"s3": {**S3, "bucket": "${parameters.bucket}"}},
            "from.objects.s3.bucket: '${parameters.bucket}' must consist of letters",
        ),
        (
            {"s3": {**S3, "region": "${parameters.region}"}},
            "from.objects.s3.region: '${parameters.region}' must consist of letters",
        ),
        (
            {"azure": {"account": "${parameters.account}", "container": "a"}},
            "from.objects.azure.account: '${parameters.account}' must consist of letters",
        ),
    ],
)
def test_the_host_is_written_out(store: dict[str, Any], told: str) -> None:
    """Nobody's template chooses where keys are sent."""
    found = fetching.refused({"from": {"objects": store}, "to": "/x"})

    assert found[0].startswith(told)


def test_a_status_of_its_own_cannot_be_told() -> None:
    """rclone has its own."""
    found = said({"objects": {"s3": S3}}, beside={"exit_code": 3})

    assert ["from.objects"] == list(found)
