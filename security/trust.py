"""Whose signature counts: from a presented certificate, or a name for one, to the signer that may be believed.

The certificate inside a message proves nothing by itself. It is accepted because it is pinned, or because a path of
CA certificates that we hold leads to one of our anchors and it is the signer expected here (RFC 5280, as far as this
profile goes). Intermediate certificates are never taken from a message.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Literal, Protocol, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from security.signature import Assurance, Rejected
from security.signature_algorithms import PublicKey, weakness
from security.trust_domain import TrustDomain
from security.trust_materials import COLLECTED
from security.trust_path import Authorities, check_leaf, may_sign
from security.trust_path import Path as CertificatePath
from security.trust_presented import ByIssuerSerial as ByIssuerSerial
from security.trust_presented import ByKeyIdentifier as ByKeyIdentifier
from security.trust_presented import ByThumbprint as ByThumbprint
from security.trust_presented import Held
from security.trust_presented import Presented as Presented
from security.trust_revocation import Revocation
from security.trust_signer import ExpectedSigner
from security.trust_status import Unsettled
from security.trust_verdicts import Signer as Signer
from security.trust_verdicts import Verdicts


class Trust(Protocol):
    """Decides who may sign at one endpoint or for one client."""

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The signer, or Rejected with untrusted, expired or revoked; `at` is UTC."""


def load_certificates(path: Path) -> list[x509.Certificate]:
    """All certificates of a PEM file; ValueError if there is none, or if one is cut short."""
    if path.exists() and not path.is_file():
        # A device would be read for ever.
        raise ValueError("it is no regular file")
    return certificates_in(path.read_bytes())


def certificates_in(pem: bytes) -> list[x509.Certificate]:
    """All certificates of a PEM text; ValueError if there is none, or if one is cut short.

    The library passes over what it cannot read between others: who is missing then shows much later, as a refusal.
    """
    found = x509.load_pem_x509_certificates(pem)
    begun = pem.count(b"-----BEGIN CERTIFICATE-----")
    if len(found) != begun:
        raise ValueError(f"of {begun} certificates only {len(found)} can be read")
    return found


def key_of(certificate: x509.Certificate) -> PublicKey:
    """The public key, if strong enough to sign here; Rejected("untrusted") if not."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Rejected("untrusted", "the certificate holds a key that cannot be read") from None
    reason = weakness(key)
    if reason is not None:
        raise Rejected("untrusted", f"the certificate holds {reason}")
    return key  # type: ignore[return-value]  # weakness() admits these two types only


def _within(certificate: x509.Certificate, at: datetime, whose: str) -> None:
    if at < certificate.not_valid_before_utc:
        raise Rejected("expired", f"the certificate of the {whose} is not valid yet")
    if at > certificate.not_valid_after_utc:
        raise Rejected("expired", f"the certificate of the {whose} has expired")


class PinnedTrust:
    """Exactly these certificates may sign, each while it is valid and not revoked.

    Several make an overlap of old and new. ValueError if one holds a weak key or may not sign.
    """

    def __init__(self, certificates: Sequence[x509.Certificate], revocation: Revocation | None = None) -> None:
        if not certificates:
            raise ValueError("at least one pinned certificate is needed")
        for certificate in certificates:
            pinned = f"the pinned certificate {certificate.subject.rfc4514_string()}"
            reason = weakness(certificate.public_key())
            if reason is not None:
                raise ValueError(f"{pinned} holds {reason}")
            if not may_sign(certificate):
                raise ValueError(f"{pinned} is not made for signing (keyUsage)")
        self._held = Held(certificates)
        self._revocation = revocation
        self._verdicts = Verdicts()

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The pinned signer; Rejected with untrusted (another certificate), expired or revoked."""
        return self._verdicts.get(presented, at) or self._accept(self._held.der_of(presented), at)

    def _accept(self, der: bytes, at: datetime) -> Signer:
        known = self._verdicts.get(der, at)
        if known is not None:
            return known
        epoch = self._verdicts.epoch
        mark = hashlib.sha256(der).digest()
        certificate = self._held.by_fingerprint.get(mark)
        if certificate is None:
            raise Rejected("untrusted", "the signer's certificate is not a pinned one")
        _within(certificate, at, "signer")
        not_after, assurance = certificate.not_valid_after_utc, Assurance()
        if self._revocation is not None:
            standing = self._revocation.standing(certificate, None, at)
            not_after, assurance = min(not_after, standing.until), Assurance(None, standing.certainty)
        not_before = certificate.not_valid_before_utc
        signer = Signer.of(certificate, mark, key_of(certificate), not_before, not_after, assurance)
        COLLECTED.path([certificate])
        self._verdicts.put(der, signer, epoch)
        return signer


