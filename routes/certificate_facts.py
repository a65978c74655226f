"""What a certificate says about itself, in words that may be shown: names, authority, purposes, issuer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from config.logging import masked
from security.pki_facts import E, extension, text_of

_LONGEST = 80
_MOST_NAMES = 5


def shown(name: x509.Name) -> str:
    """Return common name and organisation, quoted, without anything that looks like the number of a person.

    Vietnamese certificates of persons carry the number of an identity card in their subject (UID), so the rest of a
    name is never shown.
    """
    parts = [part for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME) if (part := text_of(name, oid))]
    return f'"{printable(", ".join(parts) or "no name")}"'


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return a foreign text masked, without control characters and not longer than `longest` characters."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in masked(text))
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def host_names(certificate: x509.Certificate) -> str:
    """Return the hosts that a TLS certificate is made for, at most five of them."""
    names = _said(certificate, x509.SubjectAlternativeName) or ()
    hosts = [printable(str(name.value)) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    more = f" and {len(hosts) - _MOST_NAMES} more" if len(hosts) > _MOST_NAMES else ""
    return ", ".join(hosts[:_MOST_NAMES]) + more or "no host at all"


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether it is a CA's."""
    constraints = _said(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def may_sign(certificate: x509.Certificate) -> bool:
    """Tell whether it says that its key makes digital signatures (keyUsage digitalSignature, RFC 5280 4.2.1.3)."""
    usage = _said(certificate, x509.KeyUsage)
    return usage is not None and usage.digital_signature


def purposes(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier] | None:
    """Return the purposes that it is limited to (extendedKeyUsage), None where it names none: then any."""
    named = frozenset(_said(certificate, x509.ExtendedKeyUsage) or ())
    return None if not named or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in named else named


def says_where_its_issuer_is(certificate: x509.Certificate) -> bool:
    """Tell whether it has an address of its issuer's certificate (caIssuers): as good as only intermediates do."""
    access = _said(certificate, x509.AuthorityInformationAccess) or ()
    return any(entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS for entry in access)


def _said(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """Return an extension; None where there is none, or where what others made of it cannot be read."""
    try:
        return extension(certificate, kind)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return None


def self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether it is its own issuer."""
    return issued(certificate, certificate)


def issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Tell whether the key of `authority` signed `certificate`, whatever else is wrong with either."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def issuer_of(certificate: x509.Certificate, among: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return the certificate among the given ones that issued this one."""
    return next((one for one in among if issued(one, certificate)), None)


def read(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, none where it cannot be read: `lgsp check` says so."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError, x509.InvalidVersion):
        return []
