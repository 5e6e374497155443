"""The reviews and policies that are measured."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

APP = "checkout"
SMALL, LARGE = 4_000, 80_000  # bytes of a review


def review(size: int, *, app: str = APP) -> bytes:
    """A review of about `size` bytes: a pod of a Deployment, as the API server sends it.

    The small one has two containers; the large one ten, and a long annotation. Both are filled up
    with variables.
    """
    shape = _Shape(app, containers=10 if size > 4 * SMALL else 2, annotation=size // 10)
    few = len(_review(shape))
    one = len(_review(replace(shape, variables=1))) - few
    return _review(replace(shape, variables=max(0, (size - few) // one)))


@dataclass(frozen=True)
class _Shape:
    app: str
    containers: int
    annotation: int
    variables: int = 0


def _review(shape: _Shape) -> bytes:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "shop",
        "operation": "CREATE",
        "userInfo": {
            "username": "system:serviceaccount:kube-system:replicaset-controller",
            "uid": "5ab4f570-6393-11e8-b7cc-42010a800002",
            "groups": ["system:serviceaccounts", "system:authenticated"],
        },
        "object": _pod(shape),
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    whole = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(whole, separators=(",", ":")).encode()


def _pod(shape: _Shape) -> dict[str, Any]:
    """What ReplicaSet controller and the API server's own admission make, up to the webhooks."""
    app = shape.app
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": f"{app}-6d4b75cb6d-",
            "labels": {"app": app, "tier": "backend", "pod-template-hash": "6d4b75cb6d"},
            "annotations": {"prometheus.io/scrape": "true", "note": "x" * shape.annotation},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"{app}-6d4b75cb6d",
                    "uid": "5ab4f571-6393-11e8-b7cc-42010a800002",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "volumes": [{"name": "cache", "emptyDir": {}}, _token()],
            "containers": [
                _container(app, i, _share(shape.variables, i, shape.containers))
                for i in range(shape.containers)
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": app,
            "serviceAccount": app,
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{why}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
                for why in ("not-ready", "unreachable")
            ],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {},
    }


def _share(all_: int, number: int, of: int) -> range:
    return range(all_ * number // of, all_ * (number + 1) // of)


def _container(app: str, number: int, variables: range) -> dict[str, Any]:
    host = {"name": "DB_HOST", "value": f"postgres.{app}.svc"}
    settings = [
        {
            "name": f"SETTING_{i:04}",
            "value": f"https://config.example.com/{app}/{i:04}?revision=4f2a&fallback=defaults",
        }
        for i in variables
    ]
    return {
        "name": f"{app}-{number}",
        "image": f"registry.example.com/shop/{app}-{number}:1.4.2",
        "ports": [{"name": f"http-{number}", "containerPort": 8080 + number, "protocol": "TCP"}],
        "env": [*settings, host],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [
            {"name": "cache", "mountPath": "/cache"},
            {"name": "kube-api-access-x2lqp", "readOnly": True, "mountPath": TOKEN},
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def _token() -> dict[str, Any]:
    parts = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
    ]
    return {"name": "kube-api-access-x2lqp", "projected": {"sources": parts, "defaultMode": 420}}


def applying() -> str:
    """One policy for the pods of `APP`: two steps, one condition, one template."""
    step = {"image": "registry.example.com/tools/wait:1.0"}
    first = {**step, "args": ["--host", "${object.metadata.labels.app}", "--port", "5432"]}
    second = {**step, "command": ["/bin/warm-up"], "env": [{"name": "DEPTH", "value": "3"}]}
    condition = (
        "object.spec.containers.exists(c, c.?env.orValue([]).exists(e, e.name == 'DB_HOST'))"
    )
    return _policy(
        "applies",
        {"podSelector": {"matchLabels": {"app": APP}}},
        conditions=[{"name": "reads-the-database", "expression": condition}],
        steps=[
            {"name": "wait-for-database", "container": first},
            {"name": "warm-up", "container": second},
        ],
    )


def others(count: int) -> str:
    """Policies that concern other pods: by label, namespace, account, or kind of owner."""
    matches = (
        lambda i: {"podSelector": {"matchLabels": {"app": f"other-{i}"}}},
        lambda i: {"namespaces": [f"team-{i}"]},
        lambda i: {"serviceAccounts": [f"account-{i}"]},
        lambda i: {
            "workloads": ["StatefulSet"],
            "podSelector": {"matchLabels": {"app": f"db-{i}"}},
        },
    )
    return "".join(
        _policy(
            f"other-{i}",
            matches[i % len(matches)](i),
            conditions=[{"name": "c", "expression": f"object.metadata.labels.size() > {i}"}],
            steps=[
                {
                    "name": f"step-{i}",
                    "container": {
                        "image": "registry.example.com/tools/wait:1.0",
                        "args": ["--host", "${object.metadata.labels.app}"],
                    },
                }
            ],
        )
        for i in range(count)
    )


def _policy(name: str, match: dict[str, Any], **spec: Any) -> str:
    policy = {
        "apiVersion": "initject.dev/v1alpha1",
        "kind": "ClusterInitPolicy",
        "metadata": {"name": name},
        "spec": {"match": match, **spec},
    }
    return f"---\n{json.dumps(policy)}\n"  # JSON is YAML
