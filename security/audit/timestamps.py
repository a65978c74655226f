"""Time-stamps over checkpoints (dấu thời gian): that the text of a note stood at a time, by an authority (RFC 3161).

What is stamped is SHA-256 of the note's text, without signatures. A response is kept whole, as `openssl ts` reads it.
Heavy to import: only deployments that ask an authority do. Whether a certificate was revoked is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
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

from security.audit.signed_message import is_signed
from security.audit.timestamp_der import in_order, unread

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
    with _understanding():
        read = _by_itself(response, text)
        VerifierBuilder(roots=list(roots), nonce=nonce).build().verify_message(read, text.encode())
        at = read.tst_info.gen_time
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def hold(response: bytes, text: str) -> None:
    """Verify of a response over a text what it shows by itself; raises StampRejected.

    Status, message imprint, and the signature by the certificate in it, of which nothing is verified. What is signed in
    a way that is not understood here passes: who has the roots decides (`stamped_at`).
    """
    with _understanding():
        _by_itself(response, text)


@contextmanager
def _understanding() -> Iterator[None]:
    try:
        yield
    except VerificationError as failure:
        raise StampRejected(str(failure)) from failure
    except StampRejected:
        raise
    except Exception as failure:
        raise StampRejected(f"it cannot be read ({type(failure).__name__})") from failure


def _by_itself(response: bytes, text: str) -> TimeStampResponse:
    read = _read(response)
    if read.status != 0:
        said = "; ".join(read.status_string)
        raise StampRejected(f"the authority refused (status {read.status}{': ' + said if said else ''})")
    imprint = read.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != _SHA256:
        raise StampRejected("it is over another digest than SHA-256")
    if imprint.message != sha256(text.encode()).digest():
        raise StampRejected("it is over another text")
    sent = [load_der_x509_certificate(each) for each in read.signed_data.certificates]
    if len({(each.issuer, each.serial_number) for each in sent}) != len(sent):
        # The purpose would be looked for in one of them, and the signature be of the other.
        raise StampRejected("two of its certificates have one name and number")
    signers = read.signed_data.signer_infos
    by = [
        each
        for each in sent
        for signer in signers
        if (each.issuer, each.serial_number) == (signer.issuer, signer.serial_number)
    ]
    if len(signers) != 1 or len(by) != 1:
        raise StampRejected("it is not by one of its certificates")
    if not is_signed(read.time_stamp_token(), by[0]):
        raise StampRejected("its signature does not hold")
    return read


def _read(response: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(in_order(response))
    except Exception as failure:
        raise StampRejected(unread(str(failure))) from failure
