"""Whatever JSON is sent as a pod, the answer is a decision, valid, and soon."""

from __future__ import annotations

import copy
import functools
import json
import time
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.pods import pods, policy_sets
from webhook.inject import ours, shape
from webhook.inject.decide import decide
from webhook.inject.decision import Decision, Options
from webhook.inject.explain import explain
from webhook.policy import glob, load
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace
from webhook.review import codec, response
from webhook.review.request import Request

Json = dict[str, Any]
OPTIONS = Options(keep_first=(glob.parse("restore-wait"),), mirrors=(glob.parse("mirror/*"),))
NAMESPACES = (None, Namespace("shop"), Namespace("shop", {"initject.dev/enforce": "true"}))
namespaces = st.sampled_from(NAMESPACES)

# The words that pods and our policies use: chance alone would never find them.
WORDS = ("wait", "migrate", "fetch", "app", "db", "settings", "data", "cache", "istio-proxy", "",
         "/", "/etc/app", "//etc/./app", "Always", "windows", "true", "disabled", "100m", "1e200",
         "64Mi", "initject.dev/inject", ours.MARKER, "$(HOST)", "${x}", "a/b~c")  # fmt: skip
FIELDS = ("name", "image", "args", "command", "env", "envFrom", "value", "valueFrom", "resources",
          "limits", "requests", "memory", "cpu", "volumeMounts", "mountPath", "volumeDevices",
          "securityContext", "restartPolicy", "initContainers", "containers", "volumes", "emptyDir",
          "ephemeralContainers", "metadata", "labels", "annotations", "spec", "os", "nodeSelector",
          "ownerReferences", "controller", "kind", "lifecycle", "livenessProbe",
          "serviceAccountName", "priorityClassName", ours.MARKER)  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=3)), inner, max_size=4),
    ),
    max_leaves=12,
)
digests = st.dictionaries(
    st.sampled_from(("image", "args", "env/HOST/value", "volumeMounts/~1x/name", "emptyDir")),
    st.text(max_size=5),
    max_size=3,
)
named = st.dictionaries(st.sampled_from(WORDS), digests, max_size=4)
markers = st.one_of(
    st.text(max_size=9),
    st.builds(
        lambda c, v, m: json.dumps({"containers": c, "volumes": v, "mounts": m}),
        named, named, named,
    ),
)  # fmt: skip

# A policy of every kind of clause, step, volume and promise, for pods that look like anything.
EVERYTHING = load.load(
    [
        (
            "everything.yaml",
            """
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: strict}
spec:
  match: {}
  optOut: Forbid
  onConflict: Reject
  onError: Reject
  steps:
    - name: wait
      container:
        image: registry.example.com/wait:1
        args: ["--for", "$(HOST)"]
        env: [{name: HOST, value: db}, {name: URL, value: "http://$(HOST)"}]
        volumeMounts: [{name: settings, mountPath: /x}]
  volumes:
    - {name: settings, emptyDir: {}, mountInto: [{containers: ["*"], mountPath: /etc/app}]}
---
apiVersion: initject.dev/v1alpha1
kind: ClusterInitPolicy
metadata: {name: lax}
spec:
  match: {workloads: [None, Deployment, CronJob], annotations: {"a": "*"}, images: ["*"]}
  exclude: [{podSelector: {matchLabels: {app: b}}}]
  conditions:
    - {name: one, expression: "object.spec.containers.all(c, c.name != 'nobody')"}
  parameters:
    - {name: host, type: string, pattern: '[a-z]*', default: db, from: [{podLabel: app}]}
  placement: {position: Last, after: ["istio-*"], before: ["db"]}
  steps:
    - name: migrate
      borrow: {container: "*", image: true, env: ["*"], envFrom: true, volumeMounts: ["*"]}
      container:
        args: ["${parameters.host}", "${object.metadata.name}"]
    - name: fetch
      container:
        image: registry.example.com/fetch:1
        restartPolicy: Always
        resources: {requests: {cpu: 10m, memory: 16Mi}}
""",
        )
    ]
)


def question(pod: Any) -> Request:
    """The request as the server reads it from the wire."""
    ask = {"uid": "1", "operation": "CREATE", "namespace": "shop", "object": pod,
           "resource": {"group": "", "version": "v1", "resource": "pods"}}  # fmt: skip
    review = {"kind": codec.KIND, "apiVersion": codec.API_VERSION, "request": ask}
    return codec.decode(json.dumps(review).encode())


@st.composite
def almost_pods(draw: st.DrawFn) -> Json:
    """A pod with a forged marker, some of whose parts are replaced, doubled, emptied or gone."""
    pod = copy.deepcopy(draw(pods()))
    if draw(st.booleans()):
        pod["metadata"].setdefault("annotations", {})[ours.MARKER] = draw(markers)
    for _ in range(draw(st.integers(0, 4))):
        holder, key = draw(st.sampled_from(list(_places(pod))))
        match draw(st.sampled_from(("replace", "double", "drop", "empty"))):
            case "replace":
                holder[key] = draw(values)
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[key]))
            case "drop":
                del holder[key]
            case _:
                holder[key] = draw(st.sampled_from((None, [], {}, "")))
        if not pod:
            break
    return pod