class AnchoredTrust:
    """Certificates that our anchors vouch for may sign, if they are those of the expected signer.

    `subject`: the expected subject name (None: any signer of the anchors, for tools that only judge, or `expected` says
    more). `pinned`: if given, the certificate must be one of these as well, and names for a certificate are looked up
    among them. `domain`: name of the trust domain of the anchors; `elsewhere`: the other ones, to tell who strayed.
    """

    def __init__(
        self,
        anchors: Sequence[x509.Certificate],
        *,
        subject: x509.Name | None,
        intermediates: Sequence[x509.Certificate] = (),
        pinned: Sequence[x509.Certificate] = (),
        revocation: Revocation | None = None,
        expected: ExpectedSigner | None = None,
        domain: str | None = None,
        elsewhere: Sequence[TrustDomain] = (),
    ) -> None:
        if not anchors:
            raise ValueError("at least one anchor is needed")
        self._authorities = Authorities(anchors, intermediates)
        self._expected = expected or ExpectedSigner(() if subject is None else (subject,))
        self._pinned = Held(pinned)
        self._revocation = revocation
        self._domain = domain
        self._elsewhere = tuple(elsewhere)
        self._verdicts = Verdicts()

    @classmethod
    def within(
        cls,
        domain: TrustDomain,
        expected: ExpectedSigner,
        *,
        pinned: Sequence[x509.Certificate] = (),
        elsewhere: Sequence[TrustDomain] = (),
    ) -> Self:
        """Trust in the expected signer within one domain; what is learnt about revocation there counts at once."""
        trust = cls(
            domain.anchors,
            subject=None,
            intermediates=domain.authorities.certificates,
            pinned=pinned,
            revocation=domain.register,
            expected=expected,
            domain=domain.name,
            elsewhere=elsewhere,
        )
        if domain.register is not None:
            domain.register.on_change.append(trust.forget)
        return trust

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The expected signer; Rejected with untrusted (path, domain, subject, usage, key), expired or revoked.

        Unsettled, a kind of untrusted, where it could be asked whether the certificate was revoked.
        """
        return self._verdicts.get(presented, at) or self._accept(self._pinned.der_of(presented), at)

    def forget(self) -> None:
        """Judge every certificate anew."""
        self._verdicts.forget()

    def _accept(self, der: bytes, at: datetime) -> Signer:
        known = self._verdicts.get(der, at)
        if known is not None:
            return known
        epoch = self._verdicts.epoch
        try:
            certificate = x509.load_der_x509_certificate(der)
        except (ValueError, x509.InvalidVersion):
            raise Rejected("untrusted", "the signer's certificate cannot be read") from None
        signer = self._judge(certificate, hashlib.sha256(der).digest(), at)
        self._verdicts.put(der, signer, epoch)
        return signer

    def _judge(self, certificate: x509.Certificate, mark: bytes, at: datetime) -> Signer:
        if self._pinned.certificates and mark not in self._pinned.by_fingerprint:
            raise Rejected("untrusted", "the signer's certificate is not the expected one")
        try:
            key = key_of(certificate)
            check_leaf(certificate)
            paths = list(self._authorities.paths(certificate))
            if not paths:
                raise self._astray(certificate)
            self._expected.check(certificate, key)
            _within(certificate, at, "signer")
            return self._best(paths, mark, key, at)
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
            # Extensions are parsed lazily: whatever is broken inside shows here.
            raise Rejected("untrusted", "the signer's certificate is malformed") from None

    def _astray(self, certificate: x509.Certificate) -> Rejected:
        for other in self._elsewhere:
            if other.authorities.lead_from(certificate):
                belongs = f"belongs to the trust domain {other.name}, expected is {self._domain}"
                return Rejected("untrusted", f"the signer's certificate {belongs}")
        return Rejected("untrusted", "no path leads from the signer's certificate to an anchor")

    def _best(self, paths: Sequence[CertificatePath], mark: bytes, key: PublicKey, at: datetime) -> Signer:
        """The signer by a path that holds, or the refusal that comes nearest to it."""
        doubtful: Signer | None = None
        refusals: list[Rejected] = []
        for path in paths:
            try:
                signer = self._along(path, mark, key, at)
            except Rejected as refused:
                refusals.append(refused)
                continue
            if signer.assurance.revocation != "indeterminate":
                return signer
            doubtful = doubtful or signer
        if doubtful is None:
            raise max(refusals, key=_nearness)
        return doubtful

    def _along(self, path: CertificatePath, mark: bytes, key: PublicKey, at: datetime) -> Signer:
        self._expected.check_path(path)
        not_before, not_after = path[0].not_valid_before_utc, path[0].not_valid_after_utc
        for authority in path[1:]:
            _within(authority, at, "issuing authority")
            not_before = max(not_before, authority.not_valid_before_utc)
            not_after = min(not_after, authority.not_valid_after_utc)
        not_after, known = self._standing(path, at, not_after)
        COLLECTED.path(path)
        return Signer.of(path[0], mark, key, not_before, not_after, Assurance(self._domain, known))

    def _standing(
        self, path: CertificatePath, at: datetime, not_after: datetime
    ) -> tuple[datetime, Literal["good", "indeterminate"] | None]:
        """Until when, before `not_after`, and how well it is known that nothing on the path is revoked."""
        if self._revocation is None:
            return not_after, None
        known: Literal["good", "indeterminate"] = "good"
        unsettled: list[Unsettled] = []
        # The anchor is trusted by decision: nobody above it could revoke it.
        for link, issuer in pairwise(path):
            try:
                standing = self._revocation.standing(link, issuer, at)
            except Unsettled as unknown:
                unsettled.append(unknown)
                continue
            not_after = min(not_after, standing.until)
            if standing.certainty == "indeterminate":
                known = "indeterminate"
        if unsettled:
            raise Unsettled(unsettled[0].register, [subject for one in unsettled for subject in one.subjects])
        return not_after, known


def _nearness(refused: Rejected) -> int:
    return 3 if isinstance(refused, Unsettled) else ("untrusted", "expired", "revoked").index(refused.reason)
