"""Callers' own signatures over their requests: whose certificate it is, what is recorded of it, that it counts once.

Whether one is needed is a matter of the grant (`security.policy`), how one is judged of `security.http_signature`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Protocol

from cryptography.x509 import load_der_x509_certificate

from schemas.errors import EvidenceUnavailable, SignatureRejected, Text
from schemas.exchange import Answer, Caller, CallerSignature, Exchange, Handler, Stage
from security.clients import pinned_id
from security.http_signature import REGISTERED, RequestSigner, verify_request
from security.registry import ClientRegistry
from security.signature import Assurance, Reason, Rejected, SignaturePolicy, utc_now
from security.signature_base import HttpRequest
from security.trust import Trust
from security.trust_status import Unsettled
from storage.errors import StorageError

_HEXADECIMAL = re.compile(r"(?:signature-)?sha256:([0-9a-fA-F]{64})")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")

_NOT_REMEMBERED = Text(
    "Hiện không biết chữ ký nào đã được dùng", "It is not known at present which signatures were used before"
)
_ELSEWHERE = Text(
    "Chữ ký của yêu cầu bị từ chối: chữ ký dành cho địa chỉ khác (@authority, tiêu đề Host), không phải cổng này; "
    "địa chỉ của cổng là server.public_url trong cấu hình",
    "The signature of the request was rejected: it covers a request to another address (@authority, the Host header), "
    "not to this gateway; the gateway's address is server.public_url in its configuration",
)
_UNSURE = "replay-memory"
_REASONS: dict[Reason, str] = {
    "altered": "nội dung đã bị thay đổi sau khi ký",
    "not-covered": "chữ ký không bao gồm mọi phần phải ký",
    "untrusted": "chứng thư không được đăng ký để ký cho bên gọi này",
    "expired": "chứng thư đã hết hạn hoặc chưa có hiệu lực",
    "revoked": "chứng thư đã bị thu hồi",
    "stale": "thời điểm ký quá cũ hoặc ở tương lai",
    "replayed": "chữ ký đã được dùng",
    "malformed": "không đọc được chữ ký",
}


class NotRemembered(Exception):
    """It cannot be told whether something was used before; ask again in `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = retry_after


class Used(Protocol):
    """A memory of what counts once: `machine_signatures`, `used_signatures` and `redis_signatures` have one each.

    All processes and nodes share it.
    """

    async def first_use(
        self, client_id: str, token_id: str, expires_at: int, now: int, signed_at: datetime | None = None
    ) -> bool:
        """Tell whether this is the first use of a `token_id` by a client, and remember it until `expires_at` at least.

        `signed_at` is UTC by the client's clock. Raises NotRemembered, StorageUnavailable.
        """


def longest_life(policy: SignaturePolicy) -> timedelta:
    """How long after its use a signed request could at most be accepted again, by a node with another clock."""
    # It may come from the future, is tolerated beyond its age, and is remembered for nodes whose clocks lag.
    return policy.max_age + 3 * policy.skew


class RequestSignatures:
    """Verifies signed requests of registered clients; one per process.

    `addressed` tells whether an `@authority` is ours (`routes.authorities`); without it every one is.
    """

    def __init__(
        self,
        registry: ClientRegistry,
        policy: SignaturePolicy | None = None,
        *,
        trusts: Sequence[Trust] = (),
        addressed: Callable[[str], bool] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._registry = registry
        self._policy = policy or SignaturePolicy()
        self._trusts = tuple(trusts)
        self._addressed = addressed
        self._clock = clock

    def believe(self, trusts: Sequence[Trust]) -> None:
        """Let registered certificates count only where one of `trusts` vouches for them; none: registered is enough."""
        self._trusts = tuple(trusts)

    def verify(self, request: HttpRequest, caller: Caller) -> CallerSignature:
        """Verify the signature that a caller put on its request; raises SignatureRejected with the reason.

        It is CallerUnsettled where it can be asked whether the certificate was revoked. That the signature was not used
        before is seen where it is used (`counted_once`).
        """
        now = self._clock()
        try:
            signed = verify_request(request, lambda keyid: self._signer(caller, keyid, now), now, self._policy)
        except Rejected as rejection:
            raise rejected(rejection) from None
        # The signature holds, for somebody else: it was not altered, and its signer is known.
        if self._addressed is not None and not self._addressed(request.covered("@authority")):
            raise SignatureRejected(_ELSEWHERE, reason="not-covered")
        # A node whose clock runs ahead must not forget what one that lags behind would still accept.
        forget_at = ceil((signed.fresh_until + self._policy.skew).timestamp())
        domain, revocation = signed.signer.assurance
        return CallerSignature(
            f"sha256:{signed.signer.fingerprint}", signed.signed_at, signed.nonce, forget_at, domain, revocation
        )

    def _signer(self, caller: Caller, keyid: str, now: datetime) -> RequestSigner:
        client = self._registry.get(caller.client_id)
        credential = client.credential(pinned_id("signature", fingerprint_named(keyid))) if client else None
        # Before requests could be signed, only the fingerprint of such a certificate was kept.
        if credential is None or "certificate" not in credential.material:
            raise Rejected("untrusted", "keyid names no certificate that is registered for signing by this client")
        lapse = credential.lapse(now)
        if lapse is not None:
            raise lapsed(lapse)
        not_before, signer = _loaded(credential.material["certificate"])
        assurance = assured(credential.material["certificate"], not_before, self._trusts, now)
        return replace(signer, assurance=assurance) if self._trusts else signer


def lapsed(lapse: str) -> Rejected:
    """Refuse a registered certificate that no longer counts: `revoked`, or else `expired`."""
    return Rejected("revoked" if lapse == "revoked" else "expired", f"the signing certificate is {lapse}")


def assured(certificate: str, not_before: datetime, trusts: Sequence[Trust], now: datetime) -> Assurance:
    """How far a living registered certificate (base64 DER, valid from `not_before`) is vouched for by one of `trusts`.

    Without any, that it is registered is enough. Rejected: expired where it is not valid yet, and as `Trust.accept`.
    """
    if now < not_before:
        raise Rejected("expired", "the signing certificate is not valid yet")
    if not trusts:
        return REGISTERED
    refusals = []
    for trust in trusts:
        try:
            return trust.accept(certificate, now).assurance
        except Rejected as refused:
            refusals.append(refused)
    # That a domain knows the certificate and refuses it says more than that another one does not know it.
    raise max(refusals, key=lambda refused: (isinstance(refused, Unsettled), refused.reason != "untrusted"))


@lru_cache(maxsize=4096)
def _loaded(certificate: str) -> tuple[datetime, RequestSigner]:
    loaded = load_der_x509_certificate(base64.b64decode(certificate))
    try:
        return loaded.not_valid_before_utc, RequestSigner.of(loaded)
    except ValueError as flaw:
        # Registered by a release that did not look.
        raise Rejected("untrusted", str(flaw)) from None


def fingerprint_named(keyid: str) -> str:
    """The SHA-256 (hexadecimal) of the certificate that a `keyid` names; Rejected("untrusted") if it has no such form.

    Taken are `sha256:` and hexadecimal, the credential's id as `/v1/me` shows it, and the `x5t#S256` of RFC 7515.
    """
    if found := _HEXADECIMAL.fullmatch(keyid):
        return found[1].lower()
    if _THUMBPRINT.fullmatch(keyid):
        return binascii.hexlify(base64.urlsafe_b64decode(f"{keyid}=")).decode()
    raise Rejected("untrusted", "keyid is no name of a certificate: sha256: and 64 hexadecimal digits, or an x5t#S256")


class CallerUnsettled(SignatureRejected):
    """It can be asked whether the certificate was revoked; until then the request is not believed."""

    unknown: Unsettled


def rejected(rejection: Rejected) -> SignatureRejected:
    """Turn a verdict into the error that the caller sees, with the reason of the published list."""
    vi = _REASONS.get(rejection.reason, "không hợp lệ")
    detail = Text(
        f"Chữ ký của yêu cầu bị từ chối: {vi} ({rejection.detail})",
        f"The signature of the request was rejected: {rejection.detail}",
    )
    if not isinstance(rejection, Unsettled):
        return SignatureRejected(detail, reason=rejection.reason)
    failure = CallerUnsettled(detail, reason=rejection.reason)
    failure.unknown = rejection
    return failure


CountOnce = Callable[[CallerSignature], Awaitable[None]]
"""Takes note of a signature that is used; raises SignatureRejected (replayed), EvidenceUnavailable."""


def counting_once(used: Used, *, clock: Callable[[], datetime] = utc_now) -> CountOnce:
    """Make what takes note of the signatures of requests in `used`."""

    async def count(signed: CallerSignature) -> None:
        now = int(clock().timestamp())
        try:
            new = await used.first_use(
                f"signature:{signed.certificate}", signed.nonce, signed.forget_at, now, signed.signed_at
            )
        except StorageError:
            raise EvidenceUnavailable(_NOT_REMEMBERED, reason=_UNSURE, retry_after=1) from None
        except NotRemembered as lost:
            raise EvidenceUnavailable(_NOT_REMEMBERED, reason=_UNSURE, retry_after=lost.retry_after) from None
        if not new:
            raise rejected(Rejected("replayed", "this signature was used before: sign each request anew"))

    return count


def counted_once(used: Used, *, clock: Callable[[], datetime] = utc_now) -> Stage:
    """Make the stage that lets each signed request pass once.

    It lies further in than grants and limits: what they refuse may be sent again as it is. Raises as `CountOnce` does.
    """
    count = counting_once(used, clock=clock)

    def counting(handler: Handler) -> Handler:
        def pass_once(exchange: Exchange) -> Awaitable[Answer]:
            return handler(exchange) if exchange.signed is None else first(exchange, exchange.signed)

        async def first(exchange: Exchange, signed: CallerSignature) -> Answer:
            await count(signed)
            return await handler(exchange)

        return pass_once

    return counting
