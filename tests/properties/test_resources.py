"""Injection is free for the scheduler and invisible to quotas."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.inject.decide import decide
from webhook.inject.decision import Options
from webhook.policy import load, quantity
from webhook.policy.namespace import Namespace
from webhook.review.request import Request

Json = dict[str, Any]
NAMES = ("cpu", "memory", "ephemeral-storage")
amounts = st.sampled_from(("0", "100m", "250m", "1", "64Mi", "1Gi", "1e3", "1024Mi"))
sections = st.dictionaries(st.sampled_from((*NAMES, "nvidia.com/gpu")), amounts, max_size=4)


@st.composite
def resources(draw: st.DrawFn) -> Json:
    """Requests and limits as the API server takes them: a request with each limit, none above."""
    limits, requests = draw(sections), draw(sections)
    lower = {name: min(requests.get(name, text), text, key=quantity.parse)
             for name, text in limits.items()}  # fmt: skip
    return {"limits": limits, "requests": {**requests, **lower}}


@st.composite
def pods(draw: st.DrawFn) -> Json:
    """Application containers, init containers and sidecars of every size."""

    def containers(prefix: str, least: int) -> list[Json]:
        sizes = draw(st.lists(resources(), min_size=least, max_size=3))
        return [{"name": f"{prefix}{n}", "image": "i", "resources": r} for n, r in enumerate(sizes)]

    inits = containers("i", 0)
    for container in inits:
        if draw(st.booleans()):
            container["restartPolicy"] = "Always"
    spec: Json = {"containers": containers("c", 1), "initContainers": inits}
    if draw(st.booleans()):
        spec["resources"] = {"requests": {"cpu": "100", "memory": "100Gi"}}
    return {"metadata": {"name": "p"}, "spec": spec}


def step(name: str) -> Json:
    return {"name": name, "container": {"image": "registry.example.com/s:1"}}


def policies(position: str) -> load.Loaded:
    head = {"apiVersion": "initject.dev/v1alpha1", "kind": "ClusterInitPolicy"}
    spec = {"match": {}, "steps": [step("s1"), step("s2")], "placement": {"position": position}}
    return load.load([("p.yaml", json.dumps({**head, "metadata": {"name": "p"}, "spec": spec}))])


FIRST, LAST = policies("First").policies, policies("Last").policies


def amount(container: Json, section: str, name: str) -> Fraction:
    return quantity.parse(container.get("resources", {}).get(section, {}).get(name, "0"))


def effective(spec: Json, section: str, name: str) -> Fraction:
    """What a pod asks for: AggregateContainerRequests and -Limits of component-helpers."""
    running = sum((amount(c, section, name) for c in spec["containers"]), Fraction(0))
    beside = highest = Fraction(0)
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            beside += amount(container, section, name)
            highest = max(highest, beside)
        else:
            highest = max(highest, beside + amount(container, section, name))
    return max(running + beside, highest)


def quality(spec: Json) -> str:
    """The class of a pod: ComputePodQOS of kubernetes' core/v1 helpers."""
    of = spec.get("resources")
    containers = [of] if of else [
        c.get("resources", {}) for c in [*spec["containers"], *(spec.get("initContainers") or ())]
    ]  # fmt: skip
    requests: dict[str, Fraction] = {}
    limits: dict[str, Fraction] = {}
    guaranteed = True
    for one in containers:
        for section, total in (("requests", requests), ("limits", limits)):
            for name in ("cpu", "memory"):
                value = quantity.parse(one.get(section, {}).get(name, "0"))
                if value:
                    total[name] = total.get(name, Fraction(0)) + value
        limited = [
            n for n in ("cpu", "memory") if quantity.parse(one.get("limits", {}).get(n, "0"))
        ]
        guaranteed = guaranteed and len(limited) == 2
    if not requests and not limits:
        return "BestEffort"
    same = len(limits) == len(requests) == 2 and requests == limits
    return "Guaranteed" if guaranteed and same else "Burstable"


def injected(pod: Json, *, last: bool) -> Json:
    request = Request(uid="1", namespace="shop", object=pod)
    decision = decide(request, LAST if last else FIRST, Namespace("shop"), Options())
    assert decision.pod is not None
    assert len(decision.applied) == 1
    return dict(decision.pod["spec"])


@given(pods(), st.booleans())
@settings(max_examples=300)
def test_neither_requests_nor_limits_nor_the_class_change(pod: Json, last: bool) -> None:
    """What the scheduler and a quota count, and how the node ranks the pod, stays as it was."""
    before, after = pod["spec"], injected(pod, last=last)

    for name in NAMES:
        assert effective(before, "requests", name) == effective(after, "requests", name)
        assert effective(before, "limits", name) == effective(after, "limits", name)
    assert quality(before) == quality(after)


@given(pods())
def test_a_step_declares_what_one_application_container_does(pod: Json) -> None:
    """So it passes every quota and limit range that the application passes."""
    spec = injected(pod, last=False)
    declared = [
        {s: {k: quantity.canonical(v) for k, v in c["resources"][s].items() if k in NAMES}
         for s in ("limits", "requests")}
        for c in pod["spec"]["containers"]
    ]  # fmt: skip
    step = next(c for c in spec["initContainers"] if c["name"] == "s1").get("resources", {})

    assert {"limits": {}, "requests": {}, **step} in declared
