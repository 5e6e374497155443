"""Other ways: certificates of its own with policies from files, and those of cert-manager."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs import files
from certs.authority import Authority
from certs.bundle import Bundle
from tests.cluster import release, replicas
from tests.cluster.replicas import CONFIGURATIONS, POLICY, Site, until
from tests.house.tree import CHECKOUT

FILE_MODE = CHECKOUT / "deploy" / "kustomize" / "overlays" / "file-mode"
SECRETS = "/api/v1/namespaces/initject/secrets"
INJECT_FROM = "cert-manager.io/inject-ca-from"


def test_certificates_of_its_own_go_with_policies_from_files(tmp_path: Path) -> None:
    """The same component, beside a ConfigMap: the rights are enough, and nothing else is asked."""
    values = release.rendered_with("own-certificates", FILE_MODE)
    (tmp_path / "policy.yaml").write_text(json.dumps(POLICY))
    with replicas.site(tmp_path, values) as site:
        flags = (
            f"--policies={tmp_path / 'policy.yaml'}",
            "--certificate-secret=initject-certificates",
            f"--kubeconfig={site.kubeconfig}",
        )
        with site.serving(*flags) as found:
            for one in found:
                until(one.ready, f"{one.address} is ready")
            assert "" == site.create()
            assert replicas.same(found, site)
            site.trust(CONFIGURATIONS[0], None)
            until(lambda: site.create() == "", "caBundle is healed")


@dataclass
class CertManager:
    """Writes what cert-manager writes: the Secret of a Certificate, and caBundle where asked.

    And the kubelet's part: the folder in which our pods see the Secret.
    """

    site: Site
    folder: Path
    authority: Authority

    def issue(self) -> Bundle:
        """A certificate by its CA, in Secret and folder."""
        names = [replicas.SERVICE]
        bundle = self.authority.issue(names, datetime.now(UTC), timedelta(days=90))
        parts = {"tls.crt": bundle.certificate, "tls.key": bundle.key, "ca.crt": bundle.ca}
        value = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": "initject-tls", "namespace": "initject"},
            "data": {name: base64.b64encode(part).decode() for name, part in parts.items()},
        }
        text = json.dumps(value)
        self.site.kubectl("apply", "--server-side", "--filename=-", text=text)
        files.write(self.folder, bundle)
        return bundle

    def inject(self) -> None:
        """The CA into each configuration that names the certificate."""
        data = self.site.api.ask("GET", f"{SECRETS}/initject-tls").body["data"]
        for path in CONFIGURATIONS:
            metadata = self.site.api.ask("GET", f"{path}/initject").body["metadata"]
            if metadata.get("annotations", {}).get(INJECT_FROM) == "initject/initject":
                self.site.trust(path, data["ca.crt"])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Cluster mode with the certificate mounted."""
    with replicas.site(tmp_path, release.rendered_with("mounted-certificate")) as found:
        yield found


def test_certificates_of_cert_manager_are_served_and_renewed(site: Site, tmp_path: Path) -> None:
    """Its Secret mounted, its annotation on both configurations: a renewal fails no request."""
    manager = CertManager(
        site, tmp_path / "tls", Authority.create(datetime.now(UTC), name="cluster CA")
    )
    manager.issue()
    kinds = "mutatingwebhookconfiguration,validatingwebhookconfiguration"
    site.kubectl("annotate", kinds, "initject", f"{INJECT_FROM}=initject/initject")
    manager.inject()
    assert all(site.bundles())

    flags = ("--source=cluster", f"--kubeconfig={site.kubeconfig}", f"--cert-dir={manager.folder}")
    with site.serving(*flags) as found:
        for one in found:
            until(one.ready, f"{one.address} is ready")
        before = site.bundles()
        with replicas.load(site) as running:
            until(lambda: running.created > 20, "pods are created")
            fresh = ssl.PEM_cert_to_DER_cert(manager.issue().certificate.decode())
            until(lambda: all(one.leaf() == fresh for one in found), "both serve it")
            until(lambda: site.create() == "", "pods are injected")

    assert [] == running.faults
    assert before == site.bundles()
