"""The form in which the API server stores a container or a volume, and gives it back.

The rule is how Go's encoding/json writes the structs of k8s.io/api/core/v1 (0.37): every optional
field is `omitempty`. So an empty string, `false`, `0`, `[]` and `{}` of a list or map vanish; a
field that is a pointer in Go stays whatever it points to (`POINTERS`), and so do a field without
`omitempty` (exactly the required ones) and every struct, empty or not (`emptyDir: {}`). A null
vanishes everywhere. Quantities are stored in canonical form; in requests and limits rounded up to
a thousandth by `SetDefaults_ResourceList` (kubernetes pkg/apis/core/v1/defaults.go).

Defaults are none of this: the API server adds them after us, and only where a field is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.policy import quantity
from webhook.policy.apiserver import shape

_POINTERS = {
    "Container": "restartPolicy",
    "ConfigMapEnvSource": "optional",
    "SecretEnvSource": "optional",
    "ConfigMapKeySelector": "optional",
    "SecretKeySelector": "optional",
    "FileKeySelector": "optional",
    "VolumeMount": "recursiveReadOnly mountPropagation",
    "Probe": "terminationGracePeriodSeconds",
    "HTTPGetAction": "protocol",
    "GRPCAction": "service mode",
    "Lifecycle": "stopSignal",
    "SecurityContext": "privileged runAsUser runAsGroup runAsNonRoot readOnlyRootFilesystem "
    "allowPrivilegeEscalation procMount",
    "WindowsSecurityContextOptions": "gmsaCredentialSpecName gmsaCredentialSpec runAsUserName "
    "hostProcess",
    "SeccompProfile": "localhostProfile",
    "AppArmorProfile": "localhostProfile",
    "HostPathVolumeSource": "type",
    "EmptyDirVolumeSource": "mode",
    "SecretVolumeSource": "defaultMode optional defaultUser",
    "KeyToPath": "mode user",
    "ISCSIVolumeSource": "initiatorName",
    "DownwardAPIVolumeSource": "defaultMode defaultUser",
    "DownwardAPIVolumeFile": "mode user",
    "FCVolumeSource": "lun",
    "ConfigMapVolumeSource": "defaultMode optional defaultUser",
    "AzureDiskVolumeSource": "cachingMode fsType readOnly kind",
    "ProjectedVolumeSource": "defaultMode defaultUser",
    "SecretProjection": "optional",
    "ConfigMapProjection": "optional",
    "ServiceAccountTokenProjection": "expirationSeconds user",
    "ClusterTrustBundleProjection": "name signerName optional user",
    "PodCertificateProjection": "maxExpirationSeconds user",
    "CSIVolumeSource": "readOnly fsType",
    "ObjectMeta": "deletionGracePeriodSeconds",
    "OwnerReference": "controller blockOwnerDeletion",
    "PersistentVolumeClaimSpec": "storageClassName volumeMode volumeAttributesClassName",
    "TypedLocalObjectReference": "apiGroup",
    "TypedObjectReference": "apiGroup namespace",
}
POINTERS = {(name, field) for name, fields in _POINTERS.items() for field in fields.split()}


def stored(type_name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """`value`, a `Container`, `Volume` or another type of the schema, as it is stored.

    Takes any value and leaves alone what is not of the type it should be: saying so is
    `findings`' work. Fields that the schema does not know stay as they are.
    """
    fields = shape.types()[type_name]
    result: dict[str, Any] = {}
    for name, held in value.items():
        field = fields.get(name)
        kept = held if field is None else _field(type_name, name, field, held)
        if kept is not None:
            result[name] = kept
    return result


def _field(type_name: str, name: str, field: shape.Field, held: object) -> object:
    """The stored value of one field; None: it is not stored."""
    if held is None:
        return None
    if field.many:
        return _many(type_name, field, held) or (held if field.required else None)
    if field.kind == "struct":
        return stored(field.of, held) if isinstance(held, dict) else held
    if field.kind == "quantity":
        return _canonical(held, milli=False)
    if held or field.required or (type_name, name) in POINTERS:
        return held
    return None


def _many(type_name: str, field: shape.Field, held: object) -> object:
    if field.many == "map" and isinstance(held, dict):
        if field.kind != "quantity":
            return held
        return {key: _canonical(entry, milli=True) for key, entry in held.items()}
    if field.many == "list" and isinstance(held, list) and field.kind == "struct":
        return [stored(field.of, entry) if isinstance(entry, dict) else entry for entry in held]
    return held


def _canonical(held: object, *, milli: bool) -> object:
    if isinstance(held, (str, int, float)):
        try:
            return quantity.canonical(held, milli=milli)
        except ValueError:
            return held
    return held
