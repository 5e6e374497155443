"""Objects of a store: rclone brings them, ours copies them.

Whose they are is written out: the host, or the names that become a part of one. Only what lies
below may be a template, behind the bucket in one word; rclone knows no `..` in a bucket.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.document.problem import Path
from webhook.form.form import Filled, Integer, Pattern, Text
from webhook.form.part import Part, fields, needed, told
from webhook.recipes import reference
from webhook.recipes.fetch.clerk import Clerk
from webhook.recipes.fetch.room import Want
from webhook.recipes.reference import HELD, File, Held
from webhook.recipes.rendered import Raw, Rendered

_HERE: Path = ("from", "objects")
_SOURCE = "RCLONE_CONFIG_SOURCE_"  # the variables of the source, by rclone's names of its options

_NAME = Pattern(
    "^[-_.a-zA-Z0-9]+$", "consist of letters, digits, '-', '_' and '.', without templates", "-"
)
_BUCKET = Text(256, pattern=_NAME)
_SHORT = Text(64, pattern=_NAME)
_PATH = Filled(Text(1024))
_WHOLE = "One object, or a folder of them; all of it without it."
_ENDPOINT = Text(
    512, pattern=Pattern("^https?://[^$@?#]+$", "be a URL such as https://minio:9000", "-")
)
_HOST = Text(
    253, pattern=Pattern("^[-A-Za-z0-9_.:]+$", "be the name or address of a host, written out", "-")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A pair of keys of S3."""

    access: Held = needed(HELD, "The ID of the access key.")
    secret: Held = needed(HELD, "The secret access key.")


@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """A bucket of S3, or of what speaks like it."""

    bucket: str = needed(_BUCKET, "The bucket.")
    path: str | None = told(_PATH, _WHOLE)
    endpoint: str | None = told(_ENDPOINT, "The URL of the store, if it is not Amazon's.")
    region: str | None = told(_SHORT, "The region.")
    keys: Keys | None = told(Part(Keys), "The keys; the pod's identity without them.")
    ca: Held | None = told(HELD, "The CAs to trust, in PEM; those of the image without it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gcs:
    """A bucket of Google Cloud Storage."""

    bucket: str = needed(_BUCKET, "The bucket.")
    path: str | None = told(_PATH, _WHOLE)
    service_account: Held | None = told(
        HELD, "A service account's key, in JSON; the pod's identity without it."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Azure:
    """A container of Azure Blob Storage."""

    account: str = needed(_SHORT, "The storage account.")
    container: str = needed(_BUCKET, "The container.")
    path: str | None = told(_PATH, _WHOLE)
    key: Held | None = told(HELD, "The account's key; the pod's identity without it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sftp:
    """A folder of an SFTP server."""

    host: str = needed(_HOST, "The name or address of the host.")
    port: int = told(Integer(32), "The port.", default=22)
    user: str = needed(_BUCKET, "The user.")
    path: str = needed(_PATH, "One file, or a folder.")
    key: Held = needed(HELD, "The private key, without a passphrase.")
    known_hosts: Held = needed(HELD, "The host's keys, as a file known_hosts has them.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Where objects are: exactly one of the fields."""

    s3: S3 | None = told(Part(S3), "A bucket of S3, or of what speaks like it.")
    gcs: Gcs | None = told(Part(Gcs), "A bucket of Google Cloud Storage.")
    azure: Azure | None = told(Part(Azure), "A container of Azure Blob Storage.")
    sftp: Sftp | None = told(Part(Sftp), "A file or a folder of an SFTP server.")


FORM = Part(Objects, single=True)


@dataclass(slots=True)
class _Asked:
    """What rclone is told of the source: where in it, and its variables and files."""

    name: str
    where: str = ""
    env: list[Raw] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    args: list[str] = field(default_factory=list)

    def at(self, *parts: str | None) -> None:
        """Where in a store."""
        self.where = "/".join(part.lstrip("/") for part in parts if part)

    def say(self, **options: str | Held | None) -> None:
        """Options of the source, of which nothing but a held value is secret."""
        for option, value in options.items():
            name = f"{_SOURCE}{option.upper()}"
            if isinstance(value, Held):
                self.env.append(reference.variable(name, value))
            elif value is not None:
                self.env.append({"name": name, "value": value})

    def file(self, kind: str, held: Held) -> str:
        """The path of a held value as a file."""
        self.files.append(reference.file(f"{self.name}-{kind}", held))
        return self.files[-1].path


def render(written: Objects, want: Want) -> Rendered:
    """A step that brings the objects, and one that copies."""
    asked = _Asked(want.name)
    for one in fields(Objects).values():
        store = getattr(written, one.attribute)
        if store is not None:
            _STORES[one.attribute](store, asked)
    clerk = Clerk(want)
    tool = {
        "image": want.defaults.tool("rclone"),
        "command": ["rclone"],
        "args": [
            "sync",
            # All of it comes again in each run, so that nothing to transfer is nothing there.
            "--ignore-times",
            "--error-on-no-transfer",
            "--inplace",
            "--config=",
            f"--max-transfer={want.size}",
            f"--max-duration={want.timeout}",
            "--cutoff-mode=hard",
            *asked.args,
            f"source:{asked.where}",
            clerk.path,
        ],
        "env": asked.env,
        "securityContext": want.owner,
    }
    found = clerk.rendered(tool, files=asked.files)
    return dataclasses.replace(found, findings=tuple(clerk.idle(_HERE, "exitCode")))


def _s3(store: S3, asked: _Asked) -> None:
    asked.at(store.bucket, store.path)
    asked.say(
        type="s3",
        provider="Other" if store.endpoint else "AWS",
        endpoint=store.endpoint,
        region=store.region,
        env_auth=None if store.keys else "true",
        access_key_id=store.keys.access if store.keys else None,
        secret_access_key=store.keys.secret if store.keys else None,
    )
    if store.ca:
        asked.args.append(f"--ca-cert={asked.file('ca', store.ca)}")


def _gcs(store: Gcs, asked: _Asked) -> None:
    asked.at(store.bucket, store.path)
    account = store.service_account
    asked.say(
        type="google cloud storage",
        env_auth=None if account else "true",
        service_account_file=asked.file("account", account) if account else None,
    )


def _azure(store: Azure, asked: _Asked) -> None:
    asked.at(store.container, store.path)
    asked.say(
        type="azureblob",
        account=store.account,
        env_auth=None if store.key else "true",
        key=store.key,
    )


def _sftp(store: Sftp, asked: _Asked) -> None:
    asked.where = store.path
    asked.say(
        type="sftp",
        host=store.host,
        port=str(store.port),
        user=store.user,
        key_file=asked.file("key", store.key),
        known_hosts_file=asked.file("hosts", store.known_hosts),
        shell_type="none",
    )


_STORES: Mapping[str, Callable[[Any, _Asked], None]] = {
    "s3": _s3,
    "gcs": _gcs,
    "azure": _azure,
    "sftp": _sftp,
}
