"""Policies as objects of the API server: each compiled on its own, all in force together.

One that is wrong is out of force and disturbs no other. While the API server cannot be asked, what
was in force stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webhook.cluster.api import Api, Json
from webhook.cluster.reflector import Key, Reflector, Watcher
from webhook.document import write
from webhook.document.problem import Problem
from webhook.policy import index, load, model
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.store.policies import Policies

log = logging.getLogger("webhook.cluster")

PATHS = {
    model.CLUSTER_KIND: f"/apis/{model.API_VERSION}/clusterinitpolicies",
    model.NAMESPACED_KIND: f"/apis/{model.API_VERSION}/initpolicies",
}
SHOWN = 20  # problems in a log line; a guess
# Seconds between two sets in force: a lone change is in force at once, a thousand make a few sets.
# Each change that comes in one gap makes the next one longer: above 20 a second it grows to the
# last. Guesses: a set of a thousand policies takes some 10 ms.
FIRST_GAP, LAST_GAP = 0.05, 1.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one object: a policy, or none when it has errors."""

    policy: Policy | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is in force, and how many objects of each kind are not."""

    policies: PolicySet
    out_of_force: Mapping[str, int]


class Watched:
    """Keeps a cell up to date. `taken` is called after each change of what is in force."""

    def __init__(self, api: Api, watcher: Watcher, taken: Callable[[State], None]) -> None:
        self.cell = Policies(index.EMPTY)
        self.reflectors = [self._reflector(kind, api, watcher) for kind in PATHS]
        self.built = asyncio.Event()
        self._taken = taken
        self._judged: dict[str, Mapping[Key, Judged]] = {}
        self._news = asyncio.Event()
        self._changes = 0
        self._compiling = asyncio.Lock()
        self._refused: frozenset[tuple[str, str]] = frozenset()

    def _reflector(self, kind: str, api: Api, watcher: Watcher) -> Reflector[Judged]:
        async def make(objects: Sequence[Json]) -> list[Judged]:
            async with self._compiling:  # compiling is for one thread at a time
                judged = await asyncio.to_thread(lambda: [_safely(kind, one) for one in objects])
            for one, found in zip(objects, judged, strict=True):
                if found.policy is None:
                    _tell(kind, _name(one), found.problems)
            return judged

        def changed(held: Mapping[Key, Judged]) -> None:
            self._judged[kind] = held
            self._changes += 1
            self._news.set()

        path = PATHS[kind]
        name = path.rpartition("/")[2]
        return Reflector(name, path, api, watcher, news="generation", make=make, changed=changed)

    async def follow(self) -> None:
        """Put what the reflectors hold in force, from the moment both have listed; never ends."""
        for reflector in self.reflectors:
            await reflector.listed.wait()
        self._news.set()
        gap = FIRST_GAP
        while True:
            await self._news.wait()
            self._news.clear()
            await self._build()
            self.built.set()
            before = self._changes
            await asyncio.sleep(gap)
            gap = min(max(FIRST_GAP, FIRST_GAP * (self._changes - before)), LAST_GAP)

    async def _build(self) -> None:
        judged = [one for kind in PATHS for one in self._judged[kind].values()]
        good = [one.policy for one in judged if one.policy is not None]
        found = await asyncio.to_thread(index.build, good)
        self.cell.replace(found)
        refused = frozenset((policy.key, reason) for policy, reason in found.refused)
        for policy, reason in found.refused:
            if (policy.key, reason) not in self._refused:
                _tell(_kind(policy), policy.key, (f"metadata.name: is not in force: {reason}",))
        self._refused = refused
        self._taken(State(found, self._out_of_force(found)))

    def _out_of_force(self, found: PolicySet) -> dict[str, int]:
        counts = {
            kind: sum(one.policy is None for one in judged.values())
            for kind, judged in self._judged.items()
        }
        for policy, _ in found.refused:
            counts[_kind(policy)] += 1
        return counts


def judge(kind: str, one: Json) -> Judged:
    """Compile and check one object, as `initject check` does with a file that holds it alone."""
    metadata = {k: one["metadata"][k] for k in ("name", "namespace") if k in one["metadata"]}
    written = {
        "apiVersion": model.API_VERSION,
        "kind": kind,
        "metadata": metadata,
        "spec": one.get("spec"),
    }
    loaded = load.load([(_name(one), write.write([written]))])
    good = loaded.policies.policies
    policy = good[0] if good and not loaded.errors else None
    shown = loaded.problems if policy else loaded.errors
    return Judged(policy, tuple(map(_text, shown)))


def _safely(kind: str, one: Json) -> Judged:
    """A bug that one object meets leaves that one out, and no other."""
    try:
        return judge(kind, one)
    except Exception:
        log.exception("policy not compiled", extra={"kind": kind, "policy": _name(one)})
        return Judged(None, ("meets a bug of Initject; the log has more",))


def _text(problem: Problem) -> str:
    """Without file and line: those of an object mean nothing."""
    place = f"{problem.field}: " if problem.field else ""
    advice = f"; {problem.advice}" if problem.advice else ""
    return f"{place}{problem.what}{advice}"


def _tell(kind: str, policy: str, problems: Sequence[str]) -> None:
    extra = {"kind": kind, "policy": policy, "problems": list(problems[:SHOWN])}
    log.error("policy not in force", extra=extra)


def _name(one: Json) -> str:
    metadata = one["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _kind(policy: Policy) -> str:
    return model.NAMESPACED_KIND if policy.namespace else model.CLUSTER_KIND
