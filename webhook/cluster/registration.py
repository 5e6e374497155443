"""Whom the API server trusts as our webhooks: `caBundle` in the configurations of our name.

That field alone is ours. Whatever else is in a configuration stays as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.reflector import Reflector, Watcher

GROUP = "/apis/admissionregistration.k8s.io/v1"
PLURALS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_UNPROCESSABLE = 422  # what a JSON patch whose `test` fails is answered
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook of a configuration: its place, its name, whom it trusts."""

    index: int
    name: str
    bundle: bytes

    def trusts(self, certificate: bytes) -> bool:
        """Whether this CA (PEM) is among those that it trusts."""
        return set(_BLOCK.findall(certificate)) <= set(_BLOCK.findall(self.bundle))

    def ill(self, bundle: bytes) -> str:
        """Why it must be repaired to trust exactly `bundle`: empty, outdated or foreign; or "".

        Outdated is what we once wrote ourselves, as every rotation finds it.
        """
        if self.bundle == bundle:
            return ""
        if not self.bundle:
            return "empty"
        ours = set(_BLOCK.findall(bundle)) & set(_BLOCK.findall(self.bundle))
        return "outdated" if ours else "foreign"


@dataclass(frozen=True, slots=True)
class Configuration:
    """One configuration as it was read."""

    plural: str
    path: str
    uid: str
    version: str
    generation: int
    hooks: tuple[Hook, ...]


class Registration:
    """The configurations of one name; `changed` is called when one may be another."""

    def __init__(self, api: Api, watcher: Watcher, name: str, changed: Callable[[], None]) -> None:
        self._api = api
        self._name = name
        self.reflectors = [
            Reflector(
                plural,
                f"{GROUP}/{plural}?fieldSelector=metadata.name%3D{name}",
                api,
                watcher,
                news="resourceVersion",
                make=_make,
                changed=lambda _: changed(),
            )
            for plural in PLURALS
        ]

    async def read(self) -> tuple[Configuration, ...]:
        """Those that there are, as of now. Raises ApiError."""
        found = []
        for plural in PLURALS:
            path = f"{GROUP}/{plural}/{self._name}"
            one = await self._api.get(path)
            if one is not None:
                found.append(_configuration(plural, path, one))
        return tuple(found)

    async def repair(self, seen: Configuration, bundle: bytes) -> tuple[str, ...]:
        """Make each of its webhooks trust exactly `bundle`; why, for each that did not.

        `bundle` must be known from a moment after `seen`: then a configuration that has changed
        since, and is left alone, is the only one that may know better. Raises ApiError.
        """
        ill = {hook: why for hook in seen.hooks if (why := hook.ill(bundle))}
        if not ill:
            return ()
        encoded = base64.b64encode(bundle).decode()
        patch: list[Json] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": seen.version}
        ]
        for hook in ill:
            place = f"/webhooks/{hook.index}"
            patch += [
                {"op": "test", "path": f"{place}/name", "value": hook.name},
                {"op": "add", "path": f"{place}/clientConfig/caBundle", "value": encoded},
            ]
        try:
            await self._api.write("PATCH", seen.path, patch)
        except ConflictError:
            return ()
        except ApiError as error:
            if error.code == _UNPROCESSABLE:
                return ()
            raise
        return tuple(ill.values())


async def _make(objects: Sequence[Json]) -> list[str]:
    """Nothing of it is kept: who wants it reads it."""
    return [one["metadata"]["resourceVersion"] for one in objects]


def _configuration(plural: str, path: str, one: Json) -> Configuration:
    metadata = one["metadata"]
    hooks = tuple(
        Hook(index, hook["name"], _decoded(hook["clientConfig"].get("caBundle")))
        for index, hook in enumerate(one.get("webhooks") or ())
    )
    generation = metadata.get("generation", 0)
    return Configuration(
        plural, path, metadata["uid"], metadata["resourceVersion"], generation, hooks
    )


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "")
    except binascii.Error:  # the API server lets none through
        return b""
