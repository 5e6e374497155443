"""etcd and kube-apiserver: all that admission needs."""

from __future__ import annotations

import json
import subprocess

from tests.cluster import keys
from tests.cluster.parts import Parts, get, wait

SERVICE_CIDR = "198.19.0.0/24"
ETCD = "http://127.0.0.1:2379"
PEER = "http://127.0.0.1:2380"


def network() -> None:
    """A loopback and one address for the node, in a network that leads nowhere."""
    for command in (
        "ip link set lo up",
        "ip link add uplink0 type veth peer name uplink1",
        f"ip addr add {keys.NODE_IP}/32 dev uplink0",
        "ip link set uplink0 up",
        "ip link set uplink1 up",
        "ip route add default dev uplink0",
        "sysctl -qw net.ipv4.ip_forward=1",
    ):
        subprocess.run(command.split(), check=True)


def start(parts: Parts, flags: list[str]) -> None:
    """Start both; `flags` are further ones of kube-apiserver. Returns when it is ready."""
    keys.make(parts.pki)
    keys.write_kubeconfig(parts.kubeconfig, parts.pki)
    parts.start("etcd", *etcd_flags(parts))
    wait("etcd", lambda: healthy(get(f"{ETCD}/health")), seconds=30)
    parts.start("kube-apiserver", *api_server_flags(parts), *flags)
    wait("kube-apiserver", lambda: parts.api("/readyz") == "ok", seconds=60)


def healthy(answer: str | None) -> bool:
    return answer is not None and json.loads(answer).get("health") == "true"


def etcd_flags(parts: Parts) -> list[str]:
    return [
        f"--data-dir={parts.folder / 'etcd'}",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={PEER}",
        f"--initial-advertise-peer-urls={PEER}",
        f"--initial-cluster=default={PEER}",
        "--unsafe-no-fsync",
    ]


def api_server_flags(parts: Parts) -> list[str]:
    pki = parts.pki
    return [
        f"--etcd-servers={ETCD}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--allow-privileged=true",
        "--authorization-mode=RBAC",
        f"--secure-port={keys.PORT}",
        "--bind-address=0.0.0.0",
        f"--advertise-address={keys.NODE_IP}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--service-account-issuer=https://{keys.SERVICE_IP}/",
        f"--service-account-key-file={pki}/sa.key",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--token-auth-file={pki}/tokens.csv",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={pki}/client.crt",
        f"--kubelet-client-key={pki}/client.key",
        "--enable-admission-plugins=ResourceQuota,LimitRanger",
    ]
