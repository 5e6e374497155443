"""Which values the fields of containers and volumes may have: the rules that need no thought.

Source: kubernetes `pkg/apis/core/validation/validation.go` and `pkg/apis/core/types.go`, 1.37.
Keyed by type and field as in `schema.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from webhook.form import name
from webhook.policy.apiserver import formats

Key = tuple[str, str]

_PULL = ("Always", "IfNotPresent", "Never")
_PROTOCOLS = ("TCP", "UDP", "SCTP")

ENUMS: Mapping[Key, tuple[str, ...]] = {
    ("Container", "imagePullPolicy"): _PULL,
    ("Container", "restartPolicy"): ("Always", "OnFailure", "Never"),
    ("Container", "terminationMessagePolicy"): ("File", "FallbackToLogsOnError"),
    ("ContainerPort", "protocol"): _PROTOCOLS,
    ("ContainerResizePolicy", "resourceName"): ("cpu", "memory"),
    ("ContainerResizePolicy", "restartPolicy"): ("NotRequired", "RestartContainer"),
    ("ContainerRestartRule", "action"): ("Restart", "RestartAllContainers"),
    ("ContainerRestartRuleOnExitCodes", "operator"): ("In", "NotIn"),
    ("VolumeMount", "mountPropagation"): ("None", "HostToContainer", "Bidirectional"),
    ("VolumeMount", "recursiveReadOnly"): ("Disabled", "IfPossible", "Enabled"),
    ("HTTPGetAction", "scheme"): ("HTTP", "HTTPS"),
    ("HTTPGetAction", "protocol"): ("HTTP1", "HTTP2"),
    ("SecurityContext", "procMount"): ("Default", "Unmasked"),
    ("SeccompProfile", "type"): ("RuntimeDefault", "Localhost", "Unconfined"),
    ("AppArmorProfile", "type"): ("RuntimeDefault", "Localhost", "Unconfined"),
    ("HostPathVolumeSource", "type"): (
        "",
        "DirectoryOrCreate",
        "Directory",
        "FileOrCreate",
        "File",
        "Socket",
        "CharDevice",
        "BlockDevice",
    ),
    ("ImageVolumeSource", "pullPolicy"): _PULL,
    ("AzureDiskVolumeSource", "cachingMode"): ("None", "ReadOnly", "ReadWrite"),
    ("AzureDiskVolumeSource", "kind"): ("Shared", "Dedicated", "Managed"),
    ("PersistentVolumeClaimSpec", "volumeMode"): ("Block", "Filesystem"),
    ("PodCertificateProjection", "keyType"): (
        "RSA3072",
        "RSA4096",
        "ECDSAP256",
        "ECDSAP384",
        "ECDSAP521",
        "ED25519",
    ),
    ("LabelSelectorRequirement", "operator"): ("In", "NotIn", "Exists", "DoesNotExist"),
}

# The values of a list of texts.
ITEMS: Mapping[Key, tuple[str, ...]] = {
    ("VolumeMount", "bindMountOptions"): ("noexec", "nodev", "nosuid"),
    ("PersistentVolumeClaimSpec", "accessModes"): (
        "ReadWriteOnce",
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOncePod",
    ),
}

FORMATS: Mapping[Key, Callable[[str], str]] = {
    ("Container", "name"): name.label,
    ("ContainerPort", "name"): formats.port_name,
    ("EnvVar", "name"): formats.env_name,
    ("EnvFromSource", "prefix"): formats.env_name,
    ("ConfigMapEnvSource", "name"): name.subdomain,
    ("SecretEnvSource", "name"): name.subdomain,
    ("ConfigMapKeySelector", "name"): name.subdomain,
    ("ConfigMapKeySelector", "key"): formats.config_key,
    ("SecretKeySelector", "name"): name.subdomain,
    ("SecretKeySelector", "key"): formats.config_key,
    ("FileKeySelector", "key"): formats.env_name,
    ("FileKeySelector", "volumeName"): name.label,
    ("FileKeySelector", "path"): formats.no_backsteps,
    ("ResourceClaim", "request"): name.label,
    ("VolumeMount", "subPath"): formats.descending,
    ("VolumeMount", "subPathExpr"): formats.descending,
    ("VolumeDevice", "devicePath"): formats.no_backsteps,
    ("HTTPHeader", "name"): formats.header,
    ("SeccompProfile", "localhostProfile"): formats.descending,
    ("AppArmorProfile", "localhostProfile"): formats.trimmed,
    ("WindowsSecurityContextOptions", "gmsaCredentialSpecName"): name.subdomain,
    ("Volume", "name"): name.label,
    ("HostPathVolumeSource", "path"): formats.no_backsteps,
    ("KeyToPath", "path"): formats.local,
    ("DownwardAPIVolumeFile", "path"): formats.local,
    ("ServiceAccountTokenProjection", "path"): formats.local,
    ("ClusterTrustBundleProjection", "path"): formats.local,
    ("PodCertificateProjection", "credentialBundlePath"): formats.local,
    ("PodCertificateProjection", "keyPath"): formats.local,
    ("PodCertificateProjection", "certificateChainPath"): formats.local,
    ("NFSVolumeSource", "path"): formats.absolute,
    ("CSIVolumeSource", "driver"): name.subdomain,
    ("LocalObjectReference", "name"): name.subdomain,
    ("PersistentVolumeClaimSpec", "storageClassName"): lambda text: text and name.subdomain(text),
}

_PORT = (1, 65535)
_ID = (0, 2**31 - 1)  # an int32 in the kernel
_SECONDS = (0, 2**31 - 1)
_MODE = (0, 0o777)

RANGES: Mapping[Key, tuple[int, int]] = {
    ("ContainerPort", "containerPort"): _PORT,
    ("ContainerPort", "hostPort"): (0, 65535),  # 0 is none
    ("HTTPGetAction", "port"): _PORT,
    ("TCPSocketAction", "port"): _PORT,
    ("GRPCAction", "port"): _PORT,
    ("Probe", "initialDelaySeconds"): _SECONDS,
    ("Probe", "timeoutSeconds"): _SECONDS,
    ("Probe", "periodSeconds"): _SECONDS,
    ("Probe", "successThreshold"): _SECONDS,
    ("Probe", "failureThreshold"): _SECONDS,
    ("Probe", "terminationGracePeriodSeconds"): (1, 2**63 - 1),
    ("SleepAction", "seconds"): (0, 2**63 - 1),
    ("SecurityContext", "runAsUser"): _ID,
    ("SecurityContext", "runAsGroup"): _ID,
    ("EmptyDirVolumeSource", "mode"): (0, 0o1777),
    ("SecretVolumeSource", "defaultMode"): _MODE,
    ("SecretVolumeSource", "defaultUser"): _ID,
    ("ConfigMapVolumeSource", "defaultMode"): _MODE,
    ("ConfigMapVolumeSource", "defaultUser"): _ID,
    ("DownwardAPIVolumeSource", "defaultMode"): _MODE,
    ("DownwardAPIVolumeSource", "defaultUser"): _ID,
    ("DownwardAPIVolumeFile", "mode"): _MODE,
    ("DownwardAPIVolumeFile", "user"): _ID,
    ("ProjectedVolumeSource", "defaultMode"): _MODE,
    ("ProjectedVolumeSource", "defaultUser"): _ID,
    ("KeyToPath", "mode"): _MODE,
    ("KeyToPath", "user"): _ID,
    ("ServiceAccountTokenProjection", "expirationSeconds"): (600, 2**32),
    ("ServiceAccountTokenProjection", "user"): _ID,
    ("ClusterTrustBundleProjection", "user"): _ID,
    ("PodCertificateProjection", "user"): _ID,
    ("PodCertificateProjection", "maxExpirationSeconds"): (3600, 91 * 86400),
}

# Of these fields exactly one must be there.
ONE_OF: Mapping[str, tuple[str, ...]] = {
    "EnvVarSource": (
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ),
    "EnvFromSource": ("configMapRef", "secretRef"),
    "Probe": ("exec", "httpGet", "tcpSocket", "grpc"),
    "LifecycleHandler": ("exec", "httpGet", "tcpSocket", "sleep"),
    "DownwardAPIVolumeFile": ("fieldRef", "resourceFieldRef"),
    "VolumeProjection": (
        "configMap",
        "secret",
        "downwardAPI",
        "serviceAccountToken",
        "clusterTrustBundle",
        "podCertificate",
    ),
    "ClusterTrustBundleProjection": ("name", "signerName"),
}

# Needed although the schema, made for what is stored, does not say so.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "ConfigMapEnvSource": ("name",),
    "SecretEnvSource": ("name",),
    "ConfigMapKeySelector": ("name",),
    "SecretKeySelector": ("name",),
    "ContainerRestartRule": ("exitCodes",),
    "ExecAction": ("command",),
    "ConfigMapVolumeSource": ("name",),
    "ConfigMapProjection": ("name",),
    "SecretProjection": ("name",),
    "SecretVolumeSource": ("secretName",),
    "LocalObjectReference": ("name",),
    "EphemeralVolumeSource": ("volumeClaimTemplate",),
    "PersistentVolumeClaimSpec": ("accessModes", "resources"),
    "ImageVolumeSource": ("reference",),
    "ProjectedVolumeSource": ("sources",),
}

# Required, but may well be empty.
MAY_BE_EMPTY = frozenset({("HTTPHeader", "value"), ("ProjectedVolumeSource", "sources")})

# Entries of a list must differ in this field; the message says what cannot be twice.
UNIQUE: Mapping[Key, str] = {
    ("Container", "volumeMounts"): "mountPath",
    ("Container", "volumeDevices"): "name",
    ("Container", "resizePolicy"): "resourceName",
}
