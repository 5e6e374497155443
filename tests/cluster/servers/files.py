"""A server of files, git repositories and artifacts."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests import needs
from tests.cluster.nodes import Node
from tests.cluster.servers import repositories, serve_files, server

PORT = 8443
NAME = "files"
USER, PASSWORD = "shop", "correct-horse"
AUTHORIZATION = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
OCI = "application/vnd.oci"


@dataclass(frozen=True, slots=True)
class Files:
    """What it has is below `folder`; `ca` has signed its certificate.

    It answers only whoever logs in, and over TLS unless it is `plain`.
    """

    server: server.Server
    folder: Path
    ca: str

    def start(self) -> None:
        """Start it; returns when it answers."""
        self.server.start()

    def plain(self) -> None:
        """Start it without TLS and for everybody."""
        self.server.command = self.server.command[:-2]
        self.server.start()

    def named(self, space: str) -> str:
        """Give it a name in a namespace; that name and its port."""
        return f"{self.server.named(space)}:{PORT}"

    def put(self, name: str, content: bytes) -> str:
        """A file; returns its SHA-256."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def repository(self, name: str, files: Mapping[str, str], tag: str) -> None:
        """A repository with one tagged commit, in which are these files."""
        bare, work = self.folder / "git" / f"{name}.git", self.folder / "work" / name
        repositories.commit(bare, work, files, tag)

    def artifact(self, name: str, tag: str, files: Mapping[str, bytes]) -> None:
        """An artifact, as oras pushes it."""
        kind = f"{OCI}.image.layer.v1.tar"
        layers = [
            {
                **self._blob(name, kind, content),
                "annotations": {"org.opencontainers.image.title": path},
            }
            for path, content in files.items()
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": serve_files.MANIFEST,
            "artifactType": "application/vnd.example.model",
            "config": self._blob(name, f"{OCI}.empty.v1+json", b"{}"),
            "layers": layers,
        }
        body = json.dumps(manifest).encode()
        digest = self.put(f"v2/{name}/manifests/{tag}", body)
        self.put(f"v2/{name}/manifests/sha256:{digest}", body)

    def _blob(self, name: str, kind: str, content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        self.put(f"v2/{name}/blobs/sha256:{digest}", content)
        return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


@contextmanager
def prepared(node: Node) -> Iterator[Files]:
    """A server with nothing, not started yet."""
    needs.program("git", how="apt-get install git")
    with server.home(NAME) as home:
        ca, folder = trustme.CA(), home / "served"
        folder.mkdir()
        certificate = home / "server.pem"
        ca.issue_cert(NAME, server.HOST).private_key_and_cert_chain_pem.write_to_path(
            str(certificate)
        )
        command = [sys.executable, serve_files.__file__, server.HOST, str(PORT), str(folder)]
        (folder / "up").write_text("")

        secret = [str(certificate), f"Authorization: {AUTHORIZATION}"]
        one = server.Server(node, NAME, PORT, home, [*command, *secret])
        with server.ending(one):
            yield Files(one, folder, ca.cert_pem.bytes().decode())
