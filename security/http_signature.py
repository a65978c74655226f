"""Signed requests (RFC 9421): whether a caller's signature over its HTTP request holds (chữ ký yêu cầu).

One signature a request, over all that the published contract lists and whatever the caller covers besides:

- `@method` `@authority` `@path` `@query`, always;
- `content-type` and `content-digest`, where there is a body;
- `lgsp-purpose` `lgsp-dossier` `lgsp-officer`, each where it is sent.

`created`, `expires`, `nonce` and `keyid` are needed; `alg` may be given and must then fit the key. `tag` and all other
parameters are refused: a signature that was made for another use is none for this one. Two signatures in one request
are refused too, since it would be open which of them counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from security.content_digest import check_content_digest
from security.signature import Assurance, Rejected, SignaturePolicy
from security.signature_algorithms import (
    ALGORITHMS,
    ECDSA_SHA256,
    ECDSA_SHA384,
    RSA_SHA256,
    Algorithm,
    Check,
    PublicKey,
    checks,
    weakness,
)
from security.signature_base import DERIVED, HttpRequest, component_names, signature_base
from security.structured_fields import BareItem, InnerList, Item, Member, Unreadable, dictionary
from security.trust_path import NOT_FOR_SIGNING, fingerprint, may_sign

# RFC 9421 section 3.3; where a key fits two, the first is tried first.
RSA_ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    "rsa-pss-sha512": ALGORITHMS["http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"],
    "rsa-v1_5-sha256": RSA_SHA256,
}
P256_ALGORITHMS: Final[Mapping[str, Algorithm]] = {"ecdsa-p256-sha256": ECDSA_SHA256}
P384_ALGORITHMS: Final[Mapping[str, Algorithm]] = {"ecdsa-p384-sha384": ECDSA_SHA384}

WITH_BODY: Final = ("content-type", "content-digest")
WHERE_SENT: Final = ("lgsp-purpose", "lgsp-dossier", "lgsp-officer")

_LONGEST = 4096
_MOST_COMPONENTS = 32
_LONGEST_NAME = 256
_DEFAULTS = SignaturePolicy()
REGISTERED: Final = Assurance()
"""What is known of a certificate that nobody but its registration vouches for."""


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """Who may sign requests: subject (RFC 4514) and SHA-256 (hexadecimal) of the certificate, and its key's checks.

    `checks` are by algorithm name of RFC 9421, only those that fit the key; `assurance` says how far somebody else than
    the registration vouches for the certificate.
    """

    subject: str
    fingerprint: str
    checks: Mapping[str, Check]
    assurance: Assurance = REGISTERED

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        """The signer with this certificate; ValueError if its key cannot be read, is weak or has another keyUsage."""
        try:
            key = certificate.public_key()
        except UnsupportedAlgorithm:
            raise ValueError("the certificate holds a key that cannot be read") from None
        if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or weakness(key) is not None:
            raise ValueError(f"the certificate holds {weakness(key)}")
        if not may_sign(certificate):
            raise ValueError(NOT_FOR_SIGNING)
        return cls(certificate.subject.rfc4514_string(), fingerprint(certificate).hex(), checks_of(key))


def algorithms_of(key: object) -> Mapping[str, Algorithm]:
    """The algorithms of RFC 9421 that fit a key (public or private), by name; the first is what one signs with."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return RSA_ALGORITHMS
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return P256_ALGORITHMS if isinstance(key.curve, ec.SECP256R1) else P384_ALGORITHMS
    return {}


def checks_of(key: PublicKey) -> Mapping[str, Check]:
    """The checks of signatures made with a key, by the name of the algorithm in RFC 9421."""
    fitting = checks(key)
    return {name: fitting[algorithm.uri] for name, algorithm in algorithms_of(key).items()}


SignerOf = Callable[[str], RequestSigner]
"""Finds the signer that a `keyid` names; Rejected with untrusted, expired or revoked."""


class Sent(NamedTuple):
    """A signature as sent: what it covers with its parameters, and its value."""

    covered: InnerList
    value: bytes


class SignedRequest(NamedTuple):
    """What a verified signature proves: who signed these components, and when (UTC).

    `nonce` counts once for this signer until `fresh_until`; from then on the request is refused as stale.
    """

    signer: RequestSigner
    components: tuple[str, ...]
    signed_at: datetime
    nonce: str
    fresh_until: datetime


