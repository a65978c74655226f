"""Paths of certificates: who may sign messages, and which authority issued whom (RFC 5280, as far as we go)."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from security.signature import Rejected
from security.signature_algorithms import weakness

MAX_PATH = 6
"""Certificates from the signer's to the anchor's, both counted."""

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
_SHA2 = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the DER form."""
    return certificate.fingerprint(hashes.SHA256())


def path_to_anchor(
    leaf: x509.Certificate, authorities: Sequence[x509.Certificate], anchors: frozenset[bytes]
) -> tuple[x509.Certificate, ...]:
    """The authorities from the leaf's issuer to an anchor, given by fingerprint; Rejected("untrusted") if none."""
    unfinished: list[tuple[x509.Certificate, ...]] = [(leaf,)]
    while unfinished:
        path = unfinished.pop()
        for authority in authorities:
            if authority in path or not _issued(authority, path[-1], below=len(path) - 1):
                continue
            if fingerprint(authority) in anchors:
                return (*path[1:], authority)
            if len(path) < MAX_PATH - 1:
                unfinished.append((*path, authority))
    raise Rejected("untrusted", "no path leads from the signer's certificate to an anchor")


def check_leaf(certificate: x509.Certificate) -> None:
    """Whether this certificate may sign messages: no authority, digitalSignature, nothing critical left unread."""
    _check_extensions(certificate, "signer's certificate")
    try:
        if certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise Rejected("untrusted", "the signer's certificate is that of an authority")
    except x509.ExtensionNotFound:
        pass
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        raise Rejected("untrusted", "the signer's certificate does not say that it may sign") from None
    if not usage.digital_signature or usage.key_cert_sign:
        raise Rejected("untrusted", "the signer's certificate is not made for signing messages")


def _check_extensions(certificate: x509.Certificate, whose: str) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Rejected("untrusted", f"the {whose} has a critical extension that is not understood")


def _issued(authority: x509.Certificate, subject: x509.Certificate, below: int) -> bool:
    """Whether `authority` may issue and did issue `subject`, with `below` authorities between it and the leaf."""
    if authority.subject != subject.issuer or weakness(authority.public_key()) is not None:
        return False
    try:
        if not isinstance(subject.signature_hash_algorithm, _SHA2):
            return False
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = authority.extensions.get_extension_for_class(x509.KeyUsage).value
        _check_extensions(authority, "authority's certificate")
        subject.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, Rejected):
        return False
    long_enough = constraints.path_length is None or below <= constraints.path_length
    return constraints.ca and usage.key_cert_sign and long_enough
