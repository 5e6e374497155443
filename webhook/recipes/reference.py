"""What a step takes of Secrets and ConfigMaps of the pod's namespace: never the value itself.

Their names are the policy's: no template, since whoever names a Secret can have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.form import name as names
from webhook.form.form import Filled, Pattern, Text
from webhook.form.part import Part, needed, told

NAME = Text(
    names.MAX_SUBDOMAIN,
    pattern=Pattern(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "consist of lower-case letters, digits, '-' and '.'",
        "-",
    ),
)
# core validation IsConfigMapKey, which also holds for Secrets
KEY_NAME = Text(
    names.MAX_SUBDOMAIN,
    pattern=Pattern(r"^[-._a-zA-Z0-9]+$", "consist of letters, digits, '-', '_' and '.'", "-"),
)
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # where every client looks
TOKEN_SECONDS = 3600  # the API server's default; the kubelet replaces a token in time
MOUNTS = "/run/initject"  # where recipes mount what they need themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a Secret or ConfigMap of the pod's namespace."""

    name: str = needed(NAME, "The name of the object.")
    key: str = needed(KEY_NAME, "The key in it.")


KEY = Part(Key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Something that a Secret or a ConfigMap holds: exactly one of the fields."""

    secret: Key | None = told(KEY, "A key of a Secret.")
    config_map: Key | None = told(KEY, "A key of a ConfigMap.")


HELD = Part(Held, single=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What a variable holds: exactly one of the fields."""

    value: str | None = told(Filled(Text(4096, least=0)), "The value itself; nothing secret.")
    secret: Key | None = told(KEY, "A key of a Secret.")
    config_map: Key | None = told(KEY, "A key of a ConfigMap.")


VALUE = Part(Value, single=True)


def variable(name: str, of: Value | Held) -> dict[str, Any]:
    """An entry of `env`, which takes what is held when the container starts."""
    for source, key in (("secretKeyRef", of.secret), ("configMapKeyRef", of.config_map)):
        if key:
            return {"name": name, "valueFrom": {source: {"name": key.name, "key": key.key}}}
    return {"name": name, "value": of.value if isinstance(of, Value) else None}


@dataclass(frozen=True, slots=True)
class File:
    """A held value as a file of the step: its path, and the volume and the mount that it needs."""

    path: str
    volume: Mapping[str, Any]
    mount: Mapping[str, Any]


def file(volume: str, held: Held) -> File:
    """The value as a file in a volume of that name, below `MOUNTS`."""
    of = held.secret or held.config_map
    if of is None:  # `single` says that one is set
        msg = "neither a Secret nor a ConfigMap"
        raise ValueError(msg)
    items = {"items": [{"key": of.key, "path": "value"}]}
    source: dict[str, Any] = (
        {"secret": {"secretName": of.name, **items}}
        if held.secret
        else {"configMap": {"name": of.name, **items}}
    )
    folder = f"{MOUNTS}/{volume}"
    return File(
        f"{folder}/value",
        {"name": volume, **source},
        {"name": volume, "mountPath": folder, "readOnly": True},
    )


def account(volume: str) -> File:
    """The pod's service account as a folder: token, CA and namespace, as every pod has it.

    In a volume of its own, for the pod or the account may say `automountServiceAccountToken: false`
    of all other containers. Source: the ServiceAccount plugin of the API server, whose own volume
    of that kind is left out where a container has a mount at that path.
    """
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    return File(
        ACCOUNT,
        {"name": volume, "projected": {"sources": sources}},
        {"name": volume, "mountPath": ACCOUNT, "readOnly": True},
    )