def _places(value: Any) -> Any:
    """Everything inside a value, as (holder, key)."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield value, key
        if isinstance(item, dict | list):
            yield from _places(item)


def _assert_valid(request: Request, decision: Decision) -> None:
    """An answer that can be sent, with a patch that an independent library applies."""
    assert decision.allowed or (decision.message and not decision.patch)
    if decision.patch:
        assert request.object is not None
        pod = json.loads(json.dumps(request.object))
        assert decision.pod == jsonpatch.apply_patch(pod, list(decision.patch))
        response.patched(
            request.uid, decision.patch, warnings=decision.warnings, audit=decision.audit
        )


@given(values, policy_sets(), namespaces)
def test_any_json_gets_an_answer(value: Any, policies: PolicySet, space: Namespace | None) -> None:
    """What is no pod at all is answered too."""
    request = question(value)

    _assert_valid(request, decide(request, policies, space, OPTIONS))


@given(almost_pods(), policy_sets(), namespaces)
@settings(max_examples=300)
def test_a_broken_pod_gets_an_answer(
    pod: Json, policies: PolicySet, space: Namespace | None
) -> None:
    """Wrong types, doubled names, forged markers: a valid decision, the same from `explain`."""
    request = question(pod)
    decision = decide(request, policies, space, OPTIONS)

    _assert_valid(request, decision)
    assert decision == explain(request, policies, space, OPTIONS).decision


@given(almost_pods(), namespaces)
@settings(max_examples=300)
def test_a_broken_pod_that_is_let_in_is_settled(pod: Json, space: Namespace | None) -> None:
    """Every kind of policy answers it, and the pod after needs no further patch."""
    request = question(pod)
    decision = decide(request, EVERYTHING.policies, space, OPTIONS)

    _assert_valid(request, decision)
    if decision.allowed and request.object is not None and shape.fault(request.object) is None:
        again = decide(question(decision.pod), EVERYTHING.policies, space, OPTIONS)

        assert (True, (), decision.audit) == (again.allowed, again.patch, again.audit)


@functools.cache
def _many(count: int) -> dict[str, Json]:
    """Pods of about three mebibytes, the most that an API server takes, each large in one way."""
    names = [f"n{number}" for number in range(count)]
    app = {"name": "app", "image": "i"}
    env = [{"name": name, "value": "x"} for name in names]
    mounts = [{"name": "data", "mountPath": f"/{name}"} for name in names]
    marker = {"containers": {name: {"image": "12345"} for name in names}}
    annotations = {ours.MARKER: json.dumps(marker)}
    deep: Any = 1
    for _ in range(400):
        deep = {"a": [deep]}
    return {
        "containers": {"spec": {"containers": [{**app, "name": name} for name in names]}},
        "init containers": {
            "spec": {"containers": [app], "initContainers": [{**app, "name": n} for n in names]}
        },
        "variables": {"spec": {"containers": [{**app, "env": env}]}},
        "variables of a look-alike": {
            "metadata": {"annotations": {ours.MARKER: '{"containers":{"wait":{}}}'}},
            "spec": {"containers": [app], "initContainers": [{**app, "name": "wait", "env": env}]},
        },
        "loaders of a look-alike": {
            "metadata": {"annotations": {ours.MARKER: '{"containers":{"wait":{}}}'}},
            "spec": {
                "containers": [app],
                "initContainers": [
                    {**app, "name": "wait", "env": [{"name": f"LD_{n}"} for n in names]}
                ],
            },
        },
        "mounts of a look-alike": {
            "metadata": {"annotations": {ours.MARKER: '{"containers":{"wait":{}}}'}},
            "spec": {
                "containers": [app],
                "initContainers": [{**app, "name": "wait", "volumeMounts": mounts}],
            },
        },
        "mounts": {"spec": {"containers": [{**app, "volumeMounts": mounts}]}},
        "volumes": {"spec": {"containers": [app], "volumes": [{"name": n} for n in names]}},
        "owners": {
            "metadata": {"ownerReferences": [{"kind": n} for n in names]},
            "spec": {"containers": [app]},
        },
        "labels": {
            "metadata": {"labels": dict.fromkeys(names, "x")},
            "spec": {"containers": [app]},
        },
        "marker": {"metadata": {"annotations": annotations}, "spec": {"containers": [app]}},
        "depth": {"spec": {"containers": [app], "initContainers": [{"name": "wait", "x": deep}]}},
    }


@pytest.mark.parametrize("way", list(_many(1)))
@pytest.mark.parametrize("space", NAMESPACES[1:], ids=["plain", "enforcing"])
def test_a_large_pod_is_decided_soon(way: str, space: Namespace) -> None:
    """Nothing that fits into a request holds the others up for longer than it takes to read it."""
    request = question(_many(30_000)[way])
    start = time.process_time()
    decision = decide(request, EVERYTHING.policies, space, OPTIONS)
    spent = time.process_time() - start

    _assert_valid(request, decision)
    assert spent < 2
