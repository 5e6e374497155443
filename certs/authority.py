"""A certificate authority of our own: makes itself, and issues server certificates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import bundle
from certs.bundle import Bundle, CertificateError, PrivateKey

BACKDATED = timedelta(minutes=5)  # a guess: how far the clocks of a cluster may lie apart
DEFAULT_NAME = "initject"
# RFC 1123 labels; `_` because real hosts have it; a wildcard stands for the whole first label.
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_MAX_COMMON_NAME = 64  # ub-common-name of X.520; RFC 5280 appendix A
_Name: TypeAlias = x509.DNSName | x509.IPAddress


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA's certificate and key, as PEM. Raises CertificateError when they do not fit."""

    certificate: bytes
    key: bytes = field(repr=False)
    _own: x509.Certificate = field(init=False, repr=False, compare=False)
    _signer: PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        own = bundle.parse_certificates(self.certificate, "the CA")[0]
        signer = bundle.parse_key(self.key)
        if not bundle.matches(own, signer):
            text = "the CA's key does not fit its certificate; write the two made together"
            raise CertificateError(text)
        object.__setattr__(self, "_own", own)
        object.__setattr__(self, "_signer", signer)

    @property
    def own(self) -> x509.Certificate:
        """Its certificate."""
        return self._own

    @property
    def not_after(self) -> datetime:
        """When it expires, and with it all that it has signed."""
        return self._own.not_valid_after_utc

    @classmethod
    def create(
        cls, now: datetime, *, name: str = DEFAULT_NAME, lifetime: timedelta = timedelta(days=3650)
    ) -> Authority:
        """A new CA, valid from shortly before `now` for `lifetime`; ten years as cert-controller.

        It may sign leaves only (`pathlen:0`). The key is ECDSA P-256: small, and in every client.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        built = (
            _builder(subject, subject, key.public_key(), now, now + lifetime)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(built.public_bytes(Encoding.PEM), _pem(key))

    def issue(self, names: Iterable[str], now: datetime, lifetime: timedelta) -> Bundle:
        """A server certificate for DNS names and IP addresses, never outliving this CA.

        Raises CertificateError for a name that can stand in no certificate, a lifetime that is not
        positive, or a CA that has expired.
        """
        wanted = _general_names(names)
        until = min(now + lifetime, self._own.not_valid_after_utc)
        if until <= now:
            text = "the certificate would be expired at once; check lifetime, clock and CA"
            raise CertificateError(text)
        key = ec.generate_private_key(ec.SECP256R1())
        common = str(wanted[0].value)
        subject = _subject(common if len(common) <= _MAX_COMMON_NAME else "")
        built = (
            _builder(subject, self._own.subject, key.public_key(), now, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            # RFC 5280 4.2.1.6: critical when the subject says nothing.
            .add_extension(x509.SubjectAlternativeName(wanted), critical=not list(subject))
            .add_extension(self._identifier(), critical=False)
            .sign(self._signer, _hash(self._signer))
        )
        return Bundle(built.public_bytes(Encoding.PEM), _pem(key), self.certificate)

    def _identifier(self) -> x509.AuthorityKeyIdentifier:
        """Which of several CAs of one name signed: what lets an old and a new one overlap."""
        try:
            own = self._own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._signer.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """A CA signs certificates; a leaf signs handshakes (ECDSA never encrypts a key)."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])


def _general_names(names: Iterable[str]) -> list[_Name]:
    wanted = list(dict.fromkeys(_general_name(name) for name in names))
    if not wanted:
        text = "a certificate needs at least one name; give the host that it serves"
        raise CertificateError(text)
    return wanted


def _general_name(name: str) -> _Name:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        lower = name.lower()
    if len(lower) > 253 or not _DNS_NAME.fullmatch(lower):
        text = f"{name!r} is no host name and no IP address; write it without scheme and port"
        raise CertificateError(text)
    return x509.DNSName(lower)


def _hash(signer: PrivateKey) -> hashes.SHA256 | None:
    """Edwards curves bring their own digest."""
    edwards = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return None if edwards else hashes.SHA256()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
