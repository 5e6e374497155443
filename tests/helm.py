"""The chart as helm renders it."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests import needs

CHECKOUT = Path(__file__).resolve().parents[1]
CHART = CHECKOUT / "deploy" / "chart"
# Nothing of who runs the tests: no repositories, no plugins, no cluster.
BARE = {"HELM_CONFIG_HOME": "/nonexistent", "HELM_DATA_HOME": "/nonexistent", "KUBECONFIG": ""}

# What somebody may choose, each choice at least once.
FILES = ("source=files", "files.policies.a\\.yaml=kind: List")
SECRET = ("certificates.source=secret", "certificates.secret.name=mine")
MANAGED = ("certificates.source=cert-manager",)
CHOICES: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "cert-manager": MANAGED,
    "cert-manager-issuer": (
        *MANAGED,
        "certificates.certManager.issuerRef.name=company",
        "certificates.certManager.issuerRef.kind=ClusterIssuer",
    ),
    "secret": (*SECRET, "certificates.secret.caBundle=-----BEGIN CERTIFICATE-----"),
    "files-own": FILES,
    "files-cert-manager": (*FILES, *MANAGED),
    "files-secret": (*FILES, *SECRET),
    "files-annotation": ("source=files", "waitForAnnotation.enabled=true"),
    "annotation": ("waitForAnnotation.enabled=true", "waitForAnnotation.hosts={db,*.internal}"),
    "files-config-map": ("source=files", "files.configMap=mine", *SECRET),
    "answered": ("answered.enabled=true",),
    "all-namespaces": ("inject=all",),
    "nothing-excluded": ("inject=all", "excludedNamespaces=[]"),
    "monitored": (
        "serviceMonitor.enabled=true",
        "serviceMonitor.labels.release=prometheus",
        "prometheusRule.enabled=true",
        "dashboard.enabled=true",
    ),
    "bare": (
        "networkPolicy.enabled=false",
        "podDisruptionBudget.enabled=false",
        "serviceAccount.create=false",
        "rbac.create=false",
        "crds.install=false",
        "priorityClassName=",
        "replicas=1",
    ),
    "named": (
        "fullnameOverride=injector",
        "commonLabels.team=platform",
        "serviceAccount.name=account",
        "serviceAccount.annotations.a=b",
        "webhook.annotations.c=d",
        "service.annotations.e=f",
    ),
    "placed": (
        "hostNetwork=true",
        "ports.webhook=10260",
        "ports.health=10261",
        "nodeSelector.kubernetes\\.io/os=linux",
        "tolerations[0].operator=Exists",
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
        ".nodeSelectorTerms[0].matchExpressions[0].key=pool",
        "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
        ".nodeSelectorTerms[0].matchExpressions[0].operator=Exists",
        "runtimeClassName=plain",
        "criticalPodsQuota=true",
        "topologySpread.host=DoNotSchedule",
        "podLabels.sidecar=no",
        "podAnnotations.g=h",
        "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.name=monitoring",
    ),
    "set": (
        "image.registry=",
        "image.digest=sha256:" + "0" * 64,
        "image.pullSecrets={one,two}",
        "settings.leaf-days=0.5",
        "settings.max-body-bytes=1048576",
        "settings.drain-seconds=7.5",
        "settings.keep-first={restore-wait,first-*}",
        "settings.mirrors=[]",
        "settings.evictable=true",
        "extraEnv[0].name=TZ",
        "extraEnv[0].value=UTC",
        "extraVolumes[0].name=ca",
        "extraVolumes[0].secret.secretName=clients",
        "extraVolumeMounts[0].name=ca",
        "extraVolumeMounts[0].mountPath=/etc/initject/clients",
        "log.level=debug",
    ),
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """helm, with what it prints."""
    command = [needs.tool("helm"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **BARE}
    )


def flags(values: tuple[str, ...]) -> list[str]:
    """As `--set` takes them; lists that may be empty as JSON."""
    return [f"--set{'-json' if '=[' in value else ''}={value}" for value in values]


def render(*values: str, release: str = "initject", namespace: str = "initject") -> list[Any]:
    """The objects of a release, in the order of their installation."""
    text = _rendered(values, release, namespace)
    return [value for value in yaml.load_all(text, yaml.CSafeLoader) if value]


@functools.cache
def _rendered(values: tuple[str, ...], release: str, namespace: str) -> str:
    done = run("template", release, str(CHART), f"--namespace={namespace}", *flags(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def only(kind: str, objects: list[Any]) -> Any:
    """The one object of a kind."""
    (found,) = (value for value in objects if value["kind"] == kind)
    return found
