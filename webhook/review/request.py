"""The question: one AdmissionReview request, its object as raw JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

Json = Mapping[str, Any]


class Request(msgspec.Struct, frozen=True):
    """What the API server asks (admission/v1 `AdmissionRequest`).

    `kind` and `resource` are (group, version, kind or resource). `object` is the pod as raw JSON,
    or None when the wire said null. `raw` is the whole request as it came (without `object` and
    `oldObject`), for expressions that read `request`. (A struct: a frozen dataclass takes ten
    times as long to make.)
    """

    uid: str = ""
    kind: tuple[str, str, str] = ("", "v1", "Pod")
    resource: tuple[str, str, str] = ("", "v1", "pods")
    subresource: str = ""
    name: str = ""
    namespace: str = ""
    operation: str = "CREATE"
    object: Json | None = None
    dry_run: bool = False
    raw: Json = {}
