"""Which keys there should be: what is there, what is trusted and the time decide the next step.

The order of a rotation: a new CA is trusted by all before it signs, and an old one is trusted until
it has expired. So whoever serves an older leaf, or a newer one, is always trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from certs import bundle
from certs.authority import Authority
from certs.bundle import Bundle, CertificateError

# The names in a store. A key belongs to the certificate that holds its public half, so no two can
# be mixed up; a CA without a key is trusted and signs no more.
CERTIFICATE, KEY, TRUSTED, SIGNING, COMING = "tls.crt", "tls.key", "ca.crt", "ca.key", "next.key"
PARTS = (CERTIFICATE, KEY, TRUSTED, SIGNING, COMING)

LEFT = 3  # renewed when a third of the lifetime is left, as certbot and cert-manager do
GAIN = 10  # a leaf that would gain less than a tenth of its lifetime waits for the new CA
MOST = 8  # CAs trusted at once; a guess: a rotation needs two, and what is stored must not grow


class Step(Enum):
    """What is to be done; the values are those of a metric's label."""

    NOTHING = "nothing"
    BEGIN = "begin"  # a CA and a leaf at once: there is nothing to serve
    LEAF = "leaf"  # a leaf by the CA that signs
    ANNOUNCE = "announce"  # a new CA, trusted from now on
    SUCCEED = "succeed"  # the new CA signs, and has signed a leaf
    MEND = "mend"  # what has expired is left out, what was lost and is still known is put back


@dataclass(frozen=True, slots=True)
class Terms:
    """What a leaf is for, and how long leaves and CAs are valid."""

    names: tuple[str, ...]
    leaf: timedelta
    ca: timedelta


@dataclass(frozen=True, slots=True)
class Keys:
    """What a store holds: the leaf, the CA that signs, the one that will, and all that are trusted.

    `leaf.ca` is the text of `trusted`. What is missing or of no use is None.
    """

    leaf: Bundle | None = None
    signer: Authority | None = None
    successor: Authority | None = None
    trusted: tuple[x509.Certificate, ...] = ()


def read(data: Mapping[str, bytes]) -> tuple[Keys, tuple[str, ...]]:
    """The keys in a store, whatever it holds, and what is wrong with it; empty is not wrong."""
    faults: list[str] = []
    trusted: tuple[x509.Certificate, ...] = ()
    if data.get(TRUSTED):
        try:
            trusted = _ordered(bundle.parse_certificates(data[TRUSTED], TRUSTED))
        except CertificateError as error:
            faults.append(str(error))
    signer = _authority(data, SIGNING, trusted, faults)
    successor = _authority(data, COMING, trusted, faults)
    leaf = None
    if data.get(CERTIFICATE) or data.get(KEY):
        try:
            leaf = Bundle(data.get(CERTIFICATE, b""), data.get(KEY, b""), pem(trusted))
        except CertificateError as error:
            faults.append(str(error))
    return Keys(leaf, signer, successor, trusted), tuple(faults)


def write(keys: Keys) -> dict[str, bytes]:
    """What a store of `keys` holds, empty what it lacks; `read` gives them back."""
    return {
        CERTIFICATE: keys.leaf.certificate if keys.leaf else b"",
        KEY: keys.leaf.key if keys.leaf else b"",
        TRUSTED: pem(keys.trusted),
        SIGNING: keys.signer.key if keys.signer else b"",
        COMING: keys.successor.key if keys.successor else b"",
    }


def pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """One text of them all: what clients are told to trust."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def sound(keys: Keys, known: Bundle | None, now: datetime) -> Keys:
    """The keys without what is of no use at `now`, and with what is still needed.

    `known` is what we serve: the CAs that it was trusted by stay trusted, and where neither a leaf
    nor a CA to sign one is left in the store, it is put back.
    """
    certificates = [*keys.trusted, *(_certificates(known.ca) if known else ())]
    live = [one for one in certificates if now < one.not_valid_after_utc]
    signer = _live(keys.signer, now)
    successor = _live(keys.successor, now)
    choices = [keys.leaf] if signer else [keys.leaf, known]
    leaf = next((one for one in choices if one and serves(one, live, now)), None)
    needed = {one.own for one in (signer, successor) if one}
    needed |= {one for one in live if leaf and _signed(leaf, one)}
    trusted = _ordered({*needed, *_ordered(live)[-MOST:]})
    return Keys(_trusting(leaf, trusted), signer, successor, trusted)


def serves(leaf: Bundle, trusted: Iterable[x509.Certificate], now: datetime) -> bool:
    """Whether who trusts `trusted` accepts the leaf at `now`, its names aside."""
    return now < leaf.not_after and any(_signed(leaf, one) for one in trusted)


def signers(keys: Keys) -> list[x509.Certificate]:
    """The trusted CA that has signed the leaf."""
    return [one for one in keys.trusted if keys.leaf and _signed(keys.leaf, one)]


def due(keys: Keys, terms: Terms, now: datetime, *, settled: bool) -> Step:
    """The next step for sound keys; `settled` says that the successor is trusted by all."""
    if keys.leaf is None:
        return Step.LEAF if keys.signer else Step.SUCCEED if keys.successor else Step.BEGIN
    if keys.signer is None or keys.signer.not_after - now < terms.ca / LEFT:
        if keys.successor is None:
            return Step.ANNOUNCE
        if settled:
            return Step.SUCCEED
    if keys.signer and _renewable(keys.leaf, keys.signer, terms, now):
        return Step.LEAF
    return Step.NOTHING


def take(step: Step, keys: Keys, terms: Terms, now: datetime) -> Keys:
    """The keys after a step."""
    if step is Step.ANNOUNCE:
        coming = Authority.create(now, lifetime=terms.ca)
        trusted = _ordered([*keys.trusted, coming.own])
        return replace(keys, leaf=_trusting(keys.leaf, trusted), successor=coming, trusted=trusted)
    if step is Step.BEGIN:
        return _issued(Authority.create(now, lifetime=terms.ca), keys, terms, now)
    if step is Step.SUCCEED and keys.successor:
        return _issued(keys.successor, replace(keys, successor=None), terms, now)
    if step is Step.LEAF and keys.signer:
        return _issued(keys.signer, keys, terms, now)
    return keys


def until(keys: Keys, terms: Terms, now: datetime) -> timedelta:
    """How long nothing is due by the passing of time alone; a CA's lifetime at most."""
    moments = [one.not_valid_after_utc for one in keys.trusted]
    if keys.signer:
        moments.append(keys.signer.not_after - terms.ca / LEFT)
    if keys.leaf:
        moments.append(keys.leaf.not_after - terms.leaf / LEFT)
    return min((one - now for one in moments if one > now), default=terms.ca)


def _renewable(leaf: Bundle, signer: Authority, terms: Terms, now: datetime) -> bool:
    if not set(terms.names) <= set(leaf.names):
        return True
    gained = min(now + terms.leaf, signer.not_after) - leaf.not_after
    return leaf.not_after - now < terms.leaf / LEFT and gained >= terms.leaf / GAIN


def _issued(signer: Authority, keys: Keys, terms: Terms, now: datetime) -> Keys:
    """With a leaf by `signer`.

    Names that a valid one lacks are added to those it has: replicas that want different ones, as
    in a rolling change, would take them from each other for ever.
    """
    names = terms.names
    if keys.leaf and not set(names) <= set(keys.leaf.names):
        names = (*names, *keys.leaf.names)
    trusted = _ordered({*keys.trusted, signer.own})
    leaf = _trusting(signer.issue(names, now, terms.leaf), trusted)
    return replace(keys, leaf=leaf, signer=signer, trusted=trusted)


def _trusting(leaf: Bundle | None, trusted: Iterable[x509.Certificate]) -> Bundle | None:
    return leaf and Bundle(leaf.certificate, leaf.key, pem(trusted))


def _authority(
    data: Mapping[str, bytes], name: str, trusted: Iterable[x509.Certificate], faults: list[str]
) -> Authority | None:
    """The CA whose key is stored under `name`."""
    if not data.get(name):
        return None
    try:
        key = bundle.parse_key(data[name])
    except CertificateError as error:
        faults.append(f"{name}: {error}")
        return None
    own = next((one for one in trusted if bundle.matches(one, key)), None)
    if own is None:
        faults.append(f"{name}: the key fits no certificate of {TRUSTED}")
        return None
    return Authority(own.public_bytes(Encoding.PEM), data[name])


def _live(authority: Authority | None, now: datetime) -> Authority | None:
    return authority if authority and now < authority.not_after else None


def _certificates(text: bytes) -> list[x509.Certificate]:
    return bundle.parse_certificates(text, "the CA") if text.strip() else []


def _signed(leaf: Bundle, ca: x509.Certificate) -> bool:
    own = bundle.parse_certificates(leaf.certificate, "the certificate")[0]
    try:
        own.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _ordered(certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Oldest first, each once: the same text on every replica, whatever part each plays."""
    return tuple(
        sorted(
            set(certificates),
            key=lambda one: (one.not_valid_before_utc, one.public_bytes(Encoding.DER)),
        )
    )
