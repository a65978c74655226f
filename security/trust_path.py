"""Paths of certificates: who may sign messages, and which authority issued whom (RFC 5280, as far as we go).

Stricter than the standard where it leaves room: authorities need key usage, name constraints in an authority end every
path through it, and links signed with anything but SHA-2 are none.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from security.signature import Rejected
from security.signature_algorithms import weakness

MAX_PATH = 6
"""Certificates from the signer's to the anchor's, both counted."""
_MAX_STEPS = 500
"""Links tried for one certificate: authorities that vouch for each other crosswise make many paths."""

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
_FOR_MESSAGES = frozenset(
    {
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # document signing, RFC 9336
        ObjectIdentifier("1.3.6.1.4.1.311.10.3.12"),  # the same of Microsoft, older
    }
)
SHA2 = (hashes.SHA256, hashes.SHA384, hashes.SHA512)

Path = tuple[x509.Certificate, ...]
"""A certificate, its issuer and so on, to an anchor."""


def fingerprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the DER form."""
    return certificate.fingerprint(hashes.SHA256())


def key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    """What keyUsage says; None where it is not there, which admits every use (RFC 5280 section 4.2.1.3)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None


NOT_FOR_SIGNING: Final = "the certificate is not made for signing: digitalSignature is not among its keyUsage"


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether its key may sign anything but certificates and lists."""
    usage = key_usage(certificate)
    return usage is None or usage.digital_signature


def check_leaf(certificate: x509.Certificate) -> None:
    """Whether this certificate may sign messages: no authority, not made for something else, all that is critical read.

    keyUsage and extended key usage bind where they are there, critical or not (RFC 5280 sections 4.2.1.3, 4.2.1.12).
    """
    _check_extensions(certificate, "signer's certificate")
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise Rejected("untrusted", "the signer's certificate is that of an authority")
    except x509.ExtensionNotFound:
        pass
    # Authorities of small offices often leave it out.
    usage = key_usage(certificate)
    if usage is not None and (not usage.digital_signature or usage.key_cert_sign):
        raise Rejected("untrusted", "the signer's certificate is not made for signing messages")
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if _FOR_MESSAGES.isdisjoint(purposes):
        raise Rejected("untrusted", "the signer's certificate is made for another purpose (extended key usage)")


def issued(authority: x509.Certificate, subject: x509.Certificate) -> bool:
    """Whether `authority` is named as the issuer of `subject` and signed it, with SHA-2."""
    if authority.subject != subject.issuer:
        return False
    try:
        if not isinstance(subject.signature_hash_algorithm, SHA2):
            return False
        subject.verify_directly_issued_by(authority)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


@dataclass(frozen=True, slots=True, eq=False)
class _Authority:
    """`length`: authorities that may stand below it (None: any number); `self_issued` ones are not counted."""

    certificate: x509.Certificate
    anchor: bool
    length: int | None
    self_issued: bool


class Authorities:
    """The authorities that we hold and which of them issued which; those that may not issue are left out."""

    def __init__(self, anchors: Sequence[x509.Certificate], intermediates: Iterable[x509.Certificate] = ()) -> None:
        marks = frozenset(map(fingerprint, anchors))
        held = {fingerprint(certificate): certificate for certificate in (*anchors, *intermediates)}
        self._all = tuple(one for mark, certificate in held.items() if (one := _authority(certificate, mark in marks)))
        self.certificates = tuple(one.certificate for one in self._all)
        self._issuers = {id(one): self._above(one) for one in self._all if not one.anchor}

    def paths(self, leaf: x509.Certificate) -> Iterator[Path]:
        """Every path from the certificate to an anchor, as far as names, signatures and path lengths go."""
        steps = 0
        unfinished: list[tuple[_Authority, ...]] = [()]
        while unfinished:
            below = unfinished.pop()
            known = self._issuers.get(id(below[-1]), ()) if below else self._all
            between = sum(not one.self_issued for one in below)
            for authority in known:
                steps += 1
                if steps > _MAX_STEPS:
                    return
                if authority in below or (authority.length is not None and between > authority.length):
                    continue
                if not below and not issued(authority.certificate, leaf):
                    continue
                path = (*below, authority)
                if authority.anchor:
                    yield (leaf, *(one.certificate for one in path))
                elif len(path) < MAX_PATH - 1:
                    unfinished.append(path)

    def _above(self, one: _Authority) -> tuple[_Authority, ...]:
        return tuple(each for each in self._all if each is not one and issued(each.certificate, one.certificate))

    def lead_from(self, leaf: x509.Certificate) -> bool:
        """Whether any path leads from this certificate to an anchor."""
        return next(self.paths(leaf), None) is not None


def _authority(certificate: x509.Certificate, anchor: bool) -> _Authority | None:
    try:
        if weakness(certificate.public_key()) is not None:
            return None
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = key_usage(certificate)
        _check_extensions(certificate, "authority's certificate")
        # Critical or not: to pass over what an authority may vouch for would be to believe too much.
        if any(extension.oid == ExtensionOID.NAME_CONSTRAINTS for extension in extensions):
            return None
    except (x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm, ValueError, TypeError, Rejected):
        return None
    if not constraints.ca or (usage is not None and not usage.key_cert_sign):
        return None
    return _Authority(certificate, anchor, constraints.path_length, certificate.subject == certificate.issuer)


def _check_extensions(certificate: x509.Certificate, whose: str) -> None:
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise Rejected("untrusted", f"the {whose} has a critical extension that is not understood")
