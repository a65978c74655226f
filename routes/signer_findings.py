"""Whether the signers that the configuration expects would be believed now, and our own certificates by the sources.

The verdict is that of the gateway itself; what is said about it here is only the reason, in words for an operator.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from adapters.endpoint_trust import trust_of
from adapters.revocation_fetch import Fetcher
from adapters.trust_domains import TrustDomains
from config.settings import ConfigurationError, Endpoint, Settings
from routes.certificate_facts import is_authority, may_sign, purposes, read, self_signed, shown
from routes.findings import Finding, ok, problem, warning
from routes.revocation_findings import asked
from routes.source_findings import PATIENCE_S
from routes.trust_findings import MEND, usable_domains
from security.signature import Rejected
from security.trust import Trust
from security.trust_path import Authorities, check_leaf
from security.trust_revocation import Revocation, RevocationLists

_MEND = f"{MEND}, then run `lgsp check`"


async def signers(settings: Settings) -> list[Finding]:
    """Judge every signer that is named, after everybody was asked who can say whether they were revoked."""
    found = [finding for name, one in settings.endpoints.items() for finding in _own(name, one)]
    found += _unfit("signing.certificate", settings.signing.certificate, "callers refuse it")
    broken = False
    try:
        domains = await asyncio.to_thread(TrustDomains.load, settings.trust)
    except ConfigurationError as failure:
        broken = True
        found.append(problem("trust", str(failure), _MEND, "trust-unusable"))
        domains = await asyncio.to_thread(usable_domains, settings)
    believed: dict[str, Trust] = {}
    for name, endpoint in settings.endpoints.items():
        if not (endpoint.signer or endpoint.pinned):
            continue
        try:
            believed[name] = await asyncio.to_thread(trust_of, name, endpoint, domains)
        except (ConfigurationError, ValueError, OSError) as failure:
            # That a domain is not to be had follows from what was said of it.
            if not (broken and endpoint.domain):
                found.append(problem(f"endpoints.{name}", str(failure), _MEND, "trust-unusable"))
    fetching = settings.revocation.model_copy(update={"timeout": min(settings.revocation.timeout, PATIENCE_S)})
    fetcher = Fetcher(fetching)
    used = sorted({settings.endpoints[name].domain for name in believed} - {""})
    parts = await asyncio.gather(*(asked(domains.named(name, "trust"), fetcher) for name in used))
    found += [finding for part in parts for finding in part]
    return found + await asyncio.to_thread(lambda: list(_judged(settings.endpoints, believed, domains)))


def _judged(
    endpoints: Mapping[str, Endpoint], believed: Mapping[str, Trust], domains: TrustDomains
) -> Iterator[Finding]:
    now = datetime.now(UTC)
    for name, trust in believed.items():
        endpoint = endpoints[name]
        held = _Held.of(name, endpoint, domains)
        named = [("pinned", path) for path in endpoint.pinned]
        named += [("signer", endpoint.signer)] if endpoint.signer else []
        for setting, path in named:
            # The end of one is told with all other ends, and a successor beside it is the one to look at.
            lasting = [one for one in read(path) if one.not_valid_before_utc <= now <= one.not_valid_after_utc]
            for certificate in lasting:
                yield _Signer(f"endpoints.{name}", setting, path, certificate).judged(trust, held, now)


@dataclass(frozen=True, slots=True)
class _Held:
    """The authorities that an endpoint's signers may come from; `into` is where an intermediate would go."""

    authorities: Authorities | None
    revocation: Revocation | None
    into: str
    domain: str
    domains: TrustDomains

    @classmethod
    def of(cls, name: str, endpoint: Endpoint, domains: TrustDomains) -> _Held:
        if endpoint.domain:
            domain = domains.named(endpoint.domain, name)
            into = f"trust.{domain.name}.intermediates"
            return cls(domain.authorities, domain.register, into, domain.name, domains)
        anchors = [one for path in endpoint.trust for one in read(path)]
        lists = RevocationLists.load(endpoint.crl, anchors) if anchors and endpoint.crl else None
        return cls(Authorities(anchors) if anchors else None, lists, f"endpoints.{name}.trust", "", domains)

    def elsewhere(self, certificate: x509.Certificate) -> str | None:
        """Return the domain that a certificate belongs to, where that is another than the one meant."""
        others = self.domains.others(self.domain)
        return next((one.name for one in others if one.authorities.lead_from(certificate)), None)


