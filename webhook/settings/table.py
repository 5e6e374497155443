"""Every setting, declared once: help, documentation and all three sources follow from it.

A field of `Settings` is a setting: its flag is `--field-name`, its variable `INITJECT_FIELD_NAME`,
its key in the file `field-name`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from webhook.settings.setting import Kind, Setting

KIB, MIB = 1024, 1024 * 1024

# Where injection would do harm or could not be undone (docs/reference/settings.md has the reasons).
EXCLUDED_NAMESPACES = (
    *("kube-*", "openshift-*", "gke-*", "calico-*", "tigera-*", "cilium*", "istio-system"),
    *("cert-manager", "*-csi*", "longhorn-system", "rook-ceph", "metallb-system", "velero"),
)

# The words of images that recipes run: ours, and those of tools.
RECIPE_IMAGES = (
    *("initject", "flyway", "liquibase", "golang-migrate", "atlas", "git-sync", "rclone", "oras"),
)


def _setting(kind: Kind, help: str, default: object = None, **more: Any) -> Any:
    meta = {"kind": kind, "help": help, "default": default, **more}
    return field(default=default, metadata=meta)


def _seconds(help: str, default: float, origin: str, *, least: float = 0.05) -> Any:
    return _setting(Kind.SECONDS, help, default, origin=origin, least=least, most=3600)


def _days(help: str, default: float, origin: str) -> Any:
    return _setting(Kind.DAYS, help, default, origin=origin, least=0.0001, most=3650)


def _port(help: str, default: int, origin: str) -> Any:
    return _setting(Kind.INTEGER, help, default, origin=origin, most=65535)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a user can set, checked. Built by `resolve`, joined in `server.run`."""

    policies: tuple[str, ...] = _setting(
        Kind.PATHS, "File or folder with policies.", (), decides=True
    )
    namespaces: tuple[str, ...] = _setting(
        Kind.PATHS, "File or folder with Namespace objects, for their labels.", (), decides=True
    )
    inject: str = _setting(
        Kind.CHOICE,
        "Which namespaces: all but the excluded ones, or those that opted in by label.",
        "all",
        choices=("all", "opt-in"),
        decides=True,
    )
    excluded_namespaces: tuple[str, ...] = _setting(
        Kind.GLOBS,
        "Namespaces left alone when all are injected; '' for none.",
        EXCLUDED_NAMESPACES,
        decides=True,
    )
    own_namespace: str = _setting(
        Kind.TEXT,
        "The namespace that this runs in: left alone as well.",
        "",
        decides=True,
        variable="INITJECT_NAMESPACE",
    )
    keep_first: tuple[str, ...] = _setting(
        Kind.GLOBS,
        "Init containers that always stay in front of ours.",
        ("restore-wait", "restic-wait"),
        origin="Velero restores volumes in them",
        decides=True,
    )
    mirrors: tuple[str, ...] = _setting(
        Kind.GLOBS,
        "Images that a registry mirror may have put in place of ours.",
        (),
        decides=True,
    )
    recipe_images: tuple[tuple[str, str], ...] = _setting(
        Kind.IMAGES,
        "The image of a recipe's tool, or (initject=…) that of Initject itself.",
        (),
        choices=RECIPE_IMAGES,
        decides=True,
    )
    image_mirror: str = _setting(
        Kind.TEXT,
        "What stands in place of the registry in the images of recipes' tools.",
        "",
        decides=True,
    )
    pull_secrets: tuple[str, ...] = _setting(
        Kind.NAMES,
        "Secrets that pods which get an image of a recipe pull images with.",
        (),
        decides=True,
    )
    image_volumes: bool = _setting(
        Kind.SWITCH,
        "The cluster mounts images as volumes, so that what a registry has needs no container.",
        False,
        decides=True,
    )
    evictable: bool = _setting(
        Kind.SWITCH,
        "Tell the cluster autoscaler that volumes of recipes keep no pod on its node.",
        False,
        decides=True,
    )
    wait_exit_code: int = _setting(
        Kind.INTEGER,
        "The exit code of a step that waited in vain.",
        210,
        origin="neither a program's (to 127) nor a signal's (128 to 165)",
        least=1,
        most=255,
        decides=True,
    )
    source: str = _setting(
        Kind.CHOICE,
        "Where policies and namespaces come from: files, or the objects of a cluster.",
        "files",
        choices=("files", "cluster"),
    )
    kubeconfig: str | None = _setting(
        Kind.PATH, "How to reach the cluster, where it is not the one that this runs in."
    )
    replica: str = _setting(
        Kind.TEXT,
        "The name of this replica, its pod's: with it, policies of a cluster get a status.",
        "",
    )
    lease: str = _setting(
        Kind.TEXT,
        "The name of the leader's Lease, and the beginning of those of the replicas.",
        "initject",
    )
    host: str = _setting(
        Kind.TEXT,
        "Address to serve on; 0.0.0.0 or :: for all.",
        "127.0.0.1",
        origin="safe outside a container; the image sets its own",
    )
    port: int = _port(
        "Port of the webhook; 0 takes a free one.", 8443, "443, as a user may bind it"
    )
    health_host: str = _setting(Kind.TEXT, "Address of the health port, if not that of --host.", "")
    health_port: int = _port(
        "Port of /healthz, /readyz and /metrics; 0 takes a free one.",
        8081,
        "controller-runtime's health port",
    )
    cert_dir: str | None = _setting(Kind.PATH, "Folder with tls.crt and tls.key.")
    self_signed: bool = _setting(
        Kind.SWITCH, "Serve with a certificate made at start, for local work.", False
    )
    certificate_secret: str | None = _setting(
        Kind.TEXT, "Serve by an authority of our own, kept in this Secret of --own-namespace."
    )
    service: str = _setting(
        Kind.TEXT, "The Service for which our own certificate is made.", "initject"
    )
    webhook_configuration: str = _setting(
        Kind.TEXT,
        "The mutating and the validating configuration whose caBundle is kept.",
        "initject",
    )
    leaf_days: float = _days(
        "How long our own certificate is valid; it is renewed when a third is left.",
        90.0,
        "as public authorities do; a month to notice that renewing fails",
    )
    ca_days: float = _days(
        "How long our own CA is valid; a new one is made when a third is left.",
        365.0,
        "a rotation each year is one that is known to work",
    )
    propagation_seconds: float = _seconds(
        "How long a new CA is registered before it signs.",
        60.0,
        "what API servers take to learn of a configuration is seconds; ten times that",
        least=1,
    )
    client_ca: str | None = _setting(
        Kind.PATH, "File with the CAs of which clients must show a certificate."
    )
    log_level: str = _setting(
        Kind.CHOICE,
        "The least level that is logged; debug has a line for each review.",
        "info",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = _setting(
        Kind.CHOICE,
        "How log lines look; auto is text on a terminal and json elsewhere.",
        "auto",
        choices=("auto", "json", "text"),
    )
    reload_seconds: float = _seconds(
        "Between two looks at the files of policies and namespaces.",
        1.0,
        "a guess: soon for who edits, nothing in cost",
    )
    certificate_seconds: float = _seconds(
        "Between two whole readings of the certificate folder.", 10.0, "controller-runtime's poll"
    )
    drain_seconds: float = _seconds(
        "After SIGTERM: keep answering, so that the API server can learn that we leave.",
        10.0,
        "the middle of the 5 to 15 s that endpoints take to spread",
        least=0,
    )
    grace_seconds: float = _seconds(
        "After draining: how long running requests may still take.",
        31.0,
        "a webhook's largest timeoutSeconds, 30, and one more",
        least=0,
    )
    handshake_seconds: float = _seconds(
        "How long a TLS handshake may take.", 10.0, "the API server's own limit"
    )
    header_seconds: float = _seconds(
        "How long a request's header may take.", 10.0, "a guess: the API server sends it at once"
    )
    body_seconds: float = _seconds(
        "How long a request's body may take.", 30.0, "a webhook's largest timeoutSeconds"
    )
    idle_seconds: float = _seconds(
        "How long an idle connection stays open.",
        120.0,
        "more than the 90 s after which the API server closes it itself",
    )
    max_body_bytes: int = _setting(
        Kind.INTEGER,
        "The largest body that is read.",
        7 * MIB,
        origin="object and old object of 3 MiB each, the API server's limit, and 1 MiB around",
        least=1 * KIB,
        most=64 * MIB,
    )
    max_header_bytes: int = _setting(
        Kind.INTEGER,
        "The largest header that is read.",
        64 * KIB,
        origin="a guess: a bearer token takes some 2 KiB, a proxy's headers a few more",
        least=1 * KIB,
        most=1 * MIB,
    )

    @property
    def excluded(self) -> tuple[str, ...]:
        """The globs of namespaces that are left alone, our own namespace included."""
        own = (self.own_namespace,) if self.own_namespace else ()
        return self.excluded_namespaces + own


TABLE: tuple[Setting, ...] = tuple(
    Setting(entry.name, **entry.metadata) for entry in fields(Settings)
)
DECISION: tuple[Setting, ...] = tuple(setting for setting in TABLE if setting.decides)
