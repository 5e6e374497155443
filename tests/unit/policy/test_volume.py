"""Raw volumes: what the API server would refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from webhook.document import read
from webhook.document.problem import field
from webhook.policy import container


def told(written: dict[str, Any]) -> list[str]:
    return [
        f"{'warning: ' * (one.severity == 'warning')}{field(one.path)}: {one.what}"
        f"{'; ' * bool(one.advice)}{one.advice}"
        for one in container.volume_findings({"name": "v", **written})
    ]


FINE: list[dict[str, Any]] = [
    {"emptyDir": {"sizeLimit": "64Mi", "medium": "Memory"}},
    {"configMap": {"name": "c", "defaultMode": 0o444, "items": [{"key": "a", "path": "b/c"}]}},
    {"secret": {"secretName": "s", "optional": True}},
    {"hostPath": {"path": "/x", "type": "Directory"}},
    {"persistentVolumeClaim": {"claimName": "c"}},
    {"csi": {"driver": "secrets-store.csi.k8s.io", "readOnly": True}},
    {"image": {"reference": "a:1"}},
    {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 600}}]}},
    {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    {
        "ephemeral": {
            "volumeClaimTemplate": {
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}},
                }
            }
        }
    },
]


@pytest.mark.parametrize("written", FINE, ids=repr)
def test_a_good_volume_has_no_findings(written: dict[str, Any]) -> None:
    """What the API server takes is taken."""
    assert [] == told(written)


GALLERY = read.read(
    (Path(__file__).parent / "volume.yaml").read_text(encoding="utf-8"), file="volume.yaml"
)[0][0].value


@pytest.mark.parametrize("case", GALLERY, ids=lambda case: repr(case["written"]))
def test_what_is_wrong_with_a_volume_is_said(case: dict[str, Any]) -> None:
    """Each fault is named where it is, with what to do about it."""
    assert case["told"] == told(case["written"])
