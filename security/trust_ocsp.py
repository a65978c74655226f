"""The Online Certificate Status Protocol (OCSP, RFC 6960): what is asked, and what an answer proves.

An answer counts when its issuer signed it, or a responder that the issuer itself certified for that; when it speaks
about exactly the certificate that was asked for; and while it is current. Signatures are RSA PKCS#1 v1.5 or ECDSA with
SHA-2.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.oid import SignatureAlgorithmOID as Oid

from security.signature_algorithms import weakness
from security.trust_path import SHA2, issued, may_sign
from security.trust_revocation import SKEW

# A name for the issuer only: nothing rests on its strength, and every responder knows it (RFC 5019 section 2.1.1).
_ASKED_BY = hashes.SHA1()  # noqa: S303 - see above
_NAMED_BY = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)
_LASTS_AT_MOST = timedelta(days=7)
_WITHOUT_END = timedelta(minutes=10)
"""How long an answer counts that does not say when the next one comes: it means that there may be one at any time."""
_RSA = frozenset({Oid.RSA_WITH_SHA256, Oid.RSA_WITH_SHA384, Oid.RSA_WITH_SHA512})
_ECDSA = frozenset({Oid.ECDSA_WITH_SHA256, Oid.ECDSA_WITH_SHA384, Oid.ECDSA_WITH_SHA512})
_UNDERSTOOD_OF_RESPONDERS = frozenset(
    {x509.BasicConstraints.oid, x509.KeyUsage.oid, x509.ExtendedKeyUsage.oid, x509.OCSPNoCheck.oid}
)

StandsOnList = Callable[[x509.Certificate], bool | None]
"""Whether a certificate stands on its issuer's current revocation list; None if there is no such list."""


class Unusable(ValueError):
    """An answer that proves nothing; the text says why."""


class Untimely(Unusable):
    """An answer that proves nothing at this time: it would at another one, or where clocks agreed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a responder said about the certificate with this serial number; the times are UTC.

    `until`: from then on it says nothing good any more. `on_hold`: the revocation may be taken back (certificateHold).
    `octets` is the whole response in DER form.
    """

    serial: int
    status: Literal["good", "revoked", "unknown"]
    this_update: datetime
    until: datetime
    revoked_at: datetime | None = None
    on_hold: bool = False
    octets: bytes = field(default=b"", compare=False, repr=False)


def question(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None = None) -> bytes:
    """The DER form of the request about one certificate."""
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, _ASKED_BY)
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def judged(
    body: bytes,
    issuer: x509.Certificate,
    at: datetime,
    *,
    nonce: bytes | None = None,
    listed: StandsOnList = lambda _: None,
) -> Answer:
    """What a response in DER form proves about a certificate of `issuer` at `at` (UTC); raises Unusable if nothing.

    `nonce`: of our question; a responder that makes its answers beforehand repeats none. `listed` is asked about a
    responder whose certificate does not say that nobody needs to (id-pkix-ocsp-nocheck).
    """
    try:
        response = ocsp.load_der_ocsp_response(body)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Unusable(f"the responder answered {response.response_status.name.lower().replace('_', ' ')}")
        found = list(response.responses)
        # The library shows the extensions of a single answer only where there is one.
        if len(found) != 1 or not _is_about(found[0], issuer):
            raise Unusable("the answer is about something else than the one certificate that was asked for")
        _check_extensions(response, nonce)
        if max(response.produced_at_utc, found[0].this_update_utc) > at + SKEW:
            raise Untimely("the answer comes from the future: check the clocks")
        # What was revoked for good stays so, and needs to have been said once only.
        moment = min(at, found[0].this_update_utc) if _for_good(found[0]) else at
        return replace(_answer(found[0], _signed_by(response, issuer, moment, listed), moment), octets=body)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        raise error if isinstance(error, Unusable) else Unusable("the answer is malformed") from None


