"""Raw containers and volumes of a policy: what is wrong with them, and how they are stored.

What the API server would refuse comes from `apiserver`; here are the facade and what Initject
itself asks of a step: an image that says what it is, resources that cost what was meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from webhook.document.problem import Finding
from webhook.policy.apiserver import (
    env,
    formats,
    lifecycle,
    mounts,
    resources,
    security,
    volume,
    walk,
)
from webhook.policy.apiserver import stored as storage


def _rules(*sets: walk.Rules) -> walk.Rules:
    types = {name for rules in sets for name in rules}
    return {name: tuple(r for rules in sets for r in rules.get(name, ())) for name in types}


_RULES = _rules(
    env.RULES, lifecycle.RULES, mounts.RULES, resources.RULES, security.RULES, volume.RULES
)


def findings(
    container: Mapping[str, Any],
    *,
    volumes: Collection[str] | None,
    image_borrowed: bool = False,
    newer: bool = False,
) -> list[Finding]:
    """Everything the API server would refuse in an init container, and our own warnings.

    `volumes` are the names that mounts may use, None if they are not all known. With
    `image_borrowed` the image may be missing; with `newer` unknown fields are warnings, for a newer
    cluster may know them. Texts with a template are judged by type alone.
    """
    walked = walk.walk("Container", container, _RULES, newer=newer)
    found = list(walked.findings)
    if volumes is not None:
        found += mounts.unknown_volumes(walked.clean, volumes)
    if newer or "image" not in walk.misspelt("Container", container):
        found += _image(container, borrowed=image_borrowed)
    found += [one for one in _sizes(walked.clean) if not walked.told(one.path)]
    return found


def volume_findings(volume: Mapping[str, Any], *, newer: bool = False) -> list[Finding]:
    """Everything the API server would refuse in a volume, and a warning for one without a limit.

    `newer` as in `findings`.
    """
    return walk.walk("Volume", volume, _RULES, newer=newer).findings


def stored(container: Mapping[str, Any]) -> dict[str, Any]:
    """`container` in the form in which the API server stores it.

    Canonical quantities; empty strings and lists and default-false fields dropped, pointers such
    as `allowPrivilegeEscalation: false` kept. What is not of the right type stays as it is. A
    string with a template stays too: bring the rendered container to this form once more.
    """
    return storage.stored("Container", container)


def stored_volume(volume: Mapping[str, Any]) -> dict[str, Any]:
    """`volume` in the form in which the API server stores it; see `stored`."""
    return storage.stored("Volume", volume)


def _image(container: Mapping[str, Any], *, borrowed: bool) -> Iterator[Finding]:
    image = container.get("image")
    if image is None or image == "":
        if not borrowed:
            advice = "write one, or borrow one (borrow: {image: true})"
            yield Finding(("image",), "is missing", advice)
        return
    if not isinstance(image, str) or formats.is_template(image):
        return
    if any(character.isspace() for character in image):
        yield Finding(("image",), "an image has no space in its name", "remove the space")
        return
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest:
        return
    if tag in ("", "latest"):
        what = "has the tag latest" if tag else "has no tag, which means latest"
        advice = "name a version, or better a digest, so that a step stays what was tested"
        yield Finding(("image",), what, advice, "warning")


def _sizes(container: Mapping[str, Any]) -> Iterator[Finding]:
    """What a step costs (`container` is clean)."""
    held = container.get("resources", {})
    requests, limits = held.get("requests", {}), held.get("limits", {})
    if "memory" in requests and "memory" not in limits:
        what = "a memory request without a limit: the step may take all memory of the node"
        advice = "write limits.memory"
        yield Finding(("resources", "requests", "memory"), what, advice, "warning")
    if lifecycle.is_sidecar(container):
        stated = {**limits, **requests}  # where only a limit stands, it is the request too
        missing = [name for name in ("cpu", "memory") if name not in stated]
        if missing:
            what = "a sidecar must state its resources: it runs beside the application and costs"
            advice = f"write resources.requests.{' and '.join(missing)}"
            yield Finding(("resources",), what, advice)
