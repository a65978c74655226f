"""Callers who sign, and a request of theirs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from security.http_signature import RequestSigner
from security.http_signing import key_id, sign_request
from security.signature import Rejected
from security.signature_algorithms import PrivateKey
from security.signature_base import HttpRequest

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CREATED = int(NOW.timestamp())
BODY = '{"identifier":"079090000001","họ":"Nguyễn"}'.encode()
REQUEST = HttpRequest(
    "POST",
    "https",
    "gateway.example.vn",
    "/v1/population/person?fields=full_name,birth.date",
    {
        "content-type": ["application/json"],
        "lgsp-purpose": ["dossier-processing"],
        "lgsp-dossier": ["000.00.01.G22-261123-0001"],
        "lgsp-officer": ["nguyen.van.a"],
        "x-request-id": ["r-1"],
    },
    BODY,
)


class Holder(NamedTuple):
    """A caller's key with its certificate."""

    key: PrivateKey
    certificate: x509.Certificate
    signer: RequestSigner

    @property
    def keyid(self) -> str:
        return key_id(self.certificate)

    def known(self, keyid: str) -> RequestSigner:
        """The only signer there is."""
        if keyid != self.keyid:
            raise Rejected("untrusted", "no such key")
        return self.signer


def holder(key: PrivateKey, common: str) -> Holder:
    certificate = make_certificate(key, common, NOW - timedelta(days=1), NOW + timedelta(days=30))
    return Holder(key, certificate, RequestSigner.of(certificate))


_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def make_certificate(
    key: PrivateKey, common: str, since: datetime, until: datetime, *, usage: str | None = None
) -> x509.Certificate:
    """A certificate that its own key signed; `usage` is the only one that its keyUsage states."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if usage is not None:
        stated = x509.KeyUsage(**{bit: bit == usage for bit in _USAGES})
        builder = builder.add_extension(stated, critical=True)
    return builder.sign(key, hashes.SHA256())


def nobody(keyid: str) -> RequestSigner:
    """A signer that is asked for only where a test says so."""
    raise AssertionError("nobody should have asked for a signer")


def signed(request: HttpRequest, by: Holder, **options: Any) -> HttpRequest:
    options = {"created": CREATED, "keyid": by.keyid} | options
    headers = sign_request(request, by.key, **options)
    return replace(request, fields={**request.fields, **{name.lower(): [value] for name, value in headers.items()}})
