"""What a step takes from an application container: image, environment, volume mounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from webhook.inject.match import normal_path
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
        for field in ("imagePullPolicy", "workingDir"):
            if field in source:
                result.setdefault(field, source[field])
    _extend(result, "env", _environment(borrow.env, source), _name)
    if borrow.env_from and source.get("envFrom"):
        result["envFrom"] = [*(source.get("envFrom") or ()), *(result.get("envFrom") or ())]
    _extend(result, "volumeMounts", _mounts(borrow.volume_mounts, source), _path)
    return result


def _extend(
    result: dict[str, Any], field: str, borrowed: list[Json], key: Callable[[Json], object]
) -> None:
    """Put borrowed items in front of the step's own, so that `$(NAME)` in its own can see them.

    An own item replaces the borrowed one of its key, and stands in its place, since what is
    borrowed may refer to it; one that refers to others stays behind them.
    """
    if not borrowed:
        return
    own = {key(item): item for item in result.get(field) or ()}
    front: dict[object, Json] = {}
    for item in borrowed:
        name = key(item)
        mine = own.get(name)
        if mine is None:
            front[name] = item
        elif "$(" not in str(mine.get("value")):
            front[name] = mine
    result[field] = [*front.values(), *(item for k, item in own.items() if k not in front)]


def _name(item: Json) -> object:
    return item.get("name")


def _path(item: Json) -> object:
    return normal_path(str(item.get("mountPath")))


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
    path = normal_path(str(mount.get("mountPath", "")))
    return path == trust.TOKEN_PATH or str(mount.get("name", "")).startswith(trust.TOKEN_VOLUME)
