"""The reviews and policies that are measured."""

from __future__ import annotations

import json
from typing import Any

APP = "checkout"
SMALL, LARGE = 4_000, 80_000  # bytes of a review


def review(size: int, *, app: str = APP) -> bytes:
    """A review of about `size` bytes: a pod of a Deployment, as the API server sends it."""
    few = _review(app, variables=0)
    one = len(_review(app, variables=1)) - len(few)
    return _review(app, variables=max(0, (size - len(few)) // one))


def _review(app: str, variables: int) -> bytes:
    containers = [_container(app, "app", variables - variables // 8 * 3)]
    containers += [_container(app, f"side-{i}", variables // 8) for i in range(3)]
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
        "object": _pod(app, containers),
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    whole = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(whole, separators=(",", ":")).encode()


def _pod(app: str, containers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": f"{app}-6d4b75cb6d-",
            "creationTimestamp": None,
            "labels": {"app": app, "tier": "backend", "pod-template-hash": "6d4b75cb6d"},
            "annotations": {"example.com/owner": "payments", "prometheus.io/scrape": "true"},
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
            "volumes": [{"name": "cache", "emptyDir": {}}],
            "containers": containers,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": app,
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        },
        "status": {},
    }


def _container(app: str, name: str, variables: int) -> dict[str, Any]:
    host = {"name": "DB_HOST", "value": f"postgres.{app}.svc"}
    more = [
        {"name": f"SETTING_{i:04}", "value": f"https://config.example.com/{i:04}"}
        for i in range(variables)
    ]
    return {
        "name": name,
        "image": f"registry.example.com/shop/{app}-{name}:1.4.2",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [*more, host],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


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
            conditions=[{"name": "c", "expression": "object.metadata.labels.size() > 1"}],
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
