"""What a `securityContext` may not say at once.

Source: `ValidateSecurityContext` and `validateSeccompProfileField` in kubernetes 1.37; that the
kubelet starts no root user under `runAsNonRoot` (pkg/kubelet/kuberuntime/security_context.go); and
capabilities(7) for the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from webhook.document.problem import Finding, Path
from webhook.form import words
from webhook.policy.apiserver import formats
from webhook.policy.apiserver.walk import Rules

# At most one backslash; no control characters; none of the characters Windows keeps for itself.
_USER = re.compile(r"(?:[^\\\x00-\x1f]{0,255}\\)?[^\x00-\x1f\"/\\:;|=,+*?<>@\[\]]{0,104}")
MAX_WINDOWS_SPEC = 64 * 1024  # bytes of a GMSA credential spec

_CAPABILITIES = """
AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE
MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG
SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE
SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL
"""
CAPABILITIES = tuple(_CAPABILITIES.split())


def _contradictions(context: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    if context.get("allowPrivilegeEscalation") is False:
        here, advice = (*path, "allowPrivilegeEscalation"), "remove one of the two"
        if context.get("privileged"):
            yield Finding(here, "false contradicts privileged: true", advice)
        added = [short(name) for name in context.get("capabilities", {}).get("add", ())]
        if "SYS_ADMIN" in added:
            yield Finding(
                here, "false contradicts the capability SYS_ADMIN", "remove one of the two"
            )
    if context.get("runAsNonRoot") and context.get("runAsUser") == 0:
        what = "true contradicts runAsUser: 0: the container would never start"
        yield Finding((*path, "runAsNonRoot"), what, "remove one of the two")
    if context.get("procMount") == "Unmasked":
        what = "Unmasked is refused for pods without hostUsers: false"
        yield Finding((*path, "procMount"), what, "match only such pods", "warning")


def short(capability: str) -> str:
    """`CAP_SYS_ADMIN` and `SYS_ADMIN` are one."""
    return capability.removeprefix("CAP_")


def _capabilities(capabilities: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for key in ("add", "drop"):
        for index, name in enumerate(capabilities.get(key, ())):
            if "${" not in name and short(name) not in CAPABILITIES:
                advice = words.meant(short(name.upper()), CAPABILITIES).partition(", AUDIT_READ")[0]
                what = f"{name!r} is no capability of Linux"
                yield Finding((*path, key, index), what, advice, "warning")


def _localhost(profile: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    here = (*path, "localhostProfile")
    if profile.get("type") == "Localhost" and not profile.get("localhostProfile"):
        yield Finding(here, "is missing", "type Localhost needs the profile's name")
    if profile.get("type") not in (None, "Localhost") and "localhostProfile" in profile:
        yield Finding(here, "is for type Localhost only", "remove it, or set type: Localhost")


def _windows(options: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    for key in ("gmsaCredentialSpec", "gmsaCredentialSpecName", "runAsUserName"):
        if options.get(key) == "":
            yield Finding((*path, key), "is empty", "remove it, or write a value")
    if len(options.get("gmsaCredentialSpec", "")) > MAX_WINDOWS_SPEC:
        yield Finding((*path, "gmsaCredentialSpec"), "is longer than 64 KiB", "shorten it")
    user = options.get("runAsUserName", "")
    if not formats.is_template(user) and not _USER.fullmatch(user):
        what = f"{user!r} is no user of Windows"
        yield Finding((*path, "runAsUserName"), what, "write USER or DOMAIN\\USER")
    if options.get("hostProcess"):
        what = "is refused unless all containers of the pod are host processes"
        yield Finding((*path, "hostProcess"), what, "match only such pods", "warning")


RULES: Rules = {
    "SecurityContext": (_contradictions,),
    "Capabilities": (_capabilities,),
    "SeccompProfile": (_localhost,),
    "AppArmorProfile": (_localhost,),
    "WindowsSecurityContextOptions": (_windows,),
}
