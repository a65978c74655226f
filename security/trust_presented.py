"""How a message names its signer, and the certificates that we hold by such names."""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from security.names import name_of
from security.signature import Rejected
from security.signature_algorithms import strict_base64
from security.trust_path import fingerprint


@dataclass(frozen=True, slots=True)
class ByIssuerSerial:
    """A signer named by X509IssuerSerial: issuer as RFC 4514 text, serial number."""

    issuer: str
    serial: int


@dataclass(frozen=True, slots=True)
class ByKeyIdentifier:
    """A signer named by the value of its subject key identifier extension."""

    value: bytes


@dataclass(frozen=True, slots=True)
class ByThumbprint:
    """A signer named by the SHA-1 of its certificate: a name only, nothing is proven by it."""

    value: bytes


Presented = str | bytes | ByIssuerSerial | ByKeyIdentifier | ByThumbprint
"""What a message says about its signer: a certificate (in base64 or DER), or a name for one that we must already hold.
"""


class Held:
    """Certificates that we hold, by the names a message may use for them."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self.certificates = tuple(certificates)
        self.by_fingerprint = {fingerprint(certificate): certificate for certificate in self.certificates}

    def der_of(self, presented: Presented) -> bytes:
        """The certificate that is presented, or the held one that is named.

        Rejected("malformed") if it is not base64, Rejected("untrusted") if none or several have that name.
        """
        if isinstance(presented, bytes):
            return presented
        if isinstance(presented, str):
            return strict_base64(presented, "the signer's certificate")
        found = [certificate for certificate in self.certificates if is_named(certificate, presented)]
        if len(found) != 1:
            raise Rejected("untrusted", "the signer is named by an identifier that fits no pinned certificate")
        return found[0].public_bytes(Encoding.DER)


def is_named(certificate: x509.Certificate, presented: ByIssuerSerial | ByKeyIdentifier | ByThumbprint) -> bool:
    """Whether this name is one of the certificate's."""
    if isinstance(presented, ByThumbprint):
        return certificate.fingerprint(hashes.SHA1()) == presented.value  # noqa: S303 - a name, not a proof
    if isinstance(presented, ByKeyIdentifier):
        try:
            held = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except x509.ExtensionNotFound:
            return False
        return held.value.digest == presented.value
    if certificate.serial_number != presented.serial:
        return False
    try:
        issuer = name_of(presented.issuer)
    except ValueError:
        return False
    return plain_name(issuer) == plain_name(certificate.issuer)


def plain_name(name: x509.Name) -> frozenset[tuple[str, str | bytes]]:
    """A name without the ASN.1 string types and the order, in which stacks differ when they write it as text."""
    return frozenset((attribute.oid.dotted_string, attribute.value) for attribute in name)
