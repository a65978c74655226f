"""Time-stamps over checkpoints (dấu thời gian): that the text of a note stood at a time, by an authority (RFC 3161).

What is stamped is SHA-256 of the note's text, without signatures. A response is kept whole, as `openssl ts` reads it.
Heavy to import: only deployments that ask an authority do. Whether a certificate was revoked is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.x509 import Certificate, load_der_x509_certificate
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

_SHA256: Final = "2.16.840.1.101.3.4.2.1"


class StampRejected(ValueError):
    """The response is no time-stamp of this text by an authority that is believed."""


def question(text: str) -> tuple[bytes, int]:
    """Return a request for a time-stamp over a text, in DER, and the nonce in it; the certificate is asked for."""
    asked = (
        TimestampRequestBuilder()
        .data(text.encode())
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
    )
    request = asked.nonce(nonce=True).build()
    if request.nonce is None:
        raise ValueError("a request without a nonce")
    return request.as_bytes(), request.nonce


def stamped_at(response: bytes, text: str, roots: Sequence[Certificate], nonce: int | None = None) -> datetime:
    """Verify a response over a text; return the time in it. Raises StampRejected.

    Status, message imprint, `nonce` where given, purpose of the certificate, its path to one of the roots at that time.
    """
    read = _read(response)
    try:
        if read.status != 0:
            said = "; ".join(read.status_string)
            raise StampRejected(f"the authority refused (status {read.status}{': ' + said if said else ''})")
        info = read.tst_info
        if info.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise StampRejected("it is over another digest than SHA-256")
        sent = [load_der_x509_certificate(each) for each in read.signed_data.certificates]
        if len({(each.issuer, each.serial_number) for each in sent}) != len(sent):
            # The purpose would be looked for in one of them, and the signature be of the other.
            raise StampRejected("two of its certificates have one name and number")
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(read, text.encode())
        at = info.gen_time
    except VerificationError as failure:
        raise StampRejected(str(failure)) from failure
    except StampRejected:
        raise
    except Exception as failure:
        raise StampRejected(f"it cannot be read ({type(failure).__name__})") from failure
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _read(response: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(response)
    except Exception as failure:
        raise StampRejected("it is no time-stamp response") from failure
