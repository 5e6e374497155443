"""What a step takes from an application container: image, environment, volume mounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.policy import trust
from webhook.policy.compiled import Borrow
from webhook.policy.glob import Glob

Json = Mapping[str, Any]


def lender(borrow: Borrow, containers: Iterable[Json]) -> Json | None:
    """The first application container whose name fits, or None."""
    return next((c for c in containers if borrow.container.matches(str(c.get("name", "")))), None)


def with_borrowed(container: Json, borrow: Borrow, source: Json) -> dict[str, Any]:
    """The step's container with what it borrows from `source`; what the step sets itself wins."""
    result = dict(container)
    if borrow.image and "image" not in result and source.get("image"):
        result["image"] = source["image"]
        if "imagePullPolicy" in source:
            result.setdefault("imagePullPolicy", source["imagePullPolicy"])
    _extend(result, "env", _environment(borrow.env, source), "name")
    if borrow.env_from:
        _extend(result, "envFrom", list(source.get("envFrom") or ()), None)
    _extend(result, "volumeMounts", _mounts(borrow.volume_mounts, source), "mountPath")
    return result


def _extend(result: dict[str, Any], field: str, borrowed: list[Any], key: str | None) -> None:
    """Put borrowed items in front of the step's own, so that `$(NAME)` in its own can see them."""
    own = result.get(field) or []
    taken = {item.get(key) for item in own} if key else set()
    fresh = [item for item in borrowed if not key or item.get(key) not in taken]
    if fresh or own:
        result[field] = [*fresh, *own]


def _fits(name: object, globs: Iterable[Glob]) -> bool:
    return isinstance(name, str) and any(glob.matches(name) for glob in globs)


def _environment(globs: tuple[Glob, ...], source: Json) -> list[Any]:
    return [
        variable
        for variable in source.get("env") or ()
        if _fits(variable.get("name"), globs) and not trust.loads_code(variable["name"])
    ]


def _mounts(globs: tuple[Glob, ...], source: Json) -> list[Any]:
    return [
        mount
        for mount in source.get("volumeMounts") or ()
        if _fits(mount.get("name"), globs) and not _is_token(mount)
    ]


def _is_token(mount: Json) -> bool:
    path = str(mount.get("mountPath", "")).rstrip("/")
    return path == trust.TOKEN_PATH or str(mount.get("name", "")).startswith(trust.TOKEN_VOLUME)
