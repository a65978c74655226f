"""Whose signatures one endpoint believes, as its section of the configuration says it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509

from adapters.trust_domains import TrustDomains
from config.settings import ConfigurationError, Endpoint
from security.names import name_of
from security.trust import AnchoredTrust, PinnedTrust, Trust, load_certificates
from security.trust_domain import TrustDomain
from security.trust_revocation import RevocationLists
from security.trust_signer import ExpectedSigner
from security.trust_status import Subject


def trust_of(name: str, endpoint: Endpoint, domains: TrustDomains) -> Trust:
    """Load what the endpoint says about signers: pinned certificates, anchors of its own, or a trust domain.

    Raises ConfigurationError for what contradicts itself or would believe anybody, ValueError and OSError for files.
    """
    where = f"[endpoints.{name}]"
    signers = [] if endpoint.signer is None else load_certificates(endpoint.signer)
    pinned = [certificate for path in endpoint.pinned for certificate in load_certificates(path)]
    expected = _expected(where, endpoint, signers)
    if endpoint.domain:
        if endpoint.trust or endpoint.crl:
            raise ConfigurationError(
                f"{where} has domain and also trust or crl: anchors and lists are those of [trust.{endpoint.domain}]"
            )
        domain = domains.named(endpoint.domain, where)
        if not pinned and not expected.subjects and not expected.agency:
            raise ConfigurationError(
                f"{where} would believe every signer of [trust.{domain.name}]: set signer, pinned, expect.subject or"
                " expect.agency"
            )
        _keep_known(domain, (*signers, *pinned))
        return AnchoredTrust.within(domain, expected, pinned=pinned, elsewhere=domains.others(domain.name))
    anchors = [certificate for path in endpoint.trust for certificate in load_certificates(path)]
    if not anchors:
        return _pinned(where, endpoint, pinned or signers)
    if not pinned and not expected.subjects and not expected.agency:
        raise ConfigurationError(f"{where} needs signer: the certificate whose subject signs its answers")
    revocation = RevocationLists.load(endpoint.crl, anchors) if endpoint.crl else None
    return AnchoredTrust(anchors, subject=None, expected=expected, pinned=pinned, revocation=revocation)


def trusts_in_callers(names: Sequence[str], domains: TrustDomains) -> list[Trust]:
    """Make what vouches for the signing certificates of callers, one for each domain that `[callers]` names.

    Who signs is known by registration, so any signer of a domain will do. Raises ConfigurationError.
    """
    return [AnchoredTrust.within(domains.named(name, "[callers] domains"), ExpectedSigner()) for name in names]


def _expected(where: str, endpoint: Endpoint, signers: list[x509.Certificate]) -> ExpectedSigner:
    said = endpoint.expect
    try:
        stated = [name_of(said.subject)] if said.subject else []
    except ValueError as error:
        raise ConfigurationError(f"{where} expect.subject is no name as RFC 4514 writes it: {error}") from None
    # The subjects, not the very certificates: a renewed one of the same office needs no change here.
    subjects = stated or [certificate.subject for certificate in signers]
    return ExpectedSigner(
        tuple(subjects), said.agency, said.content_commitment, said.key_bits, frozenset(said.policies)
    )


def _pinned(where: str, endpoint: Endpoint, certificates: list[x509.Certificate]) -> Trust:
    if not certificates:
        raise ConfigurationError(f"{where} needs signer: the certificate whose subject signs its answers")
    if endpoint.expect.model_fields_set:
        raise ConfigurationError(f"{where} expect says nothing about pinned certificates: add domain or trust to it")
    return PinnedTrust(certificates, RevocationLists.load(endpoint.crl, certificates) if endpoint.crl else None)


def _keep_known(domain: TrustDomain, certificates: tuple[x509.Certificate, ...]) -> None:
    """Let it be found out before the first message whether the certificates that we know of were revoked."""
    if domain.register is None:
        return
    for certificate in certificates:
        for path in domain.authorities.paths(certificate):
            for link, issuer in pairwise(path):
                domain.register.expect(Subject(link, issuer))