def _check_extensions(response: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    for extension in (*response.extensions, *response.single_extensions):
        if isinstance(extension.value, x509.OCSPNonce):
            if nonce is not None and extension.value.nonce != nonce:
                raise Unusable("the answer repeats another nonce than that of the question")
        elif extension.critical:
            raise Unusable("the answer has a critical extension that is not understood")


def _is_about(one: ocsp.OCSPSingleResponse, issuer: x509.Certificate) -> bool:
    if not isinstance(one.hash_algorithm, _NAMED_BY):
        return False
    name = hashes.Hash(one.hash_algorithm)
    name.update(issuer.subject.public_bytes())
    # The library hashes the key as the standard wants it, but takes the name from the first certificate.
    named = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, one.hash_algorithm).build()
    return one.issuer_name_hash == name.finalize() and one.issuer_key_hash == named.issuer_key_hash


def _for_good(one: ocsp.OCSPSingleResponse) -> bool:
    revoked = one.certificate_status is ocsp.OCSPCertStatus.REVOKED
    return revoked and one.revocation_reason is not x509.ReasonFlags.certificate_hold


def _answer(one: ocsp.OCSPSingleResponse, ends: datetime, at: datetime) -> Answer:
    until = one.next_update_utc or one.this_update_utc + _WITHOUT_END
    if until < one.this_update_utc:
        raise Unusable("the answer ends before it begins")
    until = min(until, one.this_update_utc + _LASTS_AT_MOST, ends)
    if until < at:
        raise Untimely("the answer is out of date")
    status = one.certificate_status
    if status is ocsp.OCSPCertStatus.REVOKED:
        on_hold = not _for_good(one)
        return Answer(one.serial_number, "revoked", one.this_update_utc, until, one.revocation_time_utc, on_hold)
    said: Literal["good", "unknown"] = "good" if status is ocsp.OCSPCertStatus.GOOD else "unknown"
    return Answer(one.serial_number, said, one.this_update_utc, until)


def _signed_by(response: ocsp.OCSPResponse, issuer: x509.Certificate, at: datetime, listed: StandsOnList) -> datetime:
    """Until when whoever signed may be believed; Unusable if nobody did who may."""
    if _is_named(response, issuer):
        if not _fits(response, issuer):
            raise Unusable("the signature of the answer does not fit")
        return issuer.not_valid_after_utc
    for responder in _delegates(response, issuer):
        if not responder.not_valid_before_utc <= at <= responder.not_valid_after_utc:
            raise Untimely("the responder's certificate has expired or is not valid yet")
        if not _fits(response, responder):
            raise Unusable("the signature of the answer does not fit")
        if not _needs_no_check(responder) and listed(responder) is not False:
            raise Unusable("the responder's own certificate may be revoked: no current list says that it is not")
        return responder.not_valid_after_utc
    raise Unusable("the responder is neither the issuer nor certified by it for that (OCSPSigning)")


def _delegates(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> Iterator[x509.Certificate]:
    for certificate in response.certificates:
        if not _is_named(response, certificate) or not issued(issuer, certificate):
            continue
        try:
            purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            continue
        if ExtendedKeyUsageOID.OCSP_SIGNING in purposes and _may_sign(certificate):
            yield certificate


def _may_sign(certificate: x509.Certificate) -> bool:
    if any(one.critical and one.oid not in _UNDERSTOOD_OF_RESPONDERS for one in certificate.extensions):
        return False
    return may_sign(certificate)


def _needs_no_check(responder: x509.Certificate) -> bool:
    try:
        responder.extensions.get_extension_for_class(x509.OCSPNoCheck)
    except x509.ExtensionNotFound:
        return False
    return True


def _is_named(response: ocsp.OCSPResponse, certificate: x509.Certificate) -> bool:
    """Whether the response names this certificate's subject or key as its responder."""
    if response.responder_name is not None:
        return response.responder_name == certificate.subject
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _fits(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, algorithm = signer.public_key(), response.signature_hash_algorithm
    if weakness(key) is not None or not isinstance(algorithm, SHA2):
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey) and response.signature_algorithm_oid in _RSA:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and response.signature_algorithm_oid in _ECDSA:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
            return True
    except InvalidSignature:
        pass
    return False
