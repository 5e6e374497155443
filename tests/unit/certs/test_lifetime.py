from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from certs import lifetime
from certs.lifetime import Keys, Step, Terms

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = Terms(("a.b.svc", "a.b"), 90 * DAY, 365 * DAY)


def begun() -> Keys:
    return lifetime.take(Step.BEGIN, Keys(), TERMS, NOW)


def step(keys: Keys, after: timedelta, *, settled: bool = False, terms: Terms = TERMS) -> Step:
    """What is due some time after the beginning."""
    now = NOW + after
    return lifetime.due(lifetime.sound(keys, None, now), terms, now, settled=settled)


def test_an_empty_store_begins_with_a_ca_and_a_leaf() -> None:
    """For all names, and valid as long as the terms say."""
    keys = begun()

    assert Step.BEGIN is lifetime.due(Keys(), TERMS, NOW, settled=False)
    assert keys.leaf
    assert keys.signer
    assert TERMS.names == keys.leaf.names
    assert (90 * DAY, 365 * DAY) == (keys.leaf.not_after - NOW, keys.signer.not_after - NOW)
    assert [keys.signer.own] == lifetime.signers(keys)


def test_what_is_stored_is_what_is_read() -> None:
    """With a successor, too: each key finds its own certificate."""
    keys = lifetime.take(Step.ANNOUNCE, begun(), TERMS, NOW + 250 * DAY)

    assert (keys, ()) == lifetime.read(lifetime.write(keys))


def test_each_part_is_replaced_when_a_third_of_its_life_is_left() -> None:
    """Not before; and a new CA signs only when it is trusted by all."""
    keys = begun()

    assert Step.NOTHING is step(keys, 59 * DAY)
    assert Step.LEAF is step(keys, 61 * DAY)
    keys = lifetime.take(Step.LEAF, keys, TERMS, NOW + 240 * DAY)
    assert Step.NOTHING is step(keys, 243 * DAY)
    assert Step.ANNOUNCE is step(keys, 244 * DAY)
    keys = lifetime.take(Step.ANNOUNCE, keys, TERMS, NOW + 244 * DAY)
    assert Step.NOTHING is step(keys, 245 * DAY)
    assert Step.SUCCEED is step(keys, 245 * DAY, settled=True)


def test_an_old_ca_is_trusted_until_it_has_expired() -> None:
    """Two overlap, and the older one goes by itself."""
    keys = lifetime.take(Step.ANNOUNCE, begun(), TERMS, NOW + 244 * DAY)
    keys = lifetime.take(Step.SUCCEED, keys, TERMS, NOW + 245 * DAY)
    keys = lifetime.take(Step.LEAF, keys, TERMS, NOW + 360 * DAY)

    assert 2 == len(lifetime.sound(keys, None, NOW + 364 * DAY).trusted)
    after = lifetime.sound(keys, None, NOW + 366 * DAY)
    assert keys.signer
    assert (keys.signer.own,) == after.trusted
    assert after.leaf
    assert lifetime.pem(after.trusted) == after.leaf.ca


def test_a_leaf_that_gains_nothing_waits_for_the_new_ca() -> None:
    """One CA cannot sign beyond its end: asking it again and again would be of no use."""
    terms = replace(TERMS, leaf=365 * DAY)
    keys = lifetime.take(Step.BEGIN, Keys(), terms, NOW)
    keys = lifetime.take(Step.ANNOUNCE, keys, terms, NOW + 300 * DAY)

    assert Step.NOTHING is step(keys, 300 * DAY, terms=terms)


def test_names_that_are_missing_are_added_to_those_that_are_there() -> None:
    """So replicas that want different names do not take them from each other."""
    other = replace(TERMS, names=("c.b.svc",))
    keys = begun()
    assert Step.LEAF is step(keys, DAY, terms=other)

    both = lifetime.take(Step.LEAF, keys, other, NOW)

    assert both.leaf
    assert ("c.b.svc", "a.b.svc", "a.b") == both.leaf.names
    assert Step.NOTHING is step(both, DAY, terms=other)
    assert Step.NOTHING is step(both, DAY)


@pytest.mark.parametrize("part", lifetime.PARTS)
def test_a_part_that_cannot_be_read_is_named(part: str) -> None:
    """And is as if it were not there; what does not depend on it stays."""
    keys = lifetime.take(Step.ANNOUNCE, begun(), TERMS, NOW)
    stored = lifetime.write(keys)

    found, faults = lifetime.read(stored | {part: b"rubbish"})

    assert faults
    assert all("rubbish" not in one for one in faults)
    assert (found.leaf is None) == (part in {lifetime.CERTIFICATE, lifetime.KEY})
    if part not in {lifetime.TRUSTED, lifetime.SIGNING}:
        assert keys.signer == found.signer


def test_a_key_of_another_ca_signs_nothing() -> None:
    """It fits no certificate that is trusted."""
    stored = lifetime.write(begun()) | {lifetime.SIGNING: lifetime.write(begun())["ca.key"]}

    found, faults = lifetime.read(stored)

    assert found.signer is None
    assert ("ca.key: the key fits no certificate of ca.crt",) == faults


def test_what_is_served_is_put_back_where_nothing_is_left() -> None:
    """With its CA, which signs no more: a new one comes with overlap."""
    known = begun().leaf
    assert known

    keys = lifetime.sound(Keys(), known, NOW + DAY)

    assert known == keys.leaf
    assert keys.signer is None
    assert Step.ANNOUNCE is lifetime.due(keys, TERMS, NOW + DAY, settled=False)


def test_the_number_of_trusted_cas_is_bounded() -> None:
    """However often a Secret is emptied; the one that has signed what is served stays."""
    keys = begun()
    for hours in range(12):
        now = NOW + timedelta(hours=hours)
        keys = lifetime.sound(replace(keys, signer=None, successor=None), None, now)
        keys = lifetime.take(Step.ANNOUNCE, keys, TERMS, now)

    assert lifetime.MOST + 2 == len(keys.trusted)
    assert lifetime.signers(keys)


def test_it_is_looked_again_when_something_becomes_due() -> None:
    """First the leaf, then the CA."""
    keys = begun()

    assert 60 * DAY == lifetime.until(keys, TERMS, NOW)
    keys = lifetime.take(Step.LEAF, keys, TERMS, NOW + 200 * DAY)
    assert (243 + 1 / 3) * DAY == lifetime.until(keys, TERMS, NOW)
