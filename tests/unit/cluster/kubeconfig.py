"""How our client finds an API server that a test plays."""

from __future__ import annotations

import json
from pathlib import Path


def kubeconfig(folder: Path, port: int) -> str:
    """The path of a kubeconfig, in a folder, for who speaks plain HTTP on a port of ours."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return str(path)
