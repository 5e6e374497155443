"""The certificates, keys and credentials of a throw-away cluster."""

from __future__ import annotations

import json
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

NODE_IP = "198.18.0.1"  # RFC 2544's range for tests: exists only inside the cluster's network
SERVICE_IP = "198.19.0.1"
PORT = 6443
TOKEN = "admin-token"  # of a cluster that only this machine can reach


def make(folder: Path) -> None:
    """Write a CA, the API server's pair, a client pair for the kubelet, and the tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.crt")
    ca.private_key_pem.write_to_path(folder / "ca.key")
    names = ("localhost", "kubernetes.default.svc", "127.0.0.1", NODE_IP, SERVICE_IP)
    write(ca.issue_cert(*names, common_name="kube-apiserver"), folder, "apiserver")
    # With a name, for Go refuses a certificate that says it has some and lists none.
    admin = ca.issue_cert("api", common_name="apiserver", organization_name="system:masters")
    write(admin, folder, "client")
    (folder / "sa.key").write_bytes(signing_key())
    (folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')


def write(pair: trustme.LeafCert, folder: Path, name: str) -> None:
    pair.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
    pair.private_key_pem.write_to_path(folder / f"{name}.key")


def signing_key() -> bytes:
    """What service account tokens are signed with."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def write_kubeconfig(path: Path, folder: Path) -> None:
    """A kubeconfig for the cluster's administrator; works inside the cluster's network."""
    server = {
        "server": f"https://{NODE_IP}:{PORT}",
        "certificate-authority": str(folder / "ca.crt"),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": server}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path.write_text(json.dumps(config))