def signature_of(fields: Mapping[str, Sequence[str]]) -> Sent:
    """Read `Signature-Input` and `Signature`; Rejected("malformed") unless both hold one member of the same label."""
    inputs, values = _members(fields, "signature-input"), _members(fields, "signature")
    if len(inputs) != 1 or len(values) != 1:
        raise Rejected("malformed", "a request carries one signature: one member in Signature-Input and in Signature")
    ((label, covered),) = inputs.items()
    ((other, value),) = values.items()
    if label != other:
        raise Rejected("malformed", "Signature-Input and Signature have different labels")
    if not isinstance(covered, InnerList):
        raise Rejected("malformed", "Signature-Input holds no list of components")
    if not isinstance(value, Item) or not isinstance(value.value, bytes) or value.parameters:
        raise Rejected("malformed", "Signature holds no byte sequence")
    if len(covered.items) > _MOST_COMPONENTS:
        raise Rejected("malformed", f"more than {_MOST_COMPONENTS} components are covered")
    return Sent(covered, value.value)


def _members(fields: Mapping[str, Sequence[str]], name: str) -> Mapping[str, Member]:
    title = "Signature-Input" if name == "signature-input" else "Signature"
    lines = fields.get(name)
    if not lines:
        raise Rejected("malformed", f"{title} is missing: a signature takes both Signature-Input and Signature")
    try:
        return dictionary(lines, _LONGEST)
    except Unreadable as wrong:
        raise Rejected("malformed", f"{title} {wrong}") from None


class _Parameters(NamedTuple):
    created: int
    expires: int
    nonce: str
    keyid: str
    alg: str | None


def _parameters(sent: Mapping[str, BareItem]) -> _Parameters:
    """The parameters, all of the right type; Rejected("malformed")."""
    if not sent.keys() <= set(_Parameters._fields):
        raise Rejected("malformed", "a parameter beside created, expires, nonce, keyid and alg is not accepted")
    return _Parameters(
        created=_instant(sent, "created"),
        expires=_instant(sent, "expires"),
        nonce=_text(sent, "nonce"),
        keyid=_text(sent, "keyid"),
        alg=_text(sent, "alg") if "alg" in sent else None,
    )


def _instant(sent: Mapping[str, BareItem], name: str) -> int:
    value = sent.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Rejected("malformed", f"the parameter {name} is missing or no time in whole seconds since 1970")
    return value


def _text(sent: Mapping[str, BareItem], name: str) -> str:
    value = sent.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_NAME:
        raise Rejected("malformed", f"the parameter {name} is missing or no string of 1 to {_LONGEST_NAME} characters")
    return value


def verify_request(
    request: HttpRequest, signer_of: SignerOf, now: datetime, policy: SignaturePolicy = _DEFAULTS
) -> SignedRequest:
    """Verify the one signature of a request; that its nonce counts once is up to whoever asks.

    Of the policy `skew` and `max_age` count. Rejected: malformed, not-covered, stale, altered, what `signer_of` raises.
    """
    sent = signature_of(request.fields)
    parameters = _parameters(sent.covered.parameters)
    names = component_names(sent.covered)
    _check_coverage(request, names)
    end = _fresh_until(parameters, policy, now.timestamp())
    base = signature_base(request, sent.covered)
    signer = signer_of(parameters.keyid)
    if "content-digest" in names:
        check_content_digest(request.fields["content-digest"], request.body)
    check_value(sent.value, base, signer, parameters.alg)
    return SignedRequest(
        signer,
        tuple(names),
        datetime.fromtimestamp(parameters.created, UTC),
        parameters.nonce,
        datetime.fromtimestamp(end, UTC),
    )


def _check_coverage(request: HttpRequest, names: Sequence[str]) -> None:
    needed = [*DERIVED, *(name for name in WHERE_SENT if name in request.fields)]
    if request.body:
        needed += WITH_BODY
    missing = [name for name in needed if name not in names]
    if missing:
        raise Rejected("not-covered", f"the signature does not cover {', '.join(missing)}")


def _fresh_until(parameters: _Parameters, policy: SignaturePolicy, now: float) -> float:
    """The end of the time in which the request is accepted, POSIX seconds; compared as numbers, since any may come."""
    if parameters.expires <= parameters.created:
        raise Rejected("malformed", "the signature expires before it was created")
    skew = policy.skew.total_seconds()
    if parameters.created > now + skew:
        raise Rejected("stale", "the signature comes from the future: check the clocks")
    end = min(parameters.created + policy.max_age.total_seconds(), parameters.expires) + skew
    if now >= end:
        raise Rejected("stale", "the signature is older than accepted")
    return end


def check_value(value: bytes, base: bytes, signer: RequestSigner, alg: str | None) -> None:
    """Check a signature value over a signature base; Rejected: altered, malformed (algorithm, length of the value).

    The key decides about the algorithm. An RSA key fits two; where the caller did not say which, both are tried.
    """
    if alg is not None and alg not in signer.checks:
        raise Rejected("malformed", "the parameter alg names no algorithm that fits the signer's key")
    *others, last = [check for name, check in signer.checks.items() if alg in (None, name)]
    if not any(_fits(check, value, base) for check in others):
        last(value, base)


def _fits(check: Check, value: bytes, base: bytes) -> bool:
    try:
        check(value, base)
    except Rejected:
        return False
    return True
