"""A certificate with its key and its authority, as one value that is known to fit together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PrivateKey: TypeAlias = (
    ec.EllipticCurvePrivateKey
    | rsa.RSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)


class CertificateError(Exception):
    """A certificate, key or folder of them that cannot be used; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a TLS server needs: PEM of the certificate chain (leaf first), of its key, of the CA.

    `ca` may be empty. Two bundles are equal when all three texts are. Whether it is expired is no
    error here, because serving an old certificate beats serving none: see `complaints`.
    Raises CertificateError when a text cannot be read or key and certificate do not fit.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    ca: bytes = b""
    names: tuple[str, ...] = field(init=False, compare=False)
    not_before: datetime = field(init=False, compare=False)
    not_after: datetime = field(init=False, compare=False)
    issuer: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        chain = parse_certificates(self.certificate, "the certificate")
        _demand_fit(chain, parse_key(self.key))
        if self.ca.strip():
            parse_certificates(self.ca, "the CA")
        derived = {
            "names": _names(chain[0]),
            "not_before": chain[0].not_valid_before_utc,
            "not_after": chain[0].not_valid_after_utc,
            "issuer": chain[0].issuer.rfc4514_string(),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def complaints(self, now: datetime) -> tuple[str, ...]:
        """What a client will refuse about this bundle at `now`, one clause each; empty is good."""
        found = []
        if now > self.not_after:
            found.append(f"the certificate expired on {_minute(self.not_after)}")
        if now < self.not_before:
            found.append(f"the certificate is not valid before {_minute(self.not_before)}")
        if not self.names:
            # The API server ignores the common name (apiserver_webhooks_x509_missing_san_total).
            found.append("the certificate has no subject alternative name, so it fits no host")
        return tuple(found)


def matches(certificate: x509.Certificate, key: PrivateKey) -> bool:
    """Whether `key` is the private half of the key in `certificate`."""
    return bool(certificate.public_key() == key.public_key())


def parse_certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    """All certificates of a PEM text, in its order; `what` names it in a CertificateError."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        text = f"{what} cannot be read; write it as PEM, from -----BEGIN CERTIFICATE----- on"
        raise CertificateError(text) from error


def parse_key(pem: bytes) -> PrivateKey:
    """The private key of a PEM text; raises CertificateError, never with any part of the key."""
    try:
        key = load_pem_private_key(pem, None)
    except TypeError as error:
        text = "the key is encrypted; write it without a passphrase (openssl pkey -in … -out …)"
        raise CertificateError(text) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        text = "the key cannot be read; write it as PEM, from -----BEGIN PRIVATE KEY----- on"
        raise CertificateError(text) from error
    if not isinstance(key, PrivateKey):
        text = f"a key of type {type(key).__name__} serves no TLS; use ECDSA, RSA or Ed25519"
        raise CertificateError(text)
    return key


def _demand_fit(chain: list[x509.Certificate], key: PrivateKey) -> None:
    if matches(chain[0], key):
        return
    for place, certificate in enumerate(chain[1:], start=2):
        if matches(certificate, key):
            text = f"the key fits certificate {place} of {len(chain)}; put that one first"
            raise CertificateError(text)
    text = "the key does not fit the certificate; write the two that were made together"
    raise CertificateError(text)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    except (ValueError, x509.DuplicateExtension) as error:
        text = "the certificate's extensions cannot be read; have it issued again"
        raise CertificateError(text) from error
    addresses = (str(address) for address in found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *addresses)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
