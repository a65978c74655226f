"""Whose signature counts for a tool that only judges: anchors and, where it is known, the one expected certificate."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from security.signature import Rejected
from security.signature_algorithms import weakness
from security.signature_files import FileUnusable, read_regular
from security.trust import AnchoredTrust, PinnedTrust, Signer, Trust, certificates_in
from security.trust_path import issued, may_sign
from security.trust_presented import Presented
from security.trust_revocation import RevocationLists, parse_lists

_MAX_CERTIFICATES = 1024 * 1024
_MAX_LIST = 64 * 1024 * 1024


def trust_of(anchors: Sequence[Path], signer: Path | None, lists: Sequence[Path] = ()) -> Trust:
    """What the PEM files of a command line say about trust; FileUnusable names the file to mend.

    Of the certificates in `anchors`, one that another of them issued is an intermediate and the others are anchors; one
    that is no authority's is believed itself. With `signer`, nobody but this certificate may sign, and it must stand in
    `anchors` itself or be vouched for by them.
    """
    held = [certificate for path in anchors for certificate in _certificates(path)]
    expected = [] if signer is None else _certificates(signer)
    if len(expected) > 1:
        raise FileUnusable(f"{signer} holds {len(expected)} certificates: give the one that is expected to sign")
    authorities = [certificate for certificate in held if _is_authority(certificate)]
    revocation = _lists(lists, authorities) if lists else None
    anchored = AnchoredTrust(
        _top(held), subject=None, intermediates=authorities, pinned=expected, revocation=revocation
    )
    themselves = [one for one in held if (one in expected if expected else one not in authorities)]
    strong = [one for one in themselves if weakness(one.public_key()) is None and may_sign(one)]
    return _Either(PinnedTrust(strong, revocation), anchored) if strong else anchored


class _Either:
    """Believes whom one of the two believes; what the first knows and refuses is refused."""

    def __init__(self, first: Trust, second: Trust) -> None:
        self._first = first
        self._second = second

    def accept(self, presented: Presented, at: datetime) -> Signer:
        try:
            return self._first.accept(presented, at)
        except Rejected as rejected:
            if rejected.reason != "untrusted":
                raise
        return self._second.accept(presented, at)


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        found = certificates_in(read_regular(path, _MAX_CERTIFICATES))
        for certificate in found:
            # Both are read only when they are asked for: what is broken in them shows here and not in a verdict.
            certificate.public_key()
            list(certificate.extensions)
    except FileUnusable as unusable:
        raise FileUnusable(f"{path} {unusable}") from None
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension) as error:
        raise FileUnusable(f"{path} holds no certificates in PEM form that can be read: {error}") from None
    return found


def _lists(paths: Sequence[Path], issuers: Sequence[x509.Certificate]) -> RevocationLists:
    held = RevocationLists((), issuers)
    for path in paths:
        try:
            for crl in parse_lists(read_regular(path, _MAX_LIST)):
                held.take(crl)
        except FileUnusable as unusable:
            raise FileUnusable(f"{path} {unusable}") from None
        except ValueError as error:
            raise FileUnusable(f"{path} cannot be used: {error}") from None
    return held


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _top(held: Sequence[x509.Certificate]) -> Sequence[x509.Certificate]:
    """The certificates that issued themselves or that nobody here issued; all where there is none of those."""
    return [one for one in held if issued(one, one) or not any(issued(other, one) for other in held)] or held
