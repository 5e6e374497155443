"""Make a small image from static binaries, without any daemon.

    python -m tests.cluster.image NAME OUT.tar bin/tool=/path bin/sh=@busybox --cmd sleep 1

`DEST=FILE` copies a file, `DEST=@NAME` makes a symbolic link. The result is an OCI layout in a tar
with one layer, which containerd imports under NAME.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDERS = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "proc": 0o755, "sys": 0o755, "tmp": 0o1777}
PASSWD = b"root:x:0:0:root:/:/bin/sh\n"
OCI = "application/vnd.oci.image"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def add_entry(archive: tarfile.TarFile, name: str, source: str) -> None:
    if source.startswith("@"):
        link = tarfile.TarInfo(name)
        link.type, link.linkname = tarfile.SYMTYPE, source[1:]
        archive.addfile(link)
        return
    member = archive.gettarinfo(source, name)
    member.uid = member.gid = 0
    member.mode = 0o755
    with Path(source).open("rb") as content:
        archive.addfile(member, content)


def layer(entries: dict[str, str], users: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in FOLDERS.items():
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            archive.addfile(folder)
        add_bytes(archive, "etc/passwd", PASSWD + users)
        for name, source in entries.items():
            add_entry(archive, name, source)
    return buffer.getvalue()


def described(kind: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content), **more}


def write(
    name: str | Sequence[str],
    out: Path,
    entries: dict[str, str],
    command: list[str],
    *,
    entrypoint: Sequence[str] = (),
    users: bytes = b"",
) -> None:
    """Write an image that runs `command` into the tar `out`, under its name or names.

    `users` are lines of its passwd(5), besides root's.
    """
    files = layer(entries, users)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Cmd": command, "Entrypoint": list(entrypoint)},
            "rootfs": {"type": "layers", "diff_ids": [digest(files)]},
            "history": [{}],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": described(f"{OCI}.config.v1+json", config),
            "layers": [described(f"{OCI}.layer.v1.tar", files)],
        }
    ).encode()
    names = [name] if isinstance(name, str) else name
    tops = [
        described(
            f"{OCI}.manifest.v1+json", manifest, annotations={"io.containerd.image.name": one}
        )
        for one in names
    ]
    with tarfile.open(out, "w") as archive:
        add_bytes(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add_bytes(
            archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": tops}).encode()
        )
        for blob in (config, manifest, files):
            add_bytes(archive, f"blobs/sha256/{digest(blob)[7:]}", blob)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a small image from static binaries.")
    parser.add_argument("name")
    parser.add_argument("out", type=Path)
    parser.add_argument("entry", nargs="+", help="DEST=FILE or DEST=@LINK")
    parser.add_argument("--cmd", nargs="+", default=[])
    arguments = parser.parse_args()
    entries = dict(entry.split("=", 1) for entry in arguments.entry)
    write(arguments.name, arguments.out, entries, arguments.cmd)


if __name__ == "__main__":
    main()
