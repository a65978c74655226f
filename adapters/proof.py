"""What an endpoint's configuration says about signatures: the key that signs our questions, whose answers are believed.

Loaded once, when codecs are compiled; a mistake in it is found at start-up and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adapters.endpoint_trust import trust_of
from adapters.site import Site
from config.metrics import labelled, metrics
from config.settings import ConfigurationError
from schemas.errors import SigningUnavailable, Text, UpstreamSignatureRejected
from schemas.exchange import Provenance
from security.signature import RecentSignatures, Rejected, SignaturePolicy, SoapVersion, Verified
from security.signature_key import KeyRefused, Signer, load_signer
from security.trust import Trust
from security.trust_status import Unknown, Unsettled

_REASONS = {
    "altered": "nội dung bị sửa đổi",
    "not-covered": "chữ ký không bao phủ nội dung",
    "untrusted": "người ký không được tin cậy",
    "expired": "chứng thư hết hạn",
    "revoked": "chứng thư bị thu hồi",
    "stale": "thông điệp quá cũ hoặc lệch đồng hồ",
    "replayed": "thông điệp bị gửi lại",
    "not-answer-to-request": "trả lời cho một câu hỏi khác",
    "malformed": "chữ ký sai quy cách",
}


@dataclass(frozen=True, slots=True)
class Means:
    """The key for our questions and the rules for the source's answers at one endpoint."""

    key: Signer
    trust: Trust
    policy: SignaturePolicy


def means(site: Site, soap: frozenset[SoapVersion] = frozenset()) -> Means:
    """Load the means of a signing endpoint; raises ConfigurationError naming the setting to mend."""
    endpoint = site.endpoint
    where = f"[endpoints.{site.name}]"
    if endpoint.key is None or (endpoint.certificate is None and isinstance(endpoint.key, Path)):
        raise ConfigurationError(f"{where} needs key and certificate: its operations are signed")
    try:
        key = load_signer(endpoint.key, endpoint.certificate, endpoint.key_pin.get_secret_value())
        trust = trust_of(site.name, endpoint, site.domains)
    except (KeyRefused, ValueError) as error:
        raise ConfigurationError(f"{where}: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{where}: {error.filename}: {error.strerror}") from None
    replays = RecentSignatures() if site.replays is None else site.replays
    return Means(key, trust, SignaturePolicy(soap=soap, replays=replays, limits=site.limits))


class StandingUnknown(UpstreamSignatureRejected):
    """Nobody says now whether the signer's certificate was revoked; the same question may fare better in a moment."""

    retryable = True


class StandingUnsettled(StandingUnknown):
    """It can be asked whether the signer's certificate was revoked; until then the answer is not believed."""

    unknown: Unsettled


def rejected(error: Rejected) -> UpstreamSignatureRejected:
    """Turn a verdict into the error that a caller sees, with the reason of the published list."""
    vi = _REASONS[error.reason]
    detail = Text(f"Chữ ký của nguồn bị từ chối: {vi}", f"The source's signature was rejected: {error.detail}")
    if isinstance(error, Unsettled):
        failure = StandingUnsettled(detail, reason=error.reason, retry_after=error.retry_after)
        failure.unknown = error
        return failure
    if isinstance(error, Unknown):
        return StandingUnknown(detail, reason=error.reason, retry_after=error.retry_after)
    return UpstreamSignatureRejected(detail, reason=error.reason)


def unsigned(name: str) -> SigningUnavailable:
    """Say that our own key keeps a question from being sent; the log has what the token answered."""
    return SigningUnavailable(
        Text(
            f"Khoá ký câu hỏi gửi nguồn {name} không trả lời; chưa gửi gì tới nguồn.",
            f"The key that signs questions to {name} does not answer; nothing was sent.",
        )
    )


def provenance(verified: Verified) -> Provenance:
    """Say who signed the answer that was decoded, and how far the signer was vouched for."""
    domain, revocation = verified.assurance
    if revocation == "indeterminate":
        labelled(metrics().signers_indeterminate, domain or "").inc()
    return Provenance(verified.subject, f"sha256:{verified.fingerprint}", verified.signed_at, domain, revocation)
