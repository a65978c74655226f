"""Callers who sign their SOAP messages (WS-Security): who they are and what they asked (bên gọi ký thông điệp SOAP).

The certificate alone says who calls. It is read before the signature is known to hold, and decides nothing but whose
key that is judged by; everything else is taken from the signed elements of a message whose signature held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from math import ceil
from typing import Final, NamedTuple

from cryptography.x509 import load_der_x509_certificate

from schemas.errors import Unauthenticated
from schemas.exchange import Caller, CallerSignature
from security.clients import Client, StoredCredential
from security.http_signature import REGISTERED
from security.registry import ClientRegistry
from security.request_signatures import assured, lapsed, rejected
from security.signature import Rejected, SignaturePolicy, SoapVersion, Trusted, utc_now
from security.signature_algorithms import encode, strict_base64
from security.soap_advice import advised
from security.soap_signature import verify_soap
from security.trust import Presented, Signer, Trust, key_of
from security.trust_path import NOT_FOR_SIGNING, may_sign

GATEWAY: Final = "urn:lgsp:gateway:1"
"""Namespace of the gateway's own header elements: all that are in a signed message must be signed."""


class SignedCall(NamedTuple):
    """What a verified SOAP message proves.

    `caller`: whose registered certificate signed it. `signed`: the signature as the exchange carries it; its nonce is
    the SHA-256 (hexadecimal) of what was signed, which counts once. `body`: the only child of the Body. `headers`: the
    signed header blocks, nothing else. `value`: the SignatureValue in base64, which the answer has to confirm.
    """

    caller: Caller
    signed: CallerSignature
    body: Trusted
    headers: tuple[Trusted, ...]
    value: str


class SoapCallers:
    """Verifies signed SOAP messages of registered clients; one per process.

    Of `policy` everything counts but `replays`: that a message counts once is seen where it is used (`counted_once`).
    """

    def __init__(
        self,
        registry: ClientRegistry,
        policy: SignaturePolicy | None = None,
        *,
        trusts: Sequence[Trust] = (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._registry = registry
        self._trusts = tuple(trusts)
        self._clock = clock
        strict = replace(policy or SignaturePolicy(), signed_namespaces=frozenset({GATEWAY}), replays=None)
        self._skew = strict.skew
        self._policies: dict[SoapVersion, SignaturePolicy] = {
            "1.1": replace(strict, soap=frozenset({"1.1"})),
            "1.2": replace(strict, soap=frozenset({"1.2"})),
        }

    def believe(self, trusts: Sequence[Trust]) -> None:
        """Let registered certificates count only where one of `trusts` vouches for them; none: registered is enough."""
        self._trusts = tuple(trusts)

    def verify(self, document: bytes, version: SoapVersion, now: datetime | None = None) -> SignedCall:
        """Verify the signature over a SOAP message of this version; raises SignatureRejected with the reason.

        It is CallerUnsettled where it can be asked whether the certificate was revoked. `now` is UTC.
        """
        asking = _Asking(self._registry, self._trusts)
        try:
            found = verify_soap(document, self._policies[version], asking, now=now or self._clock())
        except Rejected as rejection:
            raise rejected(advised(rejection, document, GATEWAY)) from None
        # A node whose clock runs ahead must not forget what one that lags behind would still accept.
        forget_at = ceil((found.fresh_until + self._skew).timestamp())
        domain, revocation = found.assurance
        return SignedCall(
            asking.client.caller(asking.credential),
            CallerSignature(
                f"sha256:{found.fingerprint}",
                found.signed_at,
                found.signature_digest.hex(),
                forget_at,
                domain,
                revocation,
            ),
            found.element,
            found.headers,
            found.signature_value,
        )


@dataclass(slots=True)
class _Asking:
    """The trust in registered certificates during one verification, and whose the accepted one is."""

    registry: ClientRegistry
    trusts: tuple[Trust, ...]
    client: Client = None  # type: ignore[assignment]  # set by `accept`, without which nothing is verified
    credential: StoredCredential = None  # type: ignore[assignment]

    def accept(self, presented: Presented, at: datetime) -> Signer:
        """The signer with a registered certificate; Rejected with untrusted, expired or revoked."""
        if isinstance(presented, str):
            der = strict_base64(presented, "the signer's certificate")
        elif isinstance(presented, bytes):
            der = presented
        else:
            # What WSS4J calls IssuerSerial or SKIKeyIdentifier.
            raise Rejected(
                "untrusted",
                "the message names its signer, but must carry the certificate itself as BinarySecurityToken (WSS4J: "
                "signatureKeyIdentifier DirectReference)",
            )
        try:
            found = self.registry.by_pinned("signature", sha256(der).hexdigest(), at)
        except Unauthenticated as failure:
            if failure.reason == "unknown":
                # Taken away in this moment.
                raise _unregistered() from None
            raise lapsed(str(failure.reason)) from None
        if found is None:
            raise _unregistered()
        self.client, self.credential = found
        # Only registered certificates get here, so that nobody else fills what is remembered.
        signer = _loaded(der)
        assurance = assured(encode(der).decode(), signer.not_before, self.trusts, at)
        return signer if assurance is REGISTERED else replace(signer, assurance=assurance)


def _unregistered() -> Rejected:
    return Rejected("untrusted", "the certificate is not registered for signing by any client")


@lru_cache(maxsize=4096)
def _loaded(der: bytes) -> Signer:
    certificate = load_der_x509_certificate(der)
    if not may_sign(certificate):
        raise Rejected("untrusted", NOT_FOR_SIGNING)
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Signer.of(certificate, sha256(der).digest(), key_of(certificate), since, until, REGISTERED)
