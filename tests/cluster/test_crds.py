"""Both CRDs on a real API server: what it stores, what it refuses, and what it fills in."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.api import Answer, Api, Json
from webhook.policy import fields, load, model

CHECKOUT = Path(__file__).resolve().parents[2]
CRDS = CHECKOUT / "deploy/crds/crds.yaml"
PATHS = {
    "ClusterInitPolicy": "/apis/initject.dev/v1alpha1/clusterinitpolicies",
    "InitPolicy": "/apis/initject.dev/v1alpha1/namespaces/default/initpolicies",
}
EVERYTHING = yaml.safe_load(
    """
    match:
      namespaceSelector: {matchLabels: {team: payments}}
      namespaces: [payments, pay-*]
      podSelector: {matchExpressions: [{key: app, operator: In, values: [checkout, ledger]}]}
      annotations: {example.com/database: "*"}
      workloads: [Deployment, StatefulSet]
      serviceAccounts: [checkout]
      images: [registry.example.com/payments/*]
    exclude:
      - podSelector: {matchLabels: {tier: cache}}
    conditions:
      - {name: has-a-database, expression: "'db' in object.metadata.labels"}
    parameters:
      - name: host
        type: string
        pattern: "[a-z0-9.-]+"
        default: postgres
        from: [{podAnnotation: initject.dev/db-host}]
        description: The host of the database.
      - {name: port, type: integer, minimum: 1, maximum: 65535, default: 5432, enum: [5432, 5433]}
      - {name: tls, type: boolean, default: true}
    steps:
      - name: warm-up
        os: linux
        borrow: {container: app, image: false, env: [DB_*], envFrom: false, volumeMounts: [cache]}
        container:
          image: registry.example.com/tools/warmup:1.4
          args: [--cache, /cache, "${parameters.host}"]
          fieldOfTomorrow: {kept: [1]}
      - name: wait
        os: linux
        waitFor:
          - tcp: {host: db, port: 1}
          - tls:
              host: db
              port: 1
              ca: {configMap: {name: ca, key: ca.crt}}
              name: other
              verify: true
          - dns: {host: db}
          - http:
              url: https://auth/
              method: HEAD
              status: "200"
              body: UP
              headers: {X-A: b}
              headersFrom: {secret: {name: headers, key: lines}}
              expect: {X-B: c}
              tls: &tls {ca: {secret: {name: ca, key: ca.crt}}, name: other, verify: true}
          - grpc: {host: db, port: "${parameters.port}", service: a.B, tls: *tls}
          - postgres: {host: db, port: 1, database: a, user: b, tls: *tls}
          - mysql: {host: db, port: 1, tls: *tls}
          - redis: {host: db, port: 1, tls: *tls}
          - mongodb: {host: db, port: 1, tls: *tls}
          - rabbitmq: {host: db, port: 1, tls: *tls}
          - kafka: {host: db, port: 1, tls: *tls}
          - urls: "${parameters.host}"
        timeout: 5m
        mode: any
        exitCode: 7
      - name: migrate
        os: linux
        migrate:
          tool: command
          container: app
          envFrom: true
          image: registry.example.com/shop/migrations:1
          command: [/migrate]
          args: [up]
          env:
            ADDRESS: {value: db}
            PASSWORD: {secret: {name: db, key: password}}
            USER: {configMap: {name: db, key: user}}
          scripts: {volume: settings, path: /sql}
          database: {urls: "tcp://db:1"}
          concurrent: true
      - name: file
        os: linux
        fetch:
          from:
            http:
              url: https://files/app.yaml
              sha256: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
              unverified: false
              file: settings.yaml
              headers: {Authorization: {secret: {name: files, key: header}}}
              ca: {secret: {name: ca, key: ca.crt}}
              redirects: any
              maxSize: 1Mi
          to: /etc/file
          into: [app]
          readOnly: false
          sizeLimit: 2Mi
          medium: Memory
          mode: "0640"
          user: 1000
          group: 1000
        timeout: 5m
        exitCode: 7
      - name: archive
        os: linux
        fetch:
          from:
            http:
              url: https://files/app.tar
              minisign: RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3
              unverified: false
              redirects: none
              unpack: tar
              strip: 1
          into: ["*"]
          readOnly: true
      - name: git
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            git:
              url: https://git.example.com/a/b.git
              ref: main
              path: a
              submodules: true
              login: {user: a, password: {secret: {name: git, key: token}}}
              ca: {secret: {name: ca, key: ca.crt}}
      - name: git-ssh
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            git:
              url: ssh://git@git.example.com/a/b.git
              submodules: false
              ssh:
                key: {secret: {name: git, key: key}}
                knownHosts: {secret: {name: git, key: hosts}}
      - name: s3
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            objects:
              s3:
                bucket: a
                path: b
                endpoint: https://store.example.com
                region: c
                keys: {access: {secret: {name: s, key: a}}, secret: {secret: {name: s, key: b}}}
                ca: {secret: {name: ca, key: ca.crt}}
      - name: gcs
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            objects: {gcs: {bucket: a, path: b, serviceAccount: {secret: {name: s, key: a}}}}
      - name: azure
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            objects: {azure: {account: a, container: b, path: c, key: {secret: {name: s, key: a}}}}
      - name: sftp
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            objects:
              sftp:
                host: files.example.com
                port: 2222
                user: a
                path: /b
                key: {secret: {name: s, key: a}}
                knownHosts: {secret: {name: s, key: b}}
      - name: oci
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from:
            oci:
              reference: registry.example.com/a/b:1
              login: {secret: {name: registry, key: .dockerconfigjson}}
              ca: {secret: {name: ca, key: ca.crt}}
              plainHttp: true
      - name: config-map
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from: {configMap: {name: a, items: [{key: a, path: b/a}], optional: true}}
          to: /etc/config-map
      - name: secret
        os: linux
        fetch:
          into: ["*"]
          readOnly: true
          from: {secret: {name: a, items: [{key: a, path: b/a}], optional: true}}
          to: /etc/secret
      - name: more
        os: linux
        waitFor:
          - postgres:
              host: db
              port: 1
              login: &known {user: {value: u}, password: &held {secret: &key {name: db, key: a}}}
          - postgres: {host: db, port: 1, login: &secret {user: {secret: *key}, password: *held}}
          - postgres: {host: db, port: 1, login: &public {user: {configMap: *key}, password: *held}}
          - mysql: {host: db, port: 1, database: a, login: *known}
          - mysql: {host: db, port: 1, login: *secret}
          - mysql: {host: db, port: 1, login: *public}
          - redis: {host: db, port: 1, login: *known}
          - redis: {host: db, port: 1, login: *secret}
          - redis: {host: db, port: 1, login: *public}
          - job: {name: a, namespace: b}
          - deployment: {name: a, namespace: b}
          - statefulSet: {name: a, namespace: b}
          - pod: {name: a, namespace: b}
          - object:
              apiVersion: example.com/v1
              kind: Thing
              name: a
              namespace: b
              condition: {type: Ready, status: "True"}
    volumes:
      - name: settings
        emptyDir: {sizeLimit: 16Mi}
        mountInto:
          - containers: [app]
            mountPath: /etc/app
            readOnly: true
            recursiveReadOnly: Enabled
            subPath: a/b
            mountPropagation: None
    order: 7
    placement: {position: Last, before: [x], after: [istio-proxy, cloud-sql-*], mesh: Ignore}
    onConflict: Reject
    onError: Reject
    optOut: Forbid
    mode: Audit
    """
)
NAMESPACED = {"match": {"podSelector": {}}, "steps": EVERYTHING["steps"]}
CLAUSES = ("match",)
EXPRESSION = ("match", "podSelector", "matchExpressions", 0)
MOUNT = ("volumes", 0, "mountInto", 0)
WRONG: list[tuple[str, tuple[str | int, ...], Any]] = [
    ("ClusterInitPolicy", ("stepz",), []),
    ("ClusterInitPolicy", ("steps",), []),
    ("ClusterInitPolicy", ("steps",), ...),
    ("ClusterInitPolicy", ("steps",), EVERYTHING["steps"] * 2),
    ("ClusterInitPolicy", ("steps", 0, "name"), "A"),
    ("ClusterInitPolicy", ("steps", 0, "container"), ...),
    ("ClusterInitPolicy", ("steps", 0, "container"), "x"),
    ("ClusterInitPolicy", ("steps", 0, "os"), "mac"),
    ("ClusterInitPolicy", ("steps", 1, "waitFor"), ...),
    ("ClusterInitPolicy", ("steps", 1, "waitFor", 0), {}),
    ("ClusterInitPolicy", ("steps", 1, "waitFor", 0, "dns"), {"host": "b"}),
    ("ClusterInitPolicy", ("steps", 1, "waitFor", 1, "tls", "ca"), {}),
    ("ClusterInitPolicy", ("steps", 1, "timeout"), 5),
    ("ClusterInitPolicy", ("steps", 2, "migrate", "tool"), "sqitch"),
    ("ClusterInitPolicy", ("steps", 2, "migrate", "scripts"), {"path": "/sql"}),
    ("ClusterInitPolicy", ("steps", 2, "migrate", "scripts", "configMap"), "x"),
    (
        "ClusterInitPolicy",
        ("steps", 2, "migrate", "env", "ADDRESS", "secret"),
        {"name": "a", "key": "b"},
    ),
    ("ClusterInitPolicy", ("steps", 2, "migrate", "database"), {}),
    ("ClusterInitPolicy", ("steps", 3, "fetch", "from"), {}),
    ("ClusterInitPolicy", ("steps", 3, "fetch", "from", "secret"), {"name": "a"}),
    ("ClusterInitPolicy", ("steps", 3, "fetch", "to"), "etc"),
    ("ClusterInitPolicy", ("steps", 3, "fetch", "mode"), "0200"),
    ("ClusterInitPolicy", ("steps", 3, "fetch", "sizeLimit"), "1.5Gi"),
    ("ClusterInitPolicy", ("steps", 8, "fetch", "from", "objects", "gcs"), {"path": "a"}),
    ("ClusterInitPolicy", ("steps", 11, "fetch", "from", "oci", "reference"), "${object.kind}"),
    ("ClusterInitPolicy", ("steps", 2, "waitFor"), [{"dns": {"host": "a"}}]),
    ("ClusterInitPolicy", ("steps", 0, "borrow", "image"), "yes"),
    ("ClusterInitPolicy", ("exclude", 0), {}),
    ("ClusterInitPolicy", (*CLAUSES, "namespaces"), []),
    ("ClusterInitPolicy", (*CLAUSES, "namespaces"), ["a", "a"]),
    ("ClusterInitPolicy", (*CLAUSES, "namespaces"), [f"n{i}" for i in range(65)]),
    ("ClusterInitPolicy", (*CLAUSES, "annotations"), {"a b": "*"}),
    ("ClusterInitPolicy", (*CLAUSES, "annotations"), {"a/b/c": "*"}),
    ("ClusterInitPolicy", (*CLAUSES, "annotations"), {}),
    ("ClusterInitPolicy", (*CLAUSES, "workloads"), ["deployment"]),
    ("ClusterInitPolicy", (*CLAUSES, "podSelector", "matchLabel"), {}),
    ("ClusterInitPolicy", (*EXPRESSION, "operator"), "Like"),
    ("ClusterInitPolicy", (*EXPRESSION, "operator"), "Exists"),
    ("ClusterInitPolicy", (*EXPRESSION, "values"), []),
    ("ClusterInitPolicy", ("conditions", 0, "expression"), ...),
    ("ClusterInitPolicy", ("conditions", 0, "expression"), "x" * 4097),
    ("ClusterInitPolicy", ("parameters", 0, "name"), "1a"),
    ("ClusterInitPolicy", ("parameters", 0, "type"), "int"),
    ("ClusterInitPolicy", ("parameters", 0, "from", 0), {}),
    ("ClusterInitPolicy", ("parameters", 0, "from", 0), {"podLabel": "a", "podAnnotation": "b"}),
    ("ClusterInitPolicy", ("parameters", 1, "minimum"), 2**64),
    ("ClusterInitPolicy", (*MOUNT, "mountPath"), "/a:b"),
    ("ClusterInitPolicy", (*MOUNT, "subPath"), "/a"),
    ("ClusterInitPolicy", (*MOUNT, "subPath"), "a/../b"),
    ("ClusterInitPolicy", (*MOUNT, "subPathExpr"), "a"),
    ("ClusterInitPolicy", (*MOUNT, "readOnly"), False),
    ("ClusterInitPolicy", ("order",), 2**31),
    ("ClusterInitPolicy", ("order",), "7"),
    ("ClusterInitPolicy", ("mode",), "audit"),
    ("ClusterInitPolicy", ("placement", "position"), "Middle"),
    ("InitPolicy", ("optOut",), "Allow"),
    ("InitPolicy", (*CLAUSES, "namespaces"), ["a"]),
    ("InitPolicy", (*CLAUSES, "namespaceSelector"), {}),
    ("InitPolicy", ("exclude",), [{"namespaces": ["a"]}]),
]


@pytest.fixture(scope="module", autouse=True)
def crds(api: Api) -> Iterator[None]:
    """Both CRDs, served."""
    definitions = list(yaml.safe_load_all(CRDS.read_text(encoding="utf-8")))
    api.ensure(*definitions)
    deadline = time.monotonic() + 20
    while any(api.ask("GET", path).code != 200 for path in PATHS.values()):
        assert time.monotonic() < deadline, "the CRDs are not served"
        time.sleep(0.1)
    yield
    for one in definitions:
        name = one["metadata"]["name"]
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        api.ask("DELETE", path)


def policy(kind: str, spec: Json) -> Json:
    metadata = {"name": "sample", **({"namespace": "default"} if kind == "InitPolicy" else {})}
    return {"apiVersion": model.API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def create(api: Api, value: Json) -> Answer:
    path = PATHS[value["kind"]]
    return api.ask("POST", f"{path}?fieldValidation=Strict&dryRun=All", value)


def changed(kind: str, path: tuple[str | int, ...], value: Any) -> Json:
    spec: Any = copy.deepcopy(EVERYTHING if kind == "ClusterInitPolicy" else NAMESPACED)
    at = spec
    for part in path[:-1]:
        at = at[part]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return policy(kind, spec)


def in_force(value: Json) -> int:
    """How many policies `initject check` leaves in force, a field of tomorrow aside."""
    known = copy.deepcopy(value)
    for step in known["spec"].get("steps", ()):
        if isinstance(step.get("container"), dict):
            step["container"].pop("fieldOfTomorrow", None)
    return len(load.load([("policy.yaml", yaml.safe_dump(known))]).policies.policies)


def test_a_policy_with_every_field_is_stored_as_it_is(api: Api) -> None:
    """Nothing is lost or changed, fields of a newer cluster inside a container included."""

    answer = create(api, policy("ClusterInitPolicy", EVERYTHING))

    assert (201, "") == (answer.code, answer.message)
    assert answer.body["spec"] == EVERYTHING
    assert 1 == in_force(answer.body)


def test_the_policy_with_every_field_has_every_field() -> None:
    """The test above forgets none."""

    schema = fields.SPEC.schema()

    assert [] == sorted(missing(schema, [EVERYTHING], "spec"))


def missing(schema: Json, value: list[Any], path: str) -> Iterator[str]:
    if "properties" in schema and "x-core" not in schema:
        for name, child in schema["properties"].items():
            either = (".from[]", ".exclude[]", ".scripts", ".database")
            held = set(schema["properties"]) == {"secret", "configMap"}
            if path.endswith(either) or held or name == "subPathExpr":
                continue  # one of several is all there can be, or all that there needs to be
            found = [one[name] for one in value if name in one]
            if not found:
                yield f"{path}.{name}"
            yield from missing(child, found, f"{path}.{name}")
    elif "items" in schema:
        yield from missing(schema["items"], [x for one in value for x in one], f"{path}[]")


def test_defaults_are_those_of_the_model(api: Api) -> None:
    """What the API server fills in is what is assumed for a file."""

    sparse = {
        "steps": [{"name": "a", "borrow": {}, "container": {"image": "x:1"}}],
        "volumes": [{"name": "v", "emptyDir": {}, "mountInto": [{"mountPath": "/v"}]}],
        "parameters": [{"name": "p", "default": "x"}],
        "placement": {},
    }

    answer = create(api, policy("ClusterInitPolicy", sparse))

    assert (201, "") == (answer.code, answer.message)
    filled, _ = fields.read(answer.body["spec"])
    written, _ = fields.read(sparse)
    assert filled is not None
    assert written is not None
    assert filled.spec == written.spec


@pytest.mark.parametrize(("kind", "path", "value"), WRONG)
def test_what_the_api_server_refuses_is_refused_offline_too(
    kind: str, path: tuple[str | int, ...], value: Any, api: Api
) -> None:
    """The CRD and `initject check` agree on what is wrong."""

    wrong = changed(kind, path, value)

    answer = create(api, wrong)

    assert answer.code in (400, 422), answer.message
    assert 0 == in_force(wrong)


def test_a_status_is_shown_in_columns(api: Api) -> None:
    """Ready, Steps and Mode stand beside the name; Ready can be waited for."""

    path = PATHS["InitPolicy"]
    created = api.ask("POST", path, policy("InitPolicy", NAMESPACED))
    assert created.code == 201, created.message
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "InForce",
        "message": "every replica has it",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    problem = {"field": "spec.steps[0]", "what": "a", "advice": "b", "severity": "warning"}
    status = {
        "observedGeneration": 1,
        "steps": 1,
        "conditions": [condition],
        "problems": [problem],
    }

    answer = api.ask("PUT", f"{path}/sample/status", {**created.body, "status": status})

    assert (200, status) == (answer.code, answer.body.get("status")), answer.message
    api.ask("DELETE", f"{path}/sample")
