from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import Authority
from certs.bundle import Bundle, CertificateError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def _leaf(bundle: Bundle) -> x509.Certificate:
    return x509.load_pem_x509_certificate(bundle.certificate)


def _handshake(bundle: Bundle, trusted: bytes, host: str, folder: Path) -> str:
    """What a client that trusts `trusted` says of a server with `bundle`; empty is fine."""
    (folder / "chain.pem").write_bytes(bundle.certificate + bundle.key)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(folder / "chain.pem")
    client_side = ssl.create_default_context(cadata=trusted.decode())
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return getattr(error, "verify_message", "") or str(error)
    return ""


def test_a_strict_client_trusts_what_it_issues(tmp_path: Path) -> None:
    """A TLS client that follows RFC 5280 to the letter accepts each name that was asked for."""
    now = datetime.now(UTC)
    authority = Authority.create(now)
    bundle = authority.issue(["a.b.svc", "*.c.example", "127.0.0.1", "::1"], now, DAY)

    for host in ("a.b.svc", "x.c.example", "127.0.0.1", "::1"):
        assert _handshake(bundle, authority.certificate, host, tmp_path) == ""


def test_a_client_refuses_another_name(tmp_path: Path) -> None:
    """A name that was not asked for is not in the certificate."""
    now = datetime.now(UTC)
    authority = Authority.create(now)
    bundle = authority.issue(["a.b.svc"], now, DAY)

    text = "Hostname mismatch, certificate is not valid for 'c.svc'."
    assert text == _handshake(bundle, authority.certificate, "c.svc", tmp_path)


def test_two_authorities_of_one_name_can_overlap(tmp_path: Path) -> None:
    """Old and new CA in one bundle: a client finds the right one though both have one name."""
    now = datetime.now(UTC)
    old, new = Authority.create(now), Authority.create(now)
    both = old.certificate + new.certificate

    assert _handshake(old.issue(["a"], now, DAY), both, "a", tmp_path) == ""
    assert _handshake(new.issue(["a"], now, DAY), both, "a", tmp_path) == ""
    assert "" != _handshake(new.issue(["a"], now, DAY), old.certificate, "a", tmp_path)


def test_a_leaf_serves_and_does_nothing_else() -> None:
    """A leaf may sign handshakes of a server; it is no CA."""
    leaf = _leaf(Authority.create(NOW).issue(["a"], NOW, DAY))
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints)

    assert (True, True, False) == (
        usage.critical,
        usage.value.digital_signature,
        usage.value.key_cert_sign,
    )
    assert [ExtendedKeyUsageOID.SERVER_AUTH] == list(purposes.value)
    assert constraints.value.ca is False


def test_an_authority_signs_leaves_only() -> None:
    """The CA may sign certificates, but no further CA."""
    own = x509.load_pem_x509_certificate(Authority.create(NOW, name="mine").certificate)
    constraints = own.extensions.get_extension_for_class(x509.BasicConstraints)

    assert (True, True, 0) == (
        constraints.critical,
        constraints.value.ca,
        constraints.value.path_length,
    )
    assert own.subject.rfc4514_string() == "CN=mine"


def test_is_valid_a_little_before_its_time() -> None:
    """Certificates are backdated by five minutes, for clocks that lie apart."""
    bundle = Authority.create(NOW).issue(["a"], NOW, DAY)

    assert NOW - timedelta(minutes=5) == bundle.not_before
    assert NOW + DAY == bundle.not_after


def test_never_outlives_its_authority() -> None:
    """A lifetime longer than the CA's ends with the CA."""
    authority = Authority.create(NOW, lifetime=DAY)

    assert authority.issue(["a"], NOW, 10 * DAY).not_after == NOW + DAY


def test_every_serial_is_another() -> None:
    """Serial numbers do not repeat, under one CA or across CAs."""
    authority = Authority.create(NOW)
    serials = {_leaf(authority.issue(["a"], NOW, DAY)).serial_number for _ in range(20)}

    assert len(serials) == 20


def test_writes_each_name_once_in_lower_case() -> None:
    """Names that mean the same stand once."""
    bundle = Authority.create(NOW).issue(["A.example", "a.example", "::1", "0::1"], NOW, DAY)

    assert ("a.example", "::1") == bundle.names


def test_a_long_name_leaves_the_subject_empty() -> None:
    """What is too long for a common name stands in the alternative names alone, then critical."""
    long = ".".join(["x" * 30] * 4)
    leaf = _leaf(Authority.create(NOW).issue([long], NOW, DAY))

    assert leaf.subject.rfc4514_string() == ""
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical is True


@pytest.mark.parametrize(
    "name", ["", "https://a", "a:8443", "a b", "a..b", "-a", "ä.example", "a.*.b", "x" * 64]
)
def test_refuses_what_is_no_host(name: str) -> None:
    """What can stand in no certificate is refused, with the name and what to do."""
    with pytest.raises(CertificateError) as caught:
        Authority.create(NOW).issue(["a", name], NOW, DAY)

    text = f"{name!r} is no host name and no IP address; write it without scheme and port"
    assert text == str(caught.value)


def test_refuses_to_issue_for_nobody() -> None:
    """A certificate needs a name."""
    with pytest.raises(CertificateError, match="at least one name"):
        Authority.create(NOW).issue([], NOW, DAY)


@pytest.mark.parametrize(("later", "lifetime"), [(0 * DAY, 0 * DAY), (2 * DAY, DAY)])
def test_refuses_to_issue_what_is_expired(later: timedelta, lifetime: timedelta) -> None:
    """No lifetime, or a CA that has expired, gives no certificate."""
    authority = Authority.create(NOW, lifetime=DAY)

    with pytest.raises(CertificateError, match="would be expired at once"):
        authority.issue(["a"], NOW + later, lifetime)


def test_comes_back_from_its_texts(tmp_path: Path) -> None:
    """An authority made from stored PEM issues what the first one's clients trust."""
    now = datetime.now(UTC)
    first = Authority.create(now)
    again = Authority(first.certificate, first.key)

    assert again == first
    assert _handshake(again.issue(["a"], now, DAY), first.certificate, "a", tmp_path) == ""


def test_refuses_a_foreign_key() -> None:
    """A CA's certificate with another CA's key is refused."""
    with pytest.raises(CertificateError, match="the CA's key does not fit"):
        Authority(Authority.create(NOW).certificate, Authority.create(NOW).key)


def test_shows_no_key() -> None:
    """The text of an authority holds no key."""
    assert "PRIVATE" not in repr(Authority.create(NOW))
