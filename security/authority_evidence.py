"""Whether an authority's index still knows what the authority did: its papers and its list are witnesses of that.

An authority without its index would issue an empty list under a lower number, and everybody it revoked would be good
again (RFC 5280, 5.2.3: numbers of lists only grow).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509

from security.authority import Authority
from security.authority_index import IndexDamaged


def check_index(authority: Authority, published: Path, papers: Iterable[Path]) -> None:
    """Refuse an index that is missing, empty or older than the list at `published` or the certificates at `papers`.

    Raises IndexDamaged, OSError. What is no list or no certificate, or another authority's, witnesses nothing.
    """
    # The witnesses first: whoever writes them meanwhile wrote the index before.
    crl = _list_of(authority, published)
    known = [serial for path in papers if (serial := _issued_by(authority, path)) is not None]
    index = authority.index
    if not index.number:
        raise _damaged(authority, "is missing or empty")
    number = 0 if crl is None else crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    if index.number < number or any(entry.serial_number not in index.revoked for entry in crl or ()):
        raise _damaged(authority, f"is older than the published list {published}")
    if not index.issued.keys() >= set(known):
        raise _damaged(authority, "does not know every certificate that was issued")


def _damaged(authority: Authority, how: str) -> IndexDamaged:
    return IndexDamaged(
        f"{authority.index.path}: the index {how}: put back the newest copy of it. Nothing was changed: a list made"
        " without it would un-revoke certificates. Where there is no copy, make a new authority with `lgsp pki init`,"
        " and have this one's root taken out of every configuration"
    )


def _list_of(authority: Authority, path: Path) -> x509.CertificateRevocationList | None:
    try:
        crl = x509.load_der_x509_crl(path.read_bytes())
        ours = crl.issuer == authority.certificate.subject
        return crl if ours and crl.extensions.get_extension_for_class(x509.CRLNumber) else None
    except (FileNotFoundError, ValueError, x509.InvalidVersion, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None


def _issued_by(authority: Authority, path: Path) -> int | None:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        return certificate.serial_number if certificate.issuer == authority.certificate.subject else None
    except (ValueError, x509.InvalidVersion):
        return None
