"""An OCSP responder (RFC 6960) for the sandbox's authorities, which can be told to misbehave.

Each authority has a delegated responder of its own. A question is about one certificate, as RFC 5019 has it; the nonce
of a question (RFC 9654) is repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from sandbox.pki_store import BEFORE, PkiStore
from security.authority import REASONS, Authority
from security.authority_index import Revocation
from security.issuing import hash_for
from security.signature_key import SigningKey

LASTS: Final = timedelta(minutes=10)
"""How long an answer is good (nextUpdate)."""
STALE: Final = timedelta(days=2)
"""How old an answer or a list is that is stale."""
_LONGEST_NONCE: Final = 128
_HASHES: Final = (SHA1, SHA256, SHA384, SHA512)


class Responder:
    """Answers questions about certificates of the authorities in `store`; `stranger` has no right to do so."""

    def __init__(self, store: PkiStore, stranger: Callable[[], SigningKey]) -> None:
        self._store = store
        self._stranger = stranger
        self._signers: dict[str, SigningKey] = {}

    def answer(self, question: bytes, fault: str | None = None) -> bytes:
        """Return the response to a question, both in DER form.

        `fault`: `stale`, `unknown`, `wrong-signer`, `wrong-nonce`, `try-later`; others have no effect here.
        """
        if fault == "try-later":
            return _refusal(ocsp.OCSPResponseStatus.TRY_LATER)
        try:
            asked = ocsp.load_der_ocsp_request(question)
            serial, algorithm, nonce = asked.serial_number, asked.hash_algorithm, _nonce(asked)
        except (ValueError, NotImplementedError, UnsupportedAlgorithm, x509.DuplicateExtension):
            return _refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        authority = self._asked_of(asked, algorithm)
        if authority is None:
            return _refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        now = datetime.now(UTC)
        known = None if fault == "unknown" else authority.standing(serial, now)
        revocation = known if isinstance(known, Revocation) else None
        begin = now - STALE if fault == "stale" else now
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            serial,
            algorithm,
            _status(known),
            this_update=begin,
            next_update=begin + LASTS,
            revocation_time=None if revocation is None else revocation.at,
            revocation_reason=None if revocation is None else REASONS[revocation.reason],
        )
        signer = self._stranger() if fault == "wrong-signer" else self._signer(authority, now)
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        builder = builder.certificates([signer.certificate])
        if nonce is not None:
            repeated = bytes(len(nonce)) if fault == "wrong-nonce" else nonce
            builder = builder.add_extension(x509.OCSPNonce(repeated), critical=False)
        return builder.sign(signer.private, hash_for(signer.private)).public_bytes(Encoding.DER)

    def _signer(self, authority: Authority, now: datetime) -> SigningKey:
        held = self._signers.get(authority.name)
        if held is None or held.certificate.not_valid_after_utc < now + BEFORE:
            held = self._signers[authority.name] = self._store.responder(authority)
        return held

    def _asked_of(self, asked: ocsp.OCSPRequest, algorithm: HashAlgorithm) -> Authority | None:
        """Return the authority that a question names by the hashes of its name and key (RFC 6960, 4.1.1)."""
        if not isinstance(algorithm, _HASHES):
            return None
        for authority in self._store.authorities():
            named = ocsp.OCSPRequestBuilder().add_certificate(authority.certificate, authority.certificate, algorithm)
            made = named.build()
            if (made.issuer_name_hash, made.issuer_key_hash) == (asked.issuer_name_hash, asked.issuer_key_hash):
                return authority
        return None


def _nonce(asked: ocsp.OCSPRequest) -> bytes | None:
    """Return the nonce of a question; raises ValueError for one of a length that RFC 9654 forbids."""
    try:
        nonce = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None
    if not 1 <= len(nonce) <= _LONGEST_NONCE:
        raise ValueError("a nonce has 1 to 128 bytes")
    return nonce


def _status(known: object) -> ocsp.OCSPCertStatus:
    if known is None:
        return ocsp.OCSPCertStatus.UNKNOWN
    return ocsp.OCSPCertStatus.REVOKED if isinstance(known, Revocation) else ocsp.OCSPCertStatus.GOOD


def _refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
