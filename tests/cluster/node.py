"""The rest of a node: controllers, scheduler, containerd, kubelet, kube-proxy and DNS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster import cgroups, image, keys
from tests.cluster.parts import Parts, wait

POD_CIDR = "198.18.64.0/18"
PAUSE = "localhost/pause:1"
CLAMP = Path(__file__).resolve().parent / "runc-clamp"

CONTAINERD = """version = 3
root = "{folder}/root"
state = "{folder}/state"
oom_score = 0
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{pause}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    options = {{ SystemdCgroup = false, BinaryName = "{clamp}" }}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{folder}/cni"
"""

COREFILE = """cluster.local:53 {{
 bind {ip}
 kubernetes {{
  kubeconfig {kubeconfig}
 }}
}}
.:53 {{
 bind {ip}
 template ANY ANY {{
  rcode NXDOMAIN
 }}
}}
"""


def start(parts: Parts, images: list[Path]) -> None:
    """Start everything, with `images` imported. Returns when the node is Ready."""
    kubeconfig = f"--kubeconfig={parts.kubeconfig}"
    parts.start("kube-controller-manager", kubeconfig, *controller_flags(parts))
    parts.start("kube-scheduler", kubeconfig, "--leader-elect=false")
    socket = containerd(parts)
    for archive in [pause_image(parts), *images]:
        ctr(parts, socket, "images", "import", str(archive)).check_returncode()
    kubelet(parts, socket)
    parts.start("kube-proxy", f"--config={kube_proxy(parts)}")
    corefile = parts.folder / "Corefile"
    corefile.write_text(COREFILE.format(ip=keys.NODE_IP, kubeconfig=parts.kubeconfig))
    parts.start("coredns", "-conf", str(corefile))
    wait("node", lambda: is_ready(parts), seconds=60)


def is_ready(parts: Parts) -> bool:
    nodes = json.loads(parts.api("/api/v1/nodes") or '{"items": []}')["items"]
    conditions = [c for node in nodes for c in node["status"].get("conditions", [])]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def controller_flags(parts: Parts) -> list[str]:
    return [
        f"--service-account-private-key-file={parts.pki}/sa.key",
        f"--root-ca-file={parts.pki}/ca.crt",
        "--leader-elect=false",
        "--use-service-account-credentials=false",
        "--controllers=*,-node-ipam-controller",
        f"--cluster-signing-cert-file={parts.pki}/ca.crt",
        f"--cluster-signing-key-file={parts.pki}/ca.key",
    ]


def ctr(parts: Parts, socket: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [str(parts.bin / "ctr"), "-a", str(socket), "-n", "k8s.io", *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def containerd(parts: Parts) -> Path:
    """Start containerd with a bridge for the pods; its socket."""
    folder = parts.folder / "containerd"
    (folder / "cni").mkdir(parents=True)
    (folder / "cni" / "10-bridge.conflist").write_text(json.dumps(bridge(folder)))
    config = folder / "config.toml"
    config.write_text(CONTAINERD.format(folder=folder, pause=PAUSE, clamp=CLAMP))
    parts.start("containerd", "-c", str(config))
    socket = folder / "containerd.sock"
    wait("containerd", lambda: ctr(parts, socket, "version").returncode == 0, seconds=20)
    return socket


def bridge(folder: Path) -> dict[str, Any]:
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(folder / "ipam"),
    }
    plugin = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [{**plugin, "ipam": ipam}, ports]}


def pause_image(parts: Parts) -> Path:
    """What holds a pod's namespaces: busybox, asleep."""
    archive = parts.folder / "pause.tar"
    entries = {"bin/busybox": "/bin/busybox", "bin/sleep": "@busybox"}
    image.write(PAUSE, archive, entries, ["sleep", "2147483647"])
    return archive


def kubelet(parts: Parts, socket: Path) -> None:
    for folder in cgroups.folders(parts.folder):
        folder.mkdir(exist_ok=True)
    config = parts.folder / "kubelet.json"
    config.write_text(json.dumps(kubelet_config(parts, socket)))
    parts.start(
        "kubelet",
        f"--kubeconfig={parts.kubeconfig}",
        f"--config={config}",
        f"--root-dir={parts.folder}/kubelet",
        f"--cert-dir={parts.folder}/kubelet-pki",
        "--hostname-override=node1",
        f"--node-ip={keys.NODE_IP}",
    )


def kubelet_config(parts: Parts, socket: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name(parts.folder)}",
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{socket}",
        "failSwapOn": False,
        "featureGates": {"KubeletInUserNamespace": True},  # forgives the lack of CAP_SYS_RESOURCE
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{parts.pki}/ca.crt"},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "address": keys.NODE_IP,
        "readOnlyPort": 0,
        "clusterDNS": [keys.NODE_IP],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(parts.folder / "pod-logs"),
        "evictionHard": {"memory.available": "100Mi"},
        "localStorageCapacityIsolation": False,
        "resolvConf": "",
        "maxPods": 1000,
    }


def kube_proxy(parts: Parts) -> Path:
    config = parts.folder / "kube-proxy.json"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "mode": "iptables",
                "clientConnection": {"kubeconfig": str(parts.kubeconfig)},
                "clusterCIDR": POD_CIDR,
                "hostnameOverride": "node1",
                "bindAddress": keys.NODE_IP,
                "conntrack": {
                    "maxPerCore": 0,
                    "min": 0,
                    "tcpEstablishedTimeout": "0s",
                    "tcpCloseWaitTimeout": "0s",
                },
            }
        )
    )
    return config
