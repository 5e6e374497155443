"""Strategies: pods as other people write them, and policies that fit some of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from webhook.policy import load
from webhook.policy.index import PolicySet

Json = dict[str, Any]

NAMES = ("app", "db", "istio-proxy", "istio-init", "restore-wait", "wait", "migrate", "cache")
IMAGES = ("registry.example.com/app:1", "registry.example.com/db:2", "busybox:1.36")
unknown = st.dictionaries(
    st.sampled_from(("futureField", "brandNew", "xyz")),
    st.one_of(
        st.integers(), st.booleans(), st.text(max_size=5), st.just({"deep": [1, {"a": None}]})
    ),
    max_size=2,
)
quantities = st.sampled_from(("100m", "1", "64Mi", "1Gi", "250m", "0"))
sections = st.fixed_dictionaries({}, optional={"cpu": quantities, "memory": quantities})
resources = st.fixed_dictionaries({}, optional={"limits": sections, "requests": sections})
environment = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("DB_HOST", "PATH", "LD_PRELOAD", "MODE"))},
        optional={"value": st.sampled_from(("", "x", "postgres"))},
    ),
    max_size=3,
    unique_by=lambda e: e["name"],
)
mounts = st.lists(
    st.builds(
        lambda v, p: {"name": v, "mountPath": p},
        st.sampled_from(("data", "cache")),
        st.sampled_from(("/data", "/etc/app", "/cache/")),
    ),
    max_size=2,
    unique_by=lambda m: m["mountPath"],
)


def container(name: str) -> st.SearchStrategy[Json]:
    """A container of that name with whatever else."""
    fields = st.fixed_dictionaries(
        {"name": st.just(name), "image": st.sampled_from(IMAGES)},
        optional={"env": environment, "resources": resources, "volumeMounts": mounts,
                  "restartPolicy": st.just("Always")},
    )  # fmt: skip
    return st.builds(lambda known, other: {**other, **known}, fields, unknown)


def containers(names: list[str]) -> st.SearchStrategy[list[Json]]:
    """One container for each name, in that order."""
    return st.tuples(*map(container, names)).map(list)


@st.composite
def pods(draw: st.DrawFn) -> Json:
    """A pod with unknown fields anywhere, and init containers of its author and of others."""
    names = draw(st.permutations(NAMES))
    cut = draw(st.integers(1, 3))
    inits = draw(st.integers(0, 4))
    labels = draw(st.dictionaries(st.sampled_from(("app", "tier")), st.sampled_from(("a", "b"))))
    spec: Json = {"containers": draw(containers(names[:cut]))}
    if inits:
        spec["initContainers"] = draw(containers(names[cut : cut + inits]))
    if draw(st.booleans()):
        spec["volumes"] = [{"name": "data", "emptyDir": {}}, {"name": "cache", "emptyDir": {}}]
    metadata: Json = {"name": "p", "namespace": "shop", "labels": labels}
    if draw(st.booleans()):
        metadata["annotations"] = {"example.com/x~y": "1"}
    spec = {**draw(unknown), **spec}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**draw(unknown), **metadata},
        "spec": spec,
    }


globs = st.lists(st.sampled_from(("istio-*", "istio-proxy", "db", "cache", "nobody")), max_size=2)


@st.composite
def policy(draw: st.DrawFn, number: int) -> Json:
    """A policy without errors, which may or may not concern a pod of `pods`."""
    step_names = draw(st.lists(st.sampled_from(("wait", "migrate", "fetch", f"own-{number}")),
                               min_size=1, max_size=3, unique=True))  # fmt: skip
    steps = [draw(step(name)) for name in step_names]
    spec: Json = {
        "match": draw(st.sampled_from(({}, {"podSelector": {"matchLabels": {"app": "a"}}}))),
        "steps": steps,
        "order": draw(st.integers(0, 3)),
        "onConflict": draw(st.sampled_from(("Skip", "Reject"))),
        "mode": draw(st.sampled_from(("Enforce", "Enforce", "Enforce", "Audit"))),
        "placement": draw(placements()),
    }
    if draw(st.integers(0, 3)) == 0:
        spec |= {"optOut": "Forbid", "onConflict": "Reject", "onError": "Reject"}
    if draw(st.booleans()):
        into = [{"containers": ["*"], "mountPath": "/etc/app", "readOnly": True}]
        name = draw(st.sampled_from(("settings", "data")))
        spec["volumes"] = [{"name": name, "emptyDir": {"sizeLimit": "1Mi"}, "mountInto": into}]
    if draw(st.booleans()):
        spec["conditions"] = [
            {"name": "tier", "expression": "object.?metadata.?labels.?tier.orValue('') != 'b'"}
        ]
    return {"apiVersion": "initject.dev/v1alpha1", "kind": "ClusterInitPolicy",
            "metadata": {"name": f"policy-{number}"}, "spec": spec}  # fmt: skip


@st.composite
def placements(draw: st.DrawFn) -> Json:
    """Anywhere; never before and after the same name, which `check` refuses."""
    before = draw(globs)
    after = [name for name in draw(globs) if name not in before]
    return {
        "position": draw(st.sampled_from(("First", "Last"))),
        "before": sorted(set(before)),
        "after": sorted(set(after)),
    }


@st.composite
def step(draw: st.DrawFn, name: str) -> Json:
    """A step: plain, templated or borrowing."""
    container_: Json = {"image": "registry.example.com/tool:1", "args": draw(
        st.sampled_from((["run"], ["--app", "${object.metadata.?labels.?app.orValue('none')}"]))
    )}  # fmt: skip
    found: Json = {"name": name, "container": container_}
    if draw(st.integers(0, 3)) == 0:
        container_["restartPolicy"] = "Always"
    if "restartPolicy" in container_ or draw(st.integers(0, 3)) == 0:
        container_["resources"] = {"requests": {"cpu": "10m", "memory": "16Mi"}}
    if draw(st.booleans()):
        container_["env"] = [{"name": "MODE", "value": "x"}, {"name": "URL", "value": "$(DB_HOST)"}]
    if draw(st.booleans()):
        found["borrow"] = {
            "container": draw(st.sampled_from(("*", "app"))),
            "env": ["*"],
            "volumeMounts": ["*"],
        }
        if draw(st.booleans()):
            found["borrow"]["image"] = True
            del container_["image"]
    return found


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    """One to four policies, loaded as files are."""
    written = [draw(policy(number)) for number in range(draw(st.integers(1, 4)))]
    loaded = load.load([("policies.yaml", "\n---\n".join(map(json.dumps, written)))])
    assert not loaded.errors, loaded.errors
    return loaded.policies
