"""The Secret that holds our keys: read, watched, and written by one of us at a time.

It is there before us: who may create Secrets may not be held to one name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence

from webhook.cluster.api import Api, ApiError, ConflictError, Json
from webhook.cluster.reflector import Reflector, Watcher


class Secret:
    """One Secret by its name; `changed` is called when it may be another."""

    def __init__(
        self, api: Api, watcher: Watcher, namespace: str, name: str, changed: Callable[[], None]
    ) -> None:
        self._api = api
        self._named = f"the Secret {namespace}/{name}"
        whole = f"/api/v1/namespaces/{namespace}/secrets"
        self._path = f"{whole}/{name}"
        # Rights for one name hold for a list or watch only when it asks for that name.
        self.reflector = Reflector(
            "secrets",
            f"{whole}?fieldSelector=metadata.name%3D{name}",
            api,
            watcher,
            news="resourceVersion",
            make=_make,
            changed=lambda _: changed(),
        )

    async def read(self) -> tuple[str, Mapping[str, bytes]]:
        """Its version and its data, as of now. Raises ApiError, also when there is none."""
        found = await self._api.get(self._path)
        if found is None:
            message = f"{self._named} is not there; apply the manifests again, which have it empty"
            raise ApiError(message, 404)
        data = found.get("data") or {}
        return found["metadata"]["resourceVersion"], {k: _decoded(v) for k, v in data.items()}

    async def swap(self, version: str, data: Mapping[str, bytes]) -> bool:
        """Put `data` into it, unless it is no longer of that version. Raises ApiError.

        Empty contents remove a name. What others keep in it under other names stays.
        """
        encoded = {name: base64.b64encode(one).decode() or None for name, one in data.items()}
        body = {"metadata": {"resourceVersion": version}, "data": encoded}
        try:
            await self._api.write("PATCH", self._path, body)
        except ConflictError:
            return False
        return True


async def _make(objects: Sequence[Json]) -> list[str]:
    """Nothing of it is kept: who wants it reads it."""
    return [one["metadata"]["resourceVersion"] for one in objects]


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "")
    except binascii.Error:  # the API server lets none through
        return b""