@dataclass(frozen=True, slots=True)
class _Signer:
    subject: str
    setting: str
    path: Path
    certificate: x509.Certificate

    def judged(self, trust: Trust, held: _Held, now: datetime) -> Finding:
        """Say whether answers signed with this certificate would be believed."""
        flaw = self._flaw(held)
        if flaw is not None:
            return flaw
        try:
            signer = trust.accept(self.certificate.public_bytes(Encoding.DER), now)
        except Rejected as refused:
            return self._refused(refused, held, now)
        who = shown(self.certificate.subject)
        if signer.assurance.revocation == "indeterminate":
            text = f"{who} is believed, but nobody says whether its certificate was revoked"
            step = f"see what is said about trust.{held.domain}"
            return warning(f"{self.subject}.{self.setting}", text, step, "revocation-unknown")
        until = f" until {signer.not_after:%Y-%m-%d %H:%M} UTC, as far as is known now" if held.revocation else ""
        return ok(f"{self.subject}.{self.setting}", f"{who} is believed{until}", "signer-believed")

    def _flaw(self, held: _Held) -> Finding | None:
        """Say what is wrong with the certificate itself, or with its place among those of authorities."""
        if is_authority(self.certificate):
            text = "is that of an authority (CA): it vouches for signers and is none"
            step = f"name it in {held.into} instead, and here the certificate that the source itself signs with"
            return self._problem("signer-is-authority", text, step)
        if held.authorities is None:
            # What is pinned is believed as it is.
            return None
        try:
            check_leaf(self.certificate)
        except Rejected as refused:
            text = f"may not sign messages: {refused.detail}"
            step = (
                "ask the source which certificate it signs answers with: one for TLS or for encryption does not serve; "
                f"see {_usages(self.path)}"
            )
            return self._problem("signer-wrong-usage", text, step)
        if held.authorities.lead_from(self.certificate):
            return None
        other = held.elsewhere(self.certificate)
        if other is not None:
            text = f"belongs to the trust domain {other}; expected is {held.domain or 'an authority in trust'}"
            step = f'set {self.subject}.domain = "{other}" if the source really signs there; else ask for the right one'
            return self._problem("signer-wrong-domain", text, step)
        if self_signed(self.certificate):
            text = "is its own issuer, and no authority vouches for it"
            step = f"name it in {self.subject}.pinned and leave trust and domain out, or ask for one of an authority"
            return self._problem("signer-self-signed", text, step)
        issuer = shown(self.certificate.issuer)
        text = f"was issued by {issuer}, to which none of our authorities leads: an intermediate certificate is missing"
        step = f"get the certificate of {issuer} from its authority, name it in {held.into}, then restart"
        return self._problem("signer-missing-intermediate", text, step)

    def _refused(self, refused: Rejected, held: _Held, now: datetime) -> Finding:
        if refused.reason == "revoked":
            step = f"ask the source for its new certificate and put it into {self.path}, then run `lgsp reload`"
            return self._problem("signer-revoked", "was revoked by its issuer", step)
        if refused.reason == "expired":
            step = f"get the renewed certificate of that authority and put it in its place, {held.into} or the anchors"
            return self._problem("authority-expired", f"holds, but {refused.detail}", step)
        unknown = self._unknown(held, now)
        if unknown is not None:
            step = f"see what is said about trust.{held.domain}, or name a current list of its issuer in crl"
            return self._problem("revocation-unknown", f"is refused: {unknown}", step)
        step = (
            f"compare `openssl x509 -in {self.path} -noout -subject` with {self.subject}.expect and correct what is "
            "wrong; where both are right, ask the source for its new certificate"
        )
        return self._problem("signer-name-mismatch", f"is not the expected one: {refused.detail}", step)

    def _unknown(self, held: _Held, now: datetime) -> str | None:
        """Return why it is not known whether something on the way to the anchor was revoked."""
        if held.authorities is None or held.revocation is None:
            return None
        for path in held.authorities.paths(self.certificate):
            for link, issuer in pairwise(path):
                try:
                    held.revocation.standing(link, issuer, now)
                except Rejected as refused:
                    return refused.detail
        return None

    def _problem(self, code: str, text: str, step: str) -> Finding:
        who = shown(self.certificate.subject)
        return problem(f"{self.subject}.{self.setting}", f"the certificate of {who} {text}", step, code)


def _usages(path: Path) -> str:
    return f"`openssl x509 -in {path} -noout -ext keyUsage,extendedKeyUsage`"


def _own(name: str, endpoint: Endpoint) -> Iterator[Finding]:
    """Look at what we show to a source: it refuses a certificate that is made for something else."""
    yield from _unfit(f"endpoints.{name}.certificate", endpoint.certificate, "sources refuse it")
    yield from _unfit(f"endpoints.{name}.tls_certificate", endpoint.tls_certificate, "sources refuse it", tls=True)


def _unfit(subject: str, path: Path | None, so: str, *, tls: bool = False) -> Iterator[Finding]:
    """Say why a certificate of ours is not fit to sign, or for TLS clients."""
    if path is None or not (held := read(path)):
        return
    certificate, flaw = held[0], None
    limits = purposes(certificate)
    if is_authority(certificate):
        flaw = "is that of an authority (CA)"
    elif not may_sign(certificate):
        flaw = "may not make signatures (key usage without digitalSignature)"
    elif tls and limits is not None and ExtendedKeyUsageOID.CLIENT_AUTH not in limits:
        flaw = "is not made for TLS clients (extended key usage without clientAuth)"
    if flaw is not None:
        step = f"ask its authority for the right kind; see {_usages(path)}"
        text = f"our certificate {shown(certificate.subject)} {flaw}: {so}"
        yield problem(subject, text, step, "tls-client-wrong-usage" if tls else "own-wrong-usage")
