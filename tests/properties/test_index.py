"""The index leaves aside only what matching every policy one by one would leave aside."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.inject import judge
from webhook.inject.decision import LeftOutError
from webhook.inject.match import Subject
from webhook.policy import load
from webhook.policy.index import PolicySet
from webhook.policy.namespace import Namespace

Json = dict[str, Any]
STEP = {"name": "s", "container": {"image": "registry.example.com/s:1"}}

texts = st.sampled_from(("a", "b", "c"))
labels = st.dictionaries(texts, st.sampled_from(("a", "b", "")), max_size=3)


def some(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """A list as policies have it: not empty, nothing twice."""
    return st.lists(values, min_size=1, max_size=3, unique=True)


expressions = st.one_of(
    st.builds(lambda k, v: {"key": k, "operator": "In", "values": v}, texts,
              some(st.sampled_from(("a", "b", "")))),
    st.builds(lambda k, v: {"key": k, "operator": "NotIn", "values": v}, texts, some(texts)),
    st.builds(lambda k, o: {"key": k, "operator": o}, texts,
              st.sampled_from(("Exists", "DoesNotExist"))),
)  # fmt: skip
selectors = st.fixed_dictionaries(
    {}, optional={"matchLabels": labels, "matchExpressions": st.lists(expressions, max_size=2)}
)
globs = some(st.sampled_from(("a", "b", "c", "*", "a*")))
accounts = some(st.sampled_from(("default", "a", "b*")))
workloads = some(st.sampled_from(("None", "Deployment", "ReplicaSet", "Job", "CronJob", "Custom")))
matches = st.fixed_dictionaries(
    {},
    optional={
        "namespaceSelector": selectors,
        "namespaces": globs,
        "podSelector": selectors,
        "workloads": workloads,
        "serviceAccounts": accounts,
    },
)


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    """Up to six policies, of the cluster or of a namespace."""
    written = []
    for number in range(draw(st.integers(1, 6))):
        match = draw(matches)
        metadata: Json = {"name": f"p{number}"}
        kind = "ClusterInitPolicy"
        if draw(st.booleans()):
            kind, metadata["namespace"] = "InitPolicy", draw(texts)
            match = {k: v for k, v in match.items() if not k.startswith("namespace")}
        head = {"apiVersion": "initject.dev/v1alpha1", "kind": kind, "metadata": metadata}
        written.append(json.dumps({**head, "spec": {"match": match, "steps": [STEP]}}))
    loaded = load.load([("p.yaml", "\n---\n".join(written))])
    assert not loaded.errors, loaded.errors
    return loaded.policies


owners = st.sampled_from(
    (None, ("ReplicaSet", "x"), ("Job", "x"), ("Job", "x-17"), ("Custom", "x"), ("", ""))
)


@st.composite
def pods(draw: st.DrawFn) -> Json:
    """A pod with all that clauses look at."""
    metadata: Json = {"labels": draw(labels)}
    owner = draw(owners)
    if owner is not None:
        kind, name = owner
        metadata["ownerReferences"] = [{"kind": kind, "name": name, "controller": True}]
        if draw(st.booleans()):
            metadata["labels"]["pod-template-hash"] = "x"
    spec: Json = {"containers": [{"name": "app", "image": "i"}]}
    account = draw(st.sampled_from((None, "", "a", "b", "default")))
    if account is not None:
        spec["serviceAccountName"] = account
    return {"metadata": metadata, "spec": spec}


@given(pods(), policy_sets(), texts, st.one_of(st.none(), labels))
def test_candidates_are_all_that_could_match(
    pod: Json, policies: PolicySet, name: str, known: dict[str, str] | None
) -> None:
    """Every policy that matches, or that only unknown labels keep from it, is a candidate."""
    space = None if known is None else Namespace(name, known)
    subject = Subject(pod, name, space)
    found = policies.candidates(subject, name, known)
    wanted = []
    for policy in policies.policies:
        try:
            if judge.unmatched(policy, subject) is None:
                wanted.append(policy.key)
        except LeftOutError:
            wanted.append(policy.key)

    assert wanted == [policy.key for policy in found if policy.key in set(wanted)]
