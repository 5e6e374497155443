from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from certs.authority import Authority
from certs.bundle import Bundle, CertificateError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CA = Authority.create(NOW, lifetime=timedelta(days=30))


def _bundle(*names: str) -> Bundle:
    return CA.issue(names or ("a.example",), NOW, timedelta(days=3))


def _refused(certificate: bytes, key: bytes, ca: bytes = b"") -> str:
    with pytest.raises(CertificateError) as caught:
        Bundle(certificate, key, ca)
    return str(caught.value)


def test_tells_names_and_validity() -> None:
    """A bundle says for whom and how long its certificate is, in the certificate's own order."""
    bundle = _bundle("b.example", "127.0.0.1", "a.example", "::1")

    assert ("b.example", "a.example", "127.0.0.1", "::1") == bundle.names
    assert NOW + timedelta(days=3) == bundle.not_after
    assert NOW - timedelta(minutes=5) == bundle.not_before
    assert bundle.issuer == "CN=initject"


def test_equal_by_content() -> None:
    """Two bundles are equal when certificate, key and CA are the same bytes."""
    bundle = _bundle()

    assert Bundle(bundle.certificate, bundle.key, bundle.ca) == bundle
    assert Bundle(bundle.certificate, bundle.key) != bundle
    assert _bundle() != bundle


def test_shows_no_key() -> None:
    """The text of a bundle, as a traceback may show it, holds no part of the key."""
    bundle = _bundle()

    assert bundle.key.decode() not in repr(bundle)
    assert "PRIVATE" not in repr(bundle)


def test_refuses_a_foreign_key() -> None:
    """A key of another pair is refused, with advice."""
    one, other = _bundle(), _bundle()

    text = "the key does not fit the certificate; write the two that were made together"
    assert text == _refused(one.certificate, other.key)


def test_refuses_a_chain_in_the_wrong_order() -> None:
    """When the key fits a later certificate of the chain, the refusal says which to put first."""
    bundle = _bundle()

    text = "the key fits certificate 2 of 2; put that one first"
    assert text == _refused(CA.certificate + bundle.certificate, bundle.key)


def test_takes_a_chain_with_the_leaf_first() -> None:
    """Intermediate certificates may follow the leaf."""
    authority = trustme.CA().create_child_ca()
    leaf = authority.issue_cert("a.example")
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)

    bundle = Bundle(chain, leaf.private_key_pem.bytes(), authority.cert_pem.bytes())

    assert bundle.names == ("a.example",)


@pytest.mark.parametrize("certificate", [b"", b"\x30\x82", b"-----BEGIN CERTIFICATE-----\nxx\n"])
def test_refuses_what_is_no_certificate(certificate: bytes) -> None:
    """What is no PEM certificate is refused, saying how it has to look."""
    text = "the certificate cannot be read; write it as PEM, from -----BEGIN CERTIFICATE----- on"
    assert text == _refused(certificate, _bundle().key)


def test_refuses_what_is_no_ca() -> None:
    """A CA file that holds no certificate is refused; an empty one says nothing."""
    bundle = _bundle()

    assert _refused(bundle.certificate, bundle.key, b"none").startswith("the CA cannot be read; ")
    assert Bundle(bundle.certificate, bundle.key, b"\n").ca == b"\n"


def test_refuses_what_is_no_key() -> None:
    """What is no PEM key is refused, without quoting it."""
    text = "the key cannot be read; write it as PEM, from -----BEGIN PRIVATE KEY----- on"
    assert text == _refused(_bundle().certificate, b"secret")


def test_refuses_an_encrypted_key() -> None:
    """A key under a passphrase is refused, saying how to take it off."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = BestAvailableEncryption(b"passphrase")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, form)

    text = "the key is encrypted; write it without a passphrase (openssl pkey -in … -out …)"
    assert text == _refused(_bundle().certificate, pem)


def test_refuses_a_key_that_serves_no_tls() -> None:
    """A DSA key is refused: no TLS client takes it."""
    key = dsa.generate_private_key(2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    text = "a key of type DSAPrivateKey serves no TLS; use ECDSA, RSA or Ed25519"
    assert text == _refused(_bundle().certificate, pem)


def test_expired_is_visible_and_no_error() -> None:
    """An expired certificate makes a bundle still, whose complaints say so."""
    bundle = _bundle()

    assert bundle.complaints(NOW) == ()
    assert bundle.complaints(NOW + timedelta(days=4)) == (
        "the certificate expired on 2026-11-27 12:00 UTC",
    )


def test_not_yet_valid_is_visible_and_no_error() -> None:
    """So is one whose time has not come."""
    assert _bundle().complaints(NOW - timedelta(days=1)) == (
        "the certificate is not valid before 2026-11-24 11:55 UTC",
    )


def test_complains_about_a_missing_name() -> None:
    """A certificate with a common name alone fits no host, and its complaints say so."""
    authority = Bundle(CA.certificate, CA.key)

    assert authority.names == ()
    assert authority.complaints(NOW) == (
        "the certificate has no subject alternative name, so it fits no host",
    )


def test_reads_an_rsa_pair() -> None:
    """A pair of another maker with an RSA key is as good."""
    leaf = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert(
        "a.example", key_type=trustme.KeyType.RSA
    )
    bundle = Bundle(leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes())

    assert x509.load_pem_x509_certificate(bundle.certificate).not_valid_after_utc == (
        bundle.not_after
    )
