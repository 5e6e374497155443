"""The security context of a step: Pod Security `restricted`, unless the policy says otherwise.

Source: kubernetes.io "Pod Security Standards"; on Windows the Linux fields are forbidden by the API
server (core validation `validateWindows`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

USER = 65532  # the `nonroot` user of distroless images, and of our own

# With an image come the user and groups that it was made for.
_USER_FIELDS = ("runAsUser", "runAsGroup", "runAsNonRoot", "windowsOptions")


def hardened(written: Json | None, *, windows: bool, fixed_user: bool, lender: Json | None) -> Json:
    """The security context of a step.

    `written` is the policy's, `lender` the container whose image is borrowed, `fixed_user` is false
    where the platform assigns users (OpenShift). A default that contradicts what is written is
    dropped.
    """
    context = dict(written or {})
    if lender is not None:
        borrowed = lender.get("securityContext") or {}
        user = {key: borrowed[key] for key in _USER_FIELDS if key in borrowed}
    else:
        user = _default_user(context, windows=windows, fixed_user=fixed_user)
    if windows:
        return {**user, **context}
    defaults = _linux(context)
    if "capabilities" in defaults:  # adding one leaves the others dropped: `restricted` wants it
        context["capabilities"] = defaults["capabilities"]
    return {**defaults, **user, **context}


def _default_user(written: Json, *, windows: bool, fixed_user: bool) -> dict[str, Any]:
    if written.get("runAsUser") == 0 or written.get("runAsNonRoot") is False:
        return {}
    if windows or not fixed_user or "runAsUser" in written:
        return {"runAsNonRoot": True}
    group = {} if "runAsGroup" in written else {"runAsGroup": USER}
    return {"runAsNonRoot": True, "runAsUser": USER, **group}


def _linux(written: Json) -> dict[str, Any]:
    capabilities = written.get("capabilities") or {}
    defaults: dict[str, Any] = {
        "readOnlyRootFilesystem": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if not written.get("privileged") and not _adds_sys_admin(capabilities):
        defaults["allowPrivilegeEscalation"] = False
    if not written.get("privileged") and "ALL" not in (capabilities.get("add") or ()):
        defaults["capabilities"] = {"drop": ["ALL"], **capabilities}
    return defaults


def _adds_sys_admin(capabilities: Json) -> bool:
    return any(
        str(name).upper() in {"SYS_ADMIN", "CAP_SYS_ADMIN", "ALL"}
        for name in capabilities.get("add") or ()
    )
