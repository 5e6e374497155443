"""Leases, as values: who holds one, and since when nothing was heard of it.

The clocks of others tell nothing: as client-go does it, a Lease is held for as long as we ourselves
have seen it renewed lately, by a clock of ours that cannot be set.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from webhook.cluster.verdict import Position

Json = dict[str, Any]

# Seconds. After DURATION without a sign somebody is gone, client-go's own; a process that was
# killed holds up nobody for longer. RENEW leaves room for three attempts. Who has not even heard of
# itself for DEAF judges nobody else. After FORGET, a guess, its Lease is deleted: who was only slow
# makes another one.
DURATION, RENEW, DEAF, FORGET = 15.0, 4.0, 10.0, 30.0
COMPILED = "initject.dev/compiled"
_NAME, _INSTANCE = "app.kubernetes.io/name", "app.kubernetes.io/instance"
_TYPE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Lease:
    """One Lease; `heard` is when it was seen in this form, by our own clock."""

    object: Json
    heard: float

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.object["metadata"]["name"])

    @property
    def holder(self) -> str:
        """Who holds it, empty if nobody does."""
        return str((self.object.get("spec") or {}).get("holderIdentity") or "")

    @property
    def compiled(self) -> Position:
        """How far the replica that holds it has compiled; empty when it does not say."""
        text = (self.object["metadata"].get("annotations") or {}).get(COMPILED, "")
        try:
            told = json.loads(text)
        except ValueError:
            return {}
        if not isinstance(told, dict):
            return {}
        return {key: value for key, value in told.items() if isinstance(value, str)}


def selector(instance: str) -> str:
    """What selects the Leases of one installation, as a query."""
    return f"labelSelector={_NAME}%3Dinitject%2C{_INSTANCE}%3D{instance}"


def body(name: str, instance: str, holder: str, at: float) -> Json:
    """A Lease that `holder` begins to hold at Unix time `at`."""
    return {
        **_TYPE,
        "metadata": {"name": name, "labels": {_NAME: "initject", _INSTANCE: instance}},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(DURATION),
            "acquireTime": moment(at),
            "renewTime": moment(at),
            "leaseTransitions": 0,
        },
    }


def renewal(position: Position, at: float) -> Json:
    """A patch: still here, and compiled that far."""
    told = json.dumps(dict(position), sort_keys=True)
    return {"metadata": {"annotations": {COMPILED: told}}, "spec": {"renewTime": moment(at)}}


def held(old: Json, holder: str, at: float) -> Json:
    """The whole Lease as `holder` takes, keeps or (empty) leaves it, on condition that it is `old`.

    The last one to leave lets the next one in at once, as client-go does.
    """
    spec = dict(old.get("spec") or {})
    if spec.get("holderIdentity") != holder:
        spec["leaseTransitions"] = spec.get("leaseTransitions", 0) + bool(holder)
        spec["acquireTime"] = moment(at)
    spec["leaseDurationSeconds"] = int(DURATION) if holder else 1
    spec |= {"holderIdentity": holder, "renewTime": moment(at)}
    return {**_TYPE, **old, "spec": spec}  # the items of a list do not say their type


def moment(at: float) -> str:
    """Unix time as meta/v1 MicroTime."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leases:
    """All Leases of one installation, judged by what was heard here, by the clock that is given.

    `own` is our replica's own. When we have not heard even of that, we are deaf, and the silence of
    others says nothing; when we hear again, they have time from then on.
    """

    def __init__(self, instance: str, replica: str, clock: Callable[[], float]) -> None:
        self.leader = instance
        self.replica = replica
        self.own = f"{instance}-{replica}"
        self._clock = clock
        self._held: Mapping[str, Lease] = {}
        self._hearing = self._heard = _NEVER

    def hear(self, leases: Mapping[str, Lease]) -> None:
        """These are all that there are, by name."""
        mine = leases.get(self.own)
        if mine is not None:
            if mine.heard - self._heard > DEAF:
                self._hearing = mine.heard
            self._heard = mine.heard
        self._held = leases

    def get(self, name: str) -> Lease | None:
        """One by its name."""
        return self._held.get(name)

    @property
    def deaf(self) -> bool:
        """Whether we have not heard of ourselves for too long."""
        return self._clock() - self._heard > DEAF

    def silent(self, lease: Lease) -> float:
        """Seconds without a sign of it that we should have heard."""
        return self._clock() - max(lease.heard, self._hearing)

    def replicas(self) -> dict[str, Position]:
        """How far each live replica has compiled, by name; what is left of a leader's is none."""
        return {
            lease.holder: lease.compiled
            for name, lease in self._held.items()
            if name != self.leader and lease.holder and self.silent(lease) <= DURATION
        }

    def forgotten(self) -> list[Lease]:
        """Leases of replicas that will not come back."""
        return [
            lease
            for name, lease in self._held.items()
            if name not in (self.leader, self.own) and self.silent(lease) > FORGET
        ]
