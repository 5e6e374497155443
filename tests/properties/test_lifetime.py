"""Keys that several replicas keep: whatever happens in which order, what is served is trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from certs import lifetime
from certs.bundle import Bundle
from certs.lifetime import Terms
from certs.rotator import Rotator, Spread

START = datetime(2026, 11, 25, tzinfo=UTC)
TERMS = Terms(("initject.initject.svc",), timedelta(minutes=20), timedelta(minutes=30))
PROPAGATION = 60.0
HEARD = 50.0  # seconds after which each API server has heard of a configuration
LAG = 300.0  # seconds for which a replica may miss everything


@dataclass
class World:
    """A Secret, a configuration, and a clock; whose reader may be overtaken by a rival."""

    data: dict[str, bytes] = field(default_factory=dict)
    version: int = 0
    seconds: float = 0.0
    bundles: list[tuple[float, bytes]] = field(default_factory=list)
    rival: Callable[[], None] | None = None

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def read(self) -> tuple[str, Mapping[str, bytes]]:
        found = (str(self.version), dict(self.data))
        if self.rival is not None:
            overtaking, self.rival = self.rival, None
            await asyncio.to_thread(overtaking)
        return found

    async def swap(self, version: str, data: Mapping[str, bytes]) -> bool:
        if version != str(self.version):
            return False
        self.put({name: content for name, content in data.items() if content})
        return True

    def put(self, data: dict[str, bytes]) -> None:
        self.data, self.version = data, self.version + 1

    def trusted(self) -> list[bytes]:
        """What some API server may take for the bundle now."""
        older = [moment for moment, _ in self.bundles if moment <= self.seconds - HEARD]
        first = max(older, default=0.0)
        return [bundle for moment, bundle in self.bundles if moment >= first]


@dataclass
class Replica:
    """What one replica knows and serves."""

    world: World
    leaf: Bundle | None = None
    looked: float = 0.0
    spread: Spread = field(default_factory=lambda: Spread(PROPAGATION))

    def turn(self) -> None:
        """As `webhook.server.own` does: the configuration, the Secret, the repair."""
        seen = self.world.bundles[-1:]
        state = len(self.world.bundles)

        def settled(ca: x509.Certificate) -> bool:
            held = bool(seen) and lifetime.pem([ca]) in seen[0][1]
            key = (lifetime.pem([ca]), state)
            return self.spread.over(key, trusted=held, now=self.world.seconds)

        rotator = Rotator(self.world, TERMS, lambda: self.world.now)
        turn = asyncio.run(rotator.turn(self.leaf, settled))
        self.leaf, self.looked = turn.keys.leaf, self.world.seconds
        assert self.leaf is not None
        current = seen[0][1] if seen else b""
        if current != self.leaf.ca and state == len(self.world.bundles):
            self.world.bundles.append((self.world.seconds, self.leaf.ca))

    def start_again(self) -> None:
        """Nothing is known any more."""
        self.leaf, self.spread = None, Spread(PROPAGATION)


def check(world: World, replicas: list[Replica]) -> None:
    """The law, for each replica that serves and each bundle that may be in force."""
    keys, faults = lifetime.read(world.data)
    assert () == faults
    assert keys.leaf is not None
    for replica in replicas:
        for bundle in world.trusted():
            trusted = x509.load_pem_x509_certificates(bundle)
            assert replica.leaf is None or lifetime.serves(replica.leaf, trusted, world.now)


def broken(world: World) -> bool:
    """Whether the Secret needs somebody who looks."""
    keys, faults = lifetime.read(world.data)
    return bool(faults) or keys.leaf is None


def lived(data: st.DataObject, disturb: Callable[[World, list[Replica]], None]) -> None:
    """Several lifetimes of two replicas; `disturb` is called now and then."""
    world = World()
    replicas = [Replica(world), Replica(world)]
    for replica in replicas:
        replica.turn()
    world.seconds += HEARD
    steps = st.tuples(
        st.sampled_from((5, 20, 61, 240)), st.integers(0, 3), st.booleans(), st.integers(0, 9)
    )
    for seconds, turning, overtaken, disturbed in data.draw(
        st.lists(steps, min_size=30, max_size=60)
    ):
        world.seconds += seconds
        if disturbed == 0:
            disturb(world, replicas)
        for number, replica in enumerate(replicas):
            late = world.seconds - replica.looked > LAG - 240
            if late or turning & (1 << number) or broken(world):
                if overtaken and replica.looked < world.seconds:
                    world.rival = replicas[1 - number].turn
                replica.turn()
                world.rival = None
        check(world, replicas)


@settings(max_examples=6)
@given(data=st.data())
def test_every_leaf_that_is_served_is_trusted_by_every_api_server(data: st.DataObject) -> None:
    """Through renewals and new CAs, with replicas that lag, overtake each other, or start again."""

    def disturb(world: World, replicas: list[Replica]) -> None:
        data.draw(st.sampled_from(replicas)).start_again()

    lived(data, disturb)


RUBBISH = b"rubbish"


def remains(data: Mapping[str, bytes], world: World, replicas: list[Replica]) -> bool:
    """Whether with `data` in the Secret something lasts until a new CA can be known to all.

    That takes three turns: to announce it, to see it registered, to sign with it. Where all that
    could sign or serve ends before, nobody can help.
    """
    keys = lifetime.sound(lifetime.read(data)[0], None, world.now)
    leaves = [replica.leaf.not_after for replica in replicas if replica.leaf]
    ends = [keys.signer.not_after] if keys.signer else leaves
    return max(ends, default=world.now) > world.now + timedelta(seconds=3 * LAG)


@settings(max_examples=6)
@given(data=st.data())
def test_it_is_trusted_whatever_becomes_of_the_secret(data: st.DataObject) -> None:
    """Emptied, broken in part or as a whole, or put back as it was long ago."""
    past: list[dict[str, bytes]] = []

    def disturb(world: World, replicas: list[Replica]) -> None:
        past.append(dict(world.data))
        names = data.draw(st.sets(st.sampled_from(lifetime.PARTS)))
        content = data.draw(st.sampled_from((b"", RUBBISH)))
        older = data.draw(st.sampled_from(past))
        found = {**older, **dict.fromkeys(names, content)}
        if remains(found, world, replicas):
            world.put(found)

    lived(data, disturb)
