"""Policies as objects of the API server: each compiled on its own, all in force together.

One that is wrong is out of force and disturbs no other. While the API server cannot be asked, what
was in force stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from webhook.cluster.api import Api, Json
from webhook.cluster.reflector import Key, Reflector, Watcher
from webhook.cluster.verdict import Id, Judged, Position, Stored, Verdict
from webhook.document.problem import Problem
from webhook.policy import index, load, model
from webhook.policy.compiled import Policy
from webhook.policy.index import PolicySet
from webhook.recipes.defaults import Defaults
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
_BUG = "meets a bug of Initject; the log has more"


@dataclass(frozen=True, slots=True)
class State:
    """What is in force, how many objects of each kind are not, and what became of each."""

    policies: PolicySet
    out_of_force: Mapping[str, int]
    verdicts: Mapping[Id, Verdict]


class Watched:
    """Keeps a cell up to date.

    `taken` is called after each change of what is in force, `seen` when objects were read.
    """

    def __init__(
        self,
        api: Api,
        watcher: Watcher,
        taken: Callable[[State], None],
        seen: Callable[[], None] = lambda: None,
        *,
        defaults: Defaults,
    ) -> None:
        self._defaults = defaults
        self.cell = Policies(index.EMPTY)
        self.built = asyncio.Event()
        self.stored: dict[Id, Stored] = {}
        self._judged: dict[str, Mapping[Key, Judged]] = {}
        self.reflectors = {kind: self._reflector(kind, api, watcher) for kind in PATHS}
        self._taken = taken
        self._told = seen
        self._verdicts: Mapping[Id, Verdict] = {}
        self._compiled: Position = {}
        self._news = asyncio.Event()
        self._changes = self._covered = 0  # changes of objects, and those that are in force
        self._compiling = asyncio.Lock()
        self._refused: frozenset[tuple[str, str]] = frozenset()

    def _reflector(self, kind: str, api: Api, watcher: Watcher) -> Reflector[Judged]:
        async def make(objects: Sequence[Json]) -> list[Judged]:
            async with self._compiling:  # compiling is for one thread at a time
                judged = await asyncio.to_thread(self._all, kind, objects)
            for one, found in zip(objects, judged, strict=True):
                if found.policy is None:
                    _tell(kind, _name(one), tuple(map(str, found.errors)))
            return judged

        def changed(held: Mapping[Key, Judged]) -> None:
            self._judged[kind] = held
            self._changes += 1
            self._news.set()

        def seen(there: Iterable[Json], gone: Iterable[Key]) -> None:
            for one in there:
                self.saw(kind, one)
            for namespace, name in gone:
                self.stored.pop(Id(kind, namespace, name), None)

        path = PATHS[kind]
        return Reflector(
            _plural(kind),
            path,
            api,
            watcher,
            news="generation",
            make=make,
            changed=changed,
            seen=seen,
        )

    def _all(self, kind: str, objects: Sequence[Json]) -> list[Judged]:
        return [_safely(kind, one, self._defaults) for one in objects]

    def saw(self, kind: str, one: Json) -> None:
        """Take note of an object as the API server holds it now."""
        metadata = one["metadata"]
        key = Id(kind, metadata.get("namespace", ""), metadata["name"])
        self.stored[key] = Stored(
            uid=metadata["uid"],
            generation=metadata["generation"],
            version=metadata["resourceVersion"],
            status=one.get("status") or {},
        )
        self._told()

    @property
    def compiled(self) -> Position:
        """Up to which resource version of each collection everything is compiled and in force."""
        if self._covered == self._changes and self.built.is_set():
            self._compiled = self._position()
        return self._compiled

    def _position(self) -> Position:
        """Where the reflectors stand; one that has to list again, where it stood."""
        found = {one.name: one.version for one in self.reflectors.values() if one.version}
        return {**self._compiled, **found}

    async def follow(self) -> None:
        """Put what the reflectors hold in force, from the moment both have listed; never ends."""
        for reflector in self.reflectors.values():
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
        position, covered = self._position(), self._changes
        touched = {one.name: one.touched for one in self.reflectors.values()}
        judged = {Id(kind, *key): one for kind in PATHS for key, one in self._judged[kind].items()}
        good = [one.policy for one in judged.values() if one.policy is not None]
        found = await asyncio.to_thread(index.build, good)
        self.cell.replace(found)
        self._compiled, self._covered = position, covered
        refused = frozenset((policy.key, reason) for policy, reason in found.refused)
        for policy, reason in found.refused:
            if (policy.key, reason) not in self._refused:
                _tell(_kind(policy), policy.key, (f"metadata.name: is not in force: {reason}",))
        self._refused = refused
        self._verdicts = self._judge(judged, found, touched)
        self._taken(State(found, self._out_of_force(judged, found), self._verdicts))

    def _judge(
        self, judged: Mapping[Id, Judged], found: PolicySet, touched: Position
    ) -> dict[Id, Verdict]:
        """What became of each object; what is as it was keeps its verdict."""
        refused = {
            Id(_kind(policy), policy.namespace, policy.name): reason
            for policy, reason in found.refused
        }
        now = asyncio.get_running_loop().time()
        known = self._verdicts
        verdicts = {}
        for key, one in judged.items():
            before, reason = known.get(key), refused.get(key, "")
            if before is not None and (before.judged is one and before.refused == reason):
                verdicts[key] = before
                continue
            # Nothing of the object has changed, so what has is somewhere in both collections.
            again = before is not None and before.judged is one
            needed = touched if again else {_plural(key.kind): one.version}
            verdicts[key] = Verdict(one, reason, needed, now)
        return verdicts

    def _out_of_force(self, judged: Mapping[Id, Judged], found: PolicySet) -> dict[str, int]:
        counts = dict.fromkeys(PATHS, 0)
        for key, one in judged.items():
            counts[key.kind] += one.policy is None
        for policy, _ in found.refused:
            counts[_kind(policy)] += 1
        return counts


def judge(kind: str, one: Json, defaults: Defaults) -> Judged:
    """Compile and check one object, as `initject check` does with a file that holds it alone.

    But fields of a container that are not known here are warnings: see `load.one`.
    """
    metadata = {k: one["metadata"][k] for k in ("name", "namespace") if k in one["metadata"]}
    loaded = load.one(
        {
            "apiVersion": model.API_VERSION,
            "kind": kind,
            "metadata": metadata,
            "spec": one.get("spec"),
        },
        defaults,
    )
    good = loaded.policies.policies
    return _judged(one, good[0] if good and not loaded.errors else None, loaded.problems)


def _judged(one: Json, policy: Policy | None, problems: tuple[Problem, ...]) -> Judged:
    metadata, spec = one["metadata"], one.get("spec")
    steps = spec.get("steps") if isinstance(spec, dict) else None
    return Judged(
        policy=policy,
        problems=problems,
        uid=metadata["uid"],
        generation=metadata["generation"],
        version=metadata["resourceVersion"],
        steps=len(steps) if isinstance(steps, list) else 0,
    )


def _safely(kind: str, one: Json, defaults: Defaults) -> Judged:
    """A bug that one object meets leaves that one out, and no other."""
    try:
        return judge(kind, one, defaults)
    except Exception:
        log.exception("policy not compiled", extra={"kind": kind, "policy": _name(one)})
        return _judged(one, None, (Problem("", 0, 0, "", _BUG),))


def _tell(kind: str, policy: str, problems: Sequence[str]) -> None:
    extra = {"kind": kind, "policy": policy, "problems": list(problems[:SHOWN])}
    log.error("policy not in force", extra=extra)


def _name(one: Json) -> str:
    metadata = one["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def _kind(policy: Policy) -> str:
    return model.NAMESPACED_KIND if policy.namespace else model.CLUSTER_KIND


def _plural(kind: str) -> str:
    return PATHS[kind].rpartition("/")[2]
